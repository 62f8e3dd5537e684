"""Figures that compare SAE architectures: what they draw is what the tables say, collapsed SAEs included."""

from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from scipy import stats
from superposition_atlas import config, schedules
from superposition_atlas.errors import ArtefactError, TrainingError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.draw import sae_by_feature
from superposition_atlas.figures.parts import sae_series, style
from superposition_atlas.metrics import intervals
from superposition_atlas.metrics.recovery import evaluate, recovered_features, sae_table
from superposition_atlas.metrics.sae_comparison import level_table
from superposition_atlas.sae.architectures.registry import by_name, names
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.training.train_toy_models import train

REPOSITORY = Path(__file__).parents[2]
MODULES = ("sae_pareto", "sae_levels", "sae_by_feature")
N_SEEDS = 4
CASES = {"case1": np.geomspace(1.0, 0.05, 5), "uniform_matched": np.full(5, 0.3)}
SAES: dict[str, dict[str, Any]] = {
    "relu": {"sparsity_coefficient": (0.02, 0.2, 50.0), "learning_rate": 0.02},  # the last one collapses
    "gated": {"sparsity_coefficient": (0.1, 1.0)},
    "jumprelu": {"sparsity_coefficient": (0.01, 0.1)},
    "topk": {"k": (1, 2)},
    "batch_topk": {"k": (1, 2)},
    "matryoshka": {"k": (1, 2), "prefixes": (2,)},
    "frozen": {"sparsity_coefficient": (0.02, 0.2)},
    "random": {},
    "pca": {},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with saes.parquet, recovered.parquet and schedules.parquet of really trained models."""
    folder = tmp_path_factory.mktemp("tables")
    saes, recovered, described = [], [], []
    for case, probability in CASES.items():
        schedule = schedules.explicit(importance=0.9 ** np.arange(5), probability=probability)
        models = train(
            schedule, n_hidden=2, seeds=range(N_SEEDS), steps=300, batch_size=64, learning_rate=0.02
        )
        for name, settings in SAES.items():
            fitted = train_saes(
                models,
                n_latents=5,
                architecture=name,
                steps=150 if by_name(name).trained else SAESettings(n_latents=5).steps,
                batch_size=64,
                **settings,
            )
            evaluation = evaluate(models, fitted, n_samples=512)
            for table, kept in ((sae_table(evaluation), saes), (recovered_features(evaluation), recovered)):
                kept.append(table.drop(columns="instance").assign(case=case, sae=name, shown=True))
        frame = pd.DataFrame({"feature": range(5), "probability": probability})
        described.append(frame.assign(case=case, variant=0, importance=0.9 ** np.arange(5)))
    spec = {
        "name": "bench",
        "title": "5 features in 2 dimensions",
        "family": "costs $1",
        "n_features": 5,
        "n_hidden": 2,
        "shown_seeds": N_SEEDS,
        "claims": False,
        "seeds": list(range(N_SEEDS)),
        "cases": {case: {"title": f"The title of {case}", "training": {}} for case in CASES},
    }
    write_saes(pd.concat(saes, ignore_index=True), folder)
    write(pd.concat(recovered, ignore_index=True), folder / "recovered.parquet")
    write(pd.concat(described, ignore_index=True), folder / "schedules.parquet", spec)
    return folder


@pytest.fixture(autouse=True)
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


def write(frame: pd.DataFrame, path: Path, spec: dict[str, Any] | None = None) -> None:
    write_table(frame, path, {"spec": spec or {}, "code": "test"})


def write_saes(saes: pd.DataFrame, folder: Path) -> None:
    """SAEs, and their levels as chosen on half of the toy models."""
    write(saes, folder / "saes.parquet")
    write(level_table(saes), folder / "levels.parquet")


def reported(recovered: pd.DataFrame) -> pd.DataFrame:
    return recovered[recovered["represented"] & ~recovered["chooses"]]


def draw(module: str, folder: Path) -> Figure:
    names = (*(("recovered", "levels") if module == "sae_by_feature" else ("saes",)), "schedules")
    drawn = import_module(f"superposition_atlas.figures.draw.{module}").draw(
        {name: folder / f"{name}.parquet" for name in names}
    )
    assert isinstance(drawn, Figure)
    return drawn


def only(tables: Path, folder: Path, **kept: Any) -> Path:
    """The same tables with only those rows whose columns have one of the given values."""
    for name in ("saes", "recovered"):
        table = read_table(tables / f"{name}.parquet")
        for column, values in kept.items():
            table = table[table[column].isin(values)]
        if name == "saes":
            write_saes(table, folder)
        else:
            write(table, folder / f"{name}.parquet")
    spec = table_provenance(tables / "schedules.parquet")["spec"]
    write(read_table(tables / "schedules.parquet"), folder / "schedules.parquet", spec)
    return folder


def changed(tables: Path, folder: Path, change: Any) -> Path:
    """The same tables, what `change` makes of the table of SAEs."""
    only(tables, folder)
    write_saes(change(read_table(tables / "saes.parquet")), folder)
    return folder


def saes_of(folder: Path) -> pd.DataFrame:
    return read_table(folder / "saes.parquet")


def texts(figure: Figure) -> list[str]:
    own = [text.get_text() for text in figure.texts]
    ticks = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return own + ticks + legend


def drawn_by(axes: Axes, marker: str) -> np.ndarray:
    """Points [point, 2] of the lines with this marker."""
    found = [np.column_stack(line.get_data()) for line in axes.lines if line.get_marker() == marker]
    return np.concatenate(found) if found else np.empty((0, 2))


def panels(figure: Figure) -> list[Axes]:
    """In the order in which they are drawn: by case, then by measure."""
    return list(figure.axes)


# --- all of them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_every_sae_and_every_case_has_its_name(tables: Path, module: str) -> None:
    written = texts(draw(module, tables))
    for name in SAES:
        if module != "sae_levels" or name not in ("random", "pca"):
            spaced = name.replace("_", " ")
            assert any(text == spaced or text.startswith(f"{spaced},") for text in written), name
    for case in CASES:
        words = case.split("_")
        assert any(text.replace("_", " ").split()[: len(words)] == words for text in written), case


@pytest.mark.parametrize("module", MODULES)
def test_the_same_bytes_again(tables: Path, module: str, tmp_path: Path) -> None:
    for name in ("once", "again"):
        style.save(draw(module, tables), tmp_path / f"{name}.svg", {})
    assert (tmp_path / "once.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    "kept",
    [
        {"case": ["case1"]},
        {"seed": [0]},
        {"sae": ["relu"]},
        {"sae": ["topk", "random"], "k": [1]},
        {"sae": ["relu"], "sparsity_coefficient": [50.0]},
    ],
    ids=["one case", "one toy model", "one SAE", "one level", "only collapsed"],
)
def test_little_can_be_drawn_too(tables: Path, module: str, kept: dict[str, Any], tmp_path: Path) -> None:
    figure = draw(module, only(tables, tmp_path, **kept))
    FigureCanvasAgg(figure).draw()
    assert 1.0 < figure.get_size_inches()[1] <= 8.5


@pytest.mark.parametrize("module", MODULES)
def test_many_cases_stay_on_the_page(tables: Path, module: str, tmp_path: Path) -> None:
    names = [f"case_of_many_{k}" for k in range(13)]
    for name in ("saes", "recovered", "schedules"):
        table = read_table(tables / f"{name}.parquet")
        spec = table_provenance(tables / f"{name}.parquet")["spec"]
        if name == "schedules":
            spec["cases"] = {case: {"title": "Some title " * 4, "training": {}} for case in names}
        first = table[table["case"] == "case1"]
        joined = pd.concat([first.assign(case=case) for case in names])
        write(joined, tmp_path / f"{name}.parquet", spec)
    write_saes(saes_of(tmp_path), tmp_path)
    figure = draw(module, tmp_path)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert figure.get_size_inches()[1] <= 8.5
    (left, bottom), (right, top) = figure.bbox.get_points()
    for text in figure.texts:
        box = text.get_window_extent(canvas.get_renderer())
        assert left - 1 <= box.x0 <= box.x1 <= right + 1, text.get_text()
        assert bottom - 1 <= box.y0 <= box.y1 <= top + 1, text.get_text()


# --- L0 against FVU and recall -----------------------------------------------------------------------------


def test_pareto_has_the_means_of_the_table_with_their_intervals(tables: Path) -> None:
    saes = saes_of(tables)
    drawn = iter(panels(draw("sae_pareto", tables)))
    for case in CASES:
        for measure in ("fvu", "recall_represented_alive"):
            axes = next(drawn)
            bars = [bar for bar in axes.containers if isinstance(bar, ErrorbarContainer)]
            means = []
            for name in SAES:
                there = saes[(saes["case"] == case) & (saes["sae"] == name) & ~saes["collapsed"]]
                expected = there.groupby(["sparsity_coefficient", "k"])[["l0", measure]].mean().to_numpy()
                marks = drawn_by(axes, by_name(name).look.marker)
                assert marks == pytest.approx(expected), (case, measure, name)
                means.extend(expected)
            assert len(bars) == len(means)
            for bar in bars:
                across, up = (collection.get_segments()[0] for collection in bar[2])
                here = [x for x in means if across[0, 0] <= x[0] <= across[1, 0]]
                assert any(up[0, 1] <= y <= up[1, 1] for _, y in here)


def test_pareto_intervals_are_students(tables: Path) -> None:
    saes = saes_of(tables).query("case == 'case1' and sae == 'random'")
    (axes, *_) = panels(draw("sae_pareto", tables))
    bar = axes.containers[-2]  # pca comes last
    assert isinstance(bar, ErrorbarContainer)
    across, up = (collection.get_segments()[0] for collection in bar[2])
    for measure, ends in (("l0", across[:, 0]), ("fvu", up[:, 1])):
        values = saes[measure]
        expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert ends == pytest.approx(expected)


def test_pareto_has_a_cross_for_each_collapsed_sae_and_counts_them(tables: Path) -> None:
    saes = saes_of(tables)
    collapsed = saes[saes["collapsed"]]
    assert set(collapsed["sae"]) == {"relu"}, "λ = 50 was meant to do that"
    figure = draw("sae_pareto", tables)
    drawn = iter(panels(figure))
    for case in CASES:
        there = collapsed[collapsed["case"] == case]
        for measure in ("fvu", "recall_represented_alive"):
            crosses = drawn_by(next(drawn), "x")
            assert crosses == pytest.approx(there[["l0", measure]].to_numpy())
            assert (crosses[:, 0] == 0).all()
        assert any(
            text.startswith(case.replace("_", " ")) and text.endswith(f"collapsed: relu {len(there)}")
            for text in texts(figure)
        )
    assert "collapsed" in texts(figure)


def test_nothing_is_said_of_collapse_where_there_is_none(tables: Path, tmp_path: Path) -> None:
    folder = only(tables, tmp_path, sae=["relu", "topk"], sparsity_coefficient=[0.02, 0.2])
    for module in ("sae_pareto", "sae_levels"):
        assert not any("collapsed" in text for text in texts(draw(module, folder)))


def test_pareto_shows_fvu_above_one(tables: Path, tmp_path: Path) -> None:
    def bad(saes: pd.DataFrame) -> pd.DataFrame:
        return saes.assign(fvu=saes["fvu"].where(saes["sae"] != "random", 40.0 + saes["seed"]))

    figure = draw("sae_pareto", changed(tables, tmp_path, bad))
    fvu, recall = figure.axes[:2]
    assert fvu.get_ylim()[1] > 41.5
    assert recall.get_ylim()[1] < 1.1


# --- levels ------------------------------------------------------------------------------------------------


def test_levels_have_the_means_of_the_table_with_their_intervals(tables: Path) -> None:
    saes = saes_of(tables)
    drawn = iter(panels(draw("sae_levels", tables)))
    for level in ("sparsity_coefficient", "k"):
        names = [name for name in SAES if by_name(name).level == level]
        for measure in ("recall_represented_alive", "angle_median", "dead_fraction"):
            for case in CASES:
                axes = next(drawn)
                bars = iter([bar for bar in axes.containers if isinstance(bar, ErrorbarContainer)])
                for name in names:
                    there = saes[(saes["case"] == case) & (saes["sae"] == name)]
                    expected = there.groupby(level)[measure].mean() / (90 if measure == "angle_median" else 1)
                    marks = drawn_by(axes, by_name(name).look.marker)
                    assert marks[:, 1] == pytest.approx(expected.to_numpy(), nan_ok=True), (name, measure)
                    assert (np.diff(marks[:, 0]) > 0).all()
                    for value in expected:
                        (up,) = (collection.get_segments() for collection in next(bars)[2])
                        assert np.isnan(value) or up[0][0, 1] <= value <= up[0][1, 1]


def test_levels_mark_collapse_and_count_it(tables: Path) -> None:
    saes = saes_of(tables)
    figure = draw("sae_levels", tables)
    dead = [axes for axes in figure.axes if len(drawn_by(axes, "x"))]
    assert len(dead) == len(CASES)
    for axes in dead:
        (cross,) = drawn_by(axes, "x")
        assert cross == pytest.approx([drawn_by(axes, "o")[-1, 0], 1.0])
    levelled = saes[~saes["sae"].isin(["random", "pca"])]
    for case, there in levelled.groupby("case"):
        count = f"{there['collapsed'].sum()} of {len(there)} collapsed"
        assert any(
            text.startswith(str(case).replace("_", " ")) and text.endswith(count) for text in texts(figure)
        )


def test_a_level_of_zero_stands_before_the_others(tables: Path, tmp_path: Path) -> None:
    def from_zero(saes: pd.DataFrame) -> pd.DataFrame:
        return saes.assign(sparsity_coefficient=saes["sparsity_coefficient"].replace(0.02, 0.0))

    figure = draw("sae_levels", changed(tables, tmp_path, from_zero))
    axes = figure.axes[len(CASES) - 1]
    names = [label.get_text() for label in axes.get_xticklabels()]
    labels = dict(zip(names, axes.get_xticks(), strict=True))
    assert labels["0"] == min(labels.values())


def test_without_levels_there_is_nothing_to_draw(tables: Path, tmp_path: Path) -> None:
    folder = only(tables, tmp_path, sae=["random", "pca"])
    with pytest.raises(ArtefactError, match="no SAE with a λ or k"):
        draw("sae_levels", folder)


# --- by feature --------------------------------------------------------------------------------------------


def test_each_sae_is_shown_at_the_level_that_was_chosen_on_the_other_toy_models(tables: Path) -> None:
    saes = saes_of(tables)
    labels = texts(draw("sae_by_feature", tables))
    for name in ("relu", "topk"):
        level = "k" if name == "topk" else "sparsity_coefficient"
        choosing = saes[(saes["sae"] == name) & saes["chooses"]].groupby(level)
        best = choosing["recall_represented_alive"].mean().max()
        equals = choosing["recall_represented_alive"].mean() == best
        chosen = choosing["angle_median"].mean()[equals].idxmin()
        assert f"{name}, {sae_series.SYMBOLS[level]} = {chosen:g}" in labels
    assert {"random", "pca"} <= set(labels), "which have no level"


def test_shares_by_case_and_probability_are_those_of_the_table(tables: Path, tmp_path: Path) -> None:
    folder = only(tables, tmp_path, sae=["relu", "pca"], sparsity_coefficient=[0.2])
    recovered = reported(read_table(folder / "recovered.parquet"))
    figure = draw("sae_by_feature", folder)
    for panel, column in ((1, "probability"), (3, "importance"), (7, "case")):
        axes = figure.axes[panel]
        for name in ("relu", "pca"):
            own = recovered[recovered["sae"] == name].groupby(column, sort=column != "case")
            marks = drawn_by(axes, by_name(name).look.marker)
            assert marks[:, 1] == pytest.approx(own["recovered_alive"].mean().to_numpy())
            assert np.rint(marks[:, 0]) == pytest.approx(np.arange(len(own)))
        lines = [line for line in axes.lines if line.get_marker() in ("None", None, "")]
        n_groups = sum(len(recovered[recovered["sae"] == name].groupby(column)) for name in ("relu", "pca"))
        assert len(lines) == n_groups, "an interval each"


def test_intervals_by_feature_are_exact(tables: Path, tmp_path: Path) -> None:
    folder = only(tables, tmp_path, sae=["pca"], case=["case1"])
    recovered = reported(read_table(folder / "recovered.parquet"))
    axes = draw("sae_by_feature", folder).axes[7]
    (interval,) = [line for line in axes.lines if line.get_marker() in ("None", None, "")]
    expected = intervals.exact_interval(int(recovered["recovered_alive"].sum()), len(recovered))
    assert interval.get_ydata() == pytest.approx(expected)


def test_features_are_counted_once_in_each_panel(tables: Path) -> None:
    recovered = reported(read_table(tables / "recovered.parquet"))
    n_features = len(recovered.drop_duplicates(["case", "seed", "feature"]))
    for axes in draw("sae_by_feature", tables).axes[::2]:
        counts = [int(text.get_text()) for text in axes.texts]
        assert sum(counts) == n_features
        assert [patch.get_height() for patch in axes.patches] == pytest.approx(counts)


def test_many_values_go_into_bins_of_about_as_many() -> None:
    values = pd.Series(np.geomspace(0.01, 1.0, 60))
    labels, bins = sae_by_feature._binned(values)
    assert np.bincount(bins).tolist() == [10] * 6
    assert (np.diff(bins) >= 0).all()
    assert labels[0].startswith("0.01–\n")
    assert labels[-1].endswith("–\n1")


def test_one_frequent_value_takes_a_bin_of_its_own() -> None:
    values = pd.Series([1.0] * 50 + list(np.linspace(0.1, 0.9, 10)))
    labels, bins = sae_by_feature._binned(values)
    assert len(labels) == bins.max() + 1
    assert (np.bincount(bins) > 0).all()
    assert labels[-1].endswith("1")


def test_dimensionalities_are_rounded_to_tenths() -> None:
    labels, bins = sae_by_feature._rounded(pd.Series([0.5, 0.4, 0.41, 0.999, 2 / 3]))
    assert labels == ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"]
    assert bins.tolist() == [1, 0, 0, 6, 3]


# --- looks, intervals, catalogue ---------------------------------------------------------------------------


def test_every_architecture_has_a_look_of_its_own() -> None:
    looks = [by_name(name).look for name in names()]
    assert len({look.marker for look in looks}) == len(looks)
    joined = [look.linestyle for look in looks if look.linestyle != ""]
    assert len(set(joined)) == len(joined)
    colours = {look.color for look in looks if not look.is_hollow}
    assert len(colours) == 6, "the baselines share a grey"


def test_levels_are_those_that_the_architectures_take() -> None:
    for name in names():
        assert (by_name(name).level is None) == (not by_name(name).trained)
        takes_k = nullcontext() if by_name(name).level == "k" else pytest.raises(TrainingError, match="k is")
        with takes_k:
            SAESettings(n_latents=5, architecture=name, k=(2,))


def test_two_saes_of_one_architecture_look_different(tables: Path, tmp_path: Path) -> None:
    def twice(saes: pd.DataFrame) -> pd.DataFrame:
        relu = saes[saes["sae"] == "relu"]
        return pd.concat([relu, relu.assign(sae="relu_again"), relu.assign(sae="relu_third")])

    folder = changed(tables, tmp_path, twice)
    series = sae_series.split(saes_of(folder))
    assert len({str(one.look) for one in series}) == 3
    assert {"relu", "relu again", "relu third"} <= set(texts(draw("sae_pareto", folder)))


def test_baselines_come_last(tables: Path) -> None:
    table = saes_of(tables)
    names = [one.name for one in sae_series.split(table.iloc[::-1])]
    assert set(names[-3:]) == {"frozen", "random", "pca"}


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert intervals.t_interval(values) == pytest.approx(expected)
    assert np.isnan(intervals.t_interval(values[:1])).all()
    assert intervals.t_interval(np.ones(3)) == pytest.approx((1.0, 1.0))


def test_experiments_that_compare_have_these_figures_and_others_have_not() -> None:
    raw = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    loaded = config.load(raw)
    modules: dict[str, set[str]] = {}
    for figure in catalogue.figures(loaded):
        if figure.module in MODULES:
            assert figure.name == f"{figure.labels['experiment']}_{figure.module}"
            modules.setdefault(figure.labels["experiment"], set()).add(figure.module)
    assert modules == {name: set(MODULES) for name in ("sae_bench", "sae_bench_wide", "sae_bench_post")}


def test_no_levels_no_figure_of_levels() -> None:
    raw = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    arena = raw["experiments"]["sae_arena"]
    arena["saes"] = {
        "topk": {"architecture": "topk", "n_latents": 5},
        "pca": {"architecture": "pca", "n_latents": 5},
    }
    raw["experiments"] = {"sae_arena": arena}
    modules = {figure.module for figure in catalogue.figures(config.load(raw))}
    assert modules & set(MODULES) == {"sae_pareto", "sae_by_feature"}
