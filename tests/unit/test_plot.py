"""`sa.plot`: the pipeline's drawings on ensembles and data frames, what they draw and what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from superposition_atlas.errors import ArgumentError, TheoryError

TINY: dict[str, Any] = {"steps": 20, "batch_size": 16, "engine": "torch", "progress": False}
SCHEDULE = sa.schedules.geometric(5, 1.0, 0.02, importance=0.9)


@pytest.fixture(scope="module")
def models() -> sa.ToyModels:
    return sa.train(SCHEDULE, 2, 3, device="cpu", learning_rate=0.1, **TINY)


@pytest.fixture(scope="module")
def saes(models: sa.ToyModels) -> dict[str, sa.SAEs]:
    return {
        "l1": sa.train_saes(models, n_latents=4, sparsity_coefficient=[0.1, 0.2], resampling="none", **TINY),
        "chosen": sa.train_saes(models, n_latents=4, architecture="topk", **TINY),
    }


def axes() -> Any:
    return Figure().add_subplot()


def titles(figure: Figure) -> list[str]:
    return [panel.get_title() for panel in figure.axes]


@pytest.mark.parametrize("name", ["plane", "bars", "gram", "dimensionality"])
def test_toy_models_and_their_frames_give_the_same_drawing(models: sa.ToyModels, name: str) -> None:
    draw = getattr(sa.plot, name)
    of_models, of_frame = draw(models), draw(models.to_frame())
    assert isinstance(of_models, Figure)
    assert titles(of_models) == titles(of_frame)
    ax = axes()
    assert draw(models[1], ax=ax) is ax.figure
    assert ax.has_data()


def test_a_plane_has_each_features_weights(models: sa.ToyModels) -> None:
    ax = axes()
    sa.plot.plane(models[1], ax=ax)
    (lines,) = [child for child in ax.collections if isinstance(child, LineCollection)]
    ends = sorted(tuple(segment[1]) for segment in lines.get_segments())
    np.testing.assert_allclose(ends, sorted(map(tuple, models.W[1].T.astype(float))), rtol=1e-6)


def test_bars_are_as_long_as_norms(models: sa.ToyModels) -> None:
    ax = axes()
    sa.plot.bars(models[0], ax=ax)
    lengths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(lengths, np.linalg.norm(models.W[0], axis=0), rtol=1e-6)


def test_a_gram_is_the_product_of_the_weights(models: sa.ToyModels) -> None:
    ax = axes()
    sa.plot.gram(models[2], ax=ax)
    np.testing.assert_allclose(ax.images[0].get_array(), models.W[2].T @ models.W[2], rtol=1e-5, atol=1e-6)


def test_dimensionalities_are_those_of_the_frame(models: sa.ToyModels) -> None:
    ax = axes()
    sa.plot.dimensionality(models, ax=ax)
    drawn = np.sort(np.concatenate([dots.get_offsets()[:, 1] for dots in ax.collections]))
    np.testing.assert_allclose(drawn, np.sort(models.to_frame()["dimensionality"]))


def test_pareto_takes_saes_what_was_evaluated_and_its_frame(
    models: sa.ToyModels, saes: dict[str, sa.SAEs]
) -> None:
    figure = sa.plot.pareto(saes, models)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == list(saes)
    evaluated = sa.evaluate(models, saes["l1"])
    for source in (evaluated, evaluated.saes):
        ax = axes()
        assert sa.plot.pareto(source, measure="fvu", ax=ax) is ax.figure
        means = evaluated.saes[~evaluated.saes["collapsed"]].groupby("sparsity_coefficient")["fvu"].mean()
        drawn = [np.asarray(line.get_ydata(), float) for line in ax.lines]
        assert any(len(line) == len(means) and np.allclose(line, means) for line in drawn)


def test_frames_have_a_row_a_toy_model_and_a_column_an_architecture(
    models: sa.ToyModels, saes: dict[str, sa.SAEs]
) -> None:
    assert len(sa.plot.frames(saes, models).axes) == len(models) * len(saes)
    ax = axes()
    sa.plot.frames(saes["chosen"][1], models, ax=ax)
    ends = {tuple(np.round([line.get_xdata()[-1], line.get_ydata()[-1]], 4)) for line in ax.lines}
    assert {tuple(np.round(row, 4)) for row in saes["chosen"].W_dec[1].astype(float)} <= ends


def test_a_matching_needs_no_training_and_stands_beside_it(models: sa.ToyModels) -> None:
    ax = axes()
    sa.plot.matching(SCHEDULE, 2, ax=ax)
    found = sa.match(SCHEDULE, n_hidden=2)
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in ax.containers}
    assert heights["alone"] == (found.labels == "alone").tolist()
    assert heights["shared"] == (found.labels == "shared").tolist()
    assert len(sa.plot.matching(models, title="trained").axes) >= 2
    assert isinstance(sa.plot.matching(([1.0, 0.9], [0.5, 0.5]), 1), Figure)


@pytest.fixture
def points() -> pd.DataFrame:
    """Invented counts of a 2 × 2 grid, of two orders."""
    rows = [
        {"mean_density": density, "steepness": steepness, "order": order}
        for density in (0.1, 0.3)
        for steepness in (2.0, 10.0)
        for order in ("aligned", "reversed")
    ]
    counts = {"n_represented": 3.5, "best_n_represented": 4, "predicted_n_represented": 4, "agrees": True}
    counts |= {"n_dedicated": 0.5, "best_n_dedicated": 1, "keeps_best": 0.5}
    counts |= {"median_excess": 0.01, "least_excess": 0.001}
    fixed = {"variant": "trained", "family": "geometric", "importance_ratio": 0.9, "best_kept": "11110"}
    return pd.DataFrame([{"key": str(k), **row, **fixed, **counts} for k, row in enumerate(rows)])


@pytest.mark.parametrize("show", ["represented", "dedicated", "gap"])
def test_an_atlas_is_drawn_whole_or_one_panel(points: pd.DataFrame, show: Any) -> None:
    assert isinstance(sa.plot.atlas(points, show), Figure)
    ax = axes()
    sa.plot.atlas(points[points["order"] == "aligned"], show, ax=ax)
    assert len(ax.collections[0].get_paths()) == 4


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda models, saes: sa.plot.plane([1, 2]), "models is .*must be ToyModels, or a data frame"),
        (lambda models, saes: sa.plot.plane(models, ax=axes()), "3 toy models: must have at most 1"),
        (lambda models, saes: sa.plot.plane(models[0], ax=3), "ax is 3: must be axes of matplotlib"),
        (lambda models, saes: sa.plot.bars(models[[0, 0]]), "more than one toy model of seed 0"),
        (lambda models, saes: sa.plot.gram(models[[]]), "models has no toy models"),
        (lambda models, saes: sa.plot.plane(pd.DataFrame({"seed": []})), "models has no column 'feature'"),
        (lambda models, saes: sa.plot.pareto(saes["l1"]), "models is missing"),
        (lambda models, saes: sa.plot.pareto({}), "saes is empty"),
        (lambda models, saes: sa.plot.pareto(saes, models, measure="l0"), "measure is 'l0'"),
        (lambda models, saes: sa.plot.frames(saes, None), "models is None: must be ToyModels"),
        (lambda models, saes: sa.plot.frames(saes["l1"], models, ax=axes()), "must have one with ax"),
        (lambda models, saes: sa.plot.matching(SCHEDULE), "n_hidden is missing"),
        (lambda models, saes: sa.plot.atlas(pd.DataFrame({"key": []})), "points has no column 'variant'"),
    ],
)
def test_what_is_refused_is_said_in_one_line(
    models: sa.ToyModels, saes: dict[str, sa.SAEs], draw: Any, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        draw(models, saes)
    assert "\n" not in str(caught.value)


def test_more_than_one_case_is_refused(models: sa.ToyModels) -> None:
    frame = pd.concat([models.to_frame().assign(case=name) for name in ("case1", "case2")])
    with pytest.raises(ArgumentError, match=r"2 cases: must have one; take models.*'case1'"):
        sa.plot.plane(frame)


def test_an_atlas_of_more_than_one_panel_says_how_to_choose(points: pd.DataFrame) -> None:
    with pytest.raises(ArgumentError, match="select by family, importance_ratio and order"):
        sa.plot.atlas(points, ax=axes())
    with pytest.raises(ArgumentError, match="variant is 'none': must be"):
        sa.plot.atlas(points, variant="none")


def test_a_matching_refuses_models_whose_costs_differ(models: sa.ToyModels) -> None:
    linear = sa.import_toy_models(
        models.W, probability=0.5, settings=sa.TrainingSettings(magnitudes="binary"), n_features=5
    )
    with pytest.raises(TheoryError, match="magnitudes"):
        sa.plot.matching(linear)


def test_a_figure_is_saved(models: sa.ToyModels, tmp_path: Path) -> None:
    sa.plot.plane(models).savefig(tmp_path / "plane.svg")
    assert (tmp_path / "plane.svg").stat().st_size > 1000
