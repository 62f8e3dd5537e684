"""Figures: every module draws small tables of really trained models, the same bytes each time."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from superposition_atlas import config, schedules
from superposition_atlas.attention import cell_tables as attention_tables
from superposition_atlas.attention.train_attention import train_attention
from superposition_atlas.config.sections import PAPERS
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.parts import claim_rows, planes, rows, structure_style, style
from superposition_atlas.maps import measures
from superposition_atlas.maps.norms import case_norm_table, schedule_table
from superposition_atlas.maps.points import make_points
from superposition_atlas.metrics.features import feature_table, model_table
from superposition_atlas.metrics.polysemanticity import latent_units, neuron_table
from superposition_atlas.metrics.recovery import evaluate, latent_table, recovered_features, sae_table
from superposition_atlas.metrics.sae_comparison import level_table
from superposition_atlas.metrics.sae_history import history_table
from superposition_atlas.observations import claims
from superposition_atlas.playground.network_settings import Settings
from superposition_atlas.playground.run_tables import joined_networks
from superposition_atlas.playground.train_networks import train_networks
from superposition_atlas.report import captions
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage import layout
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.training.train_toy_models import train

from tests.unit.case_roles import CASE_ROLES
from tests.unit.small_map import build_map, small_map

from .drawn_pages import assert_fits_the_page, assert_labels_apart
from .map_chain import SPEC, make_maps
from .map_chain import run as run_command

REPOSITORY = Path(__file__).parents[2]
CAPTIONS = REPOSITORY / "workflow/report/captions"
TALK_FILE = REPOSITORY / "config/config.yaml"
TALK = config.load(config.read(TALK_FILE))
PLAYGROUND = TALK.playground
N_FEATURES, N_SEEDS, N_SHOWN = 5, 6, 4
STEPS = [0, 20, 60]
SCHEDULES = {
    "case1": (0.9 ** np.arange(5), np.linspace(0.9, 0.1, 5)),
    "case2": (0.9 ** np.arange(5), np.linspace(0.1, 0.9, 5)),
    "post4": (np.ones(5), np.linspace(0.9, 0.1, 5)),
    "uniform": (0.9 ** np.arange(5), np.repeat(np.geomspace(1.0, 0.02, N_SEEDS)[:, None], 5, axis=1)),
    "uniform_matched": (0.9 ** np.arange(5), np.full(5, 0.5)),
}


def write(frame: pd.DataFrame, path: Path, spec: dict[str, object] | None = None) -> Path:
    write_table(frame, path, {"spec": spec or {}, "code": "test"})
    return path


def attention_rows() -> dict[str, pd.DataFrame]:
    """Slide 3's tables, of two settings with one and two heads."""
    parts: dict[str, list[pd.DataFrame]] = {"cells": [], "outputs": [], "rules": []}
    for setting, probability in (("level", np.full(N_FEATURES, 0.2)), ("rare", SCHEDULES["case1"][1])):
        schedule = schedules.explicit(importance=np.ones(N_FEATURES), probability=probability)
        trained = train(schedule, n_hidden=2, seeds=range(2), steps=50, batch_size=32)
        fitted = train_saes(trained, n_latents=N_FEATURES, steps=20, batch_size=32, engine="torch")
        for n_heads in (1, 2):
            layers = train_attention(trained, n_heads=n_heads, steps=20, batch_size=16)
            measured = attention_tables.measure(trained, layers, fitted, n_sequences=128)
            for name, table in (
                ("cells", attention_tables.cell_table(measured)),
                ("outputs", attention_tables.output_table(measured)),
                ("rules", attention_tables.rule_table(measured)),
            ):
                parts[name].append(table.assign(setting=setting))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


class Tables:
    """An experiment's tables under one folder, under the paths that the pipeline gives them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            make_maps(SPEC)
        self.schedules = self._schedules()
        features, models, saes, latents, histories, units = [], [], [], [], [], []
        recovered: list[pd.DataFrame] = []
        for case, (importance, probability) in SCHEDULES.items():
            schedule = schedules.explicit(importance=importance, probability=probability)
            trained = train(
                schedule, n_hidden=2, seeds=range(N_SEEDS), steps=150, batch_size=64, learning_rate=0.02
            )
            drawn = {"importance": schedule.importance, "probability": schedule.probability}
            spec = {name: np.atleast_2d(values).tolist() for name, values in drawn.items()}
            write_models(trained, self._weights(case), spec, "test")
            features.append(self._with_case(feature_table(trained), case))
            models.append(self._with_case(model_table(trained), case))
            units.append(self._with_case(neuron_table(trained, n_samples=256), case).assign(sae=None))
            for name in ("none", "simple"):
                fitted = train_saes(
                    trained,
                    n_latents=4,
                    resampling=name,
                    steps=STEPS[-1],
                    batch_size=32,
                    resample_every=20,
                    dead_window=10,
                    record_steps=STEPS,
                )
                evaluation = evaluate(trained, fitted, n_samples=256)
                for table, kept in (
                    (sae_table(evaluation), saes),
                    (latent_table(evaluation), latents),
                    (recovered_features(evaluation), recovered),
                    (history_table(evaluation), histories),
                    (latent_units(evaluation), units),
                ):
                    table = self._with_case(table.drop(columns="instance", errors="ignore"), case)
                    kept.append(table.assign(sae=f"relu_{name}"))
        self.tables = {
            name: pd.concat(parts, ignore_index=True)
            for name, parts in (
                ("features", features),
                ("models", models),
                ("saes", saes),
                ("latents", latents),
                ("recovered", recovered),
                ("history", histories),
                ("polysemanticity", units),
            )
        }
        self.tables["levels"] = level_table(self.tables["saes"])
        equal = self._renamed("uniform_matched", "pentagon_talk").assign(importance=1.0, probability=0.05)
        self.tables["claims"] = claims.judged(
            [
                *claims.unjudged("talk", "linear", self.tables["features"], {}),
                *claims.unjudged("controls", "uniform", equal, {}),
            ]
        )
        self.playground = joined_networks(
            {
                name: train_networks(Settings(**{**own.settings.as_dict(), "steps": 30}), range(3))
                for name, own in PLAYGROUND.items()
            }
        )
        for name, table in self.playground.items():
            write(table, folder / "playground" / f"{name}.parquet")
        self.tables |= attention_rows()
        norms = self._norms()
        write(norms, folder / "norms.parquet")
        write(schedule_table(norms), folder / "norm_schedules.parquet")
        build_map(small_map(), folder)
        for name, table in self.tables.items():
            write(table, folder / f"{name}.parquet")
            for case in SCHEDULES if "case" in table and name != "claims" else ():
                write(table[table["case"] == case], folder / case / f"{name}.parquet")
        outputs = {f"--output-{name}": folder / f"{name}.parquet" for name in ("losses", "solutions")}
        given = ("--models", *map(self._weights, SCHEDULES), "--shown-seeds", N_SHOWN, "--n-starts", 1)
        run_command("losses", *given, *(word for pair in outputs.items() for word in pair))
        run_command("matching", *given[:-2], "--output", folder / "matching.parquet")
        few = ("--values", 3, "--trained-values", 2, "--seeds", 3)
        pairs = {f"--output-{name}": folder / "pairs" / f"{name}.parquet" for name in layout.PAIR_TABLES}
        run_command("pair-phases", *few, *(word for pair in pairs.items() for word in pair))

    def _weights(self, case: str) -> Path:
        return self.folder / "weights" / f"{case}.safetensors"

    def _with_case(self, table: pd.DataFrame, case: str) -> pd.DataFrame:
        return table.assign(case=case, shown=table["seed"] < N_SHOWN)

    def _renamed(self, case: str, name: str) -> pd.DataFrame:
        table = self.tables["features"]
        return table[table["case"] == case].assign(case=name)

    def _schedules(self) -> Path:
        frames = []
        for case, (importance, probability) in SCHEDULES.items():
            p = np.atleast_2d(probability)
            variant, feature = np.indices(p.shape)
            columns = {"variant": variant, "feature": feature, "probability": p}
            frame = pd.DataFrame({name: values.reshape(-1) for name, values in columns.items()})
            frames.append(frame.assign(case=case, importance=np.tile(importance, len(p))))
        spec = {
            "name": "talk",
            "title": "5 features in 2 dimensions",
            "family": "linear",
            "n_features": N_FEATURES,
            "n_hidden": 2,
            "shown_seeds": N_SHOWN,
            "claims": True,
            "seeds": list(range(N_SEEDS)),
            "cases": {case: {"title": f"The title of {case}", "training": {}} for case in SCHEDULES},
        }
        return write(pd.concat(frames), self.folder / "schedules.parquet", spec)

    def _norms(self) -> pd.DataFrame:
        """Of two seeds on a grid of schedules, beside the published ones."""
        grid = {
            "kind": "grid",
            "family": ["geometric", "linear"],
            "mean_density": [0.1, 0.3],
            "steepness": [1.0, 5.0],
            "importance_ratio": [1.0, 0.9],
            "order": ["aligned", "reversed", 3],
        }
        points = [point for point in make_points(N_FEATURES, 2, grid) for _ in range(2)]
        importance = np.stack([point.importance for point in points])
        probability = np.stack([point.probability for point in points])
        schedule = schedules.explicit(importance=importance, probability=probability)
        seeds = [0, 1] * (len(points) // 2)
        trained = train(schedule, n_hidden=2, seeds=seeds, steps=50, batch_size=32, learning_rate=0.02)
        models = pd.DataFrame({"key": [point.key for point in points], "variant": "standard", "seed": seeds})
        models = models.assign(**measures.looks(trained.W, measures.Schedules(importance, probability)))
        described = pd.DataFrame(
            [
                {"key": point.key, "importance": importance[row], "probability": probability[row]}
                | point.coordinates
                for row, point in enumerate(points)
            ]
        )
        return case_norm_table(described, models, pd.read_csv(REPOSITORY / catalogue.PUBLISHED_NORMS))

    def inputs(self, module: str) -> tuple[dict[str, Path], dict[str, Any]]:
        """What the catalogue would give the module."""
        folder, case = self.folder, self.folder / "case2"
        table = {name: folder / f"{name}.parquet" for name in self.tables}
        schedules_and = {"schedules": self.schedules}
        of_playground = {name: folder / "playground" / f"{name}.parquet" for name in self.playground}
        atlas = {
            figure.module: (
                {role: folder / f"maps/atlas/{role}.parquet" for role in figure.inputs},
                figure.options,
            )
            for figure in catalogue.figures(TALK)
            if figure.category == "Atlas"
        }
        named: dict[str, tuple[dict[str, Path], dict[str, Any]]] = {
            **atlas,
            "playground": (
                {name: of_playground[name] for name in ("units", "weights", "points", "curves", "runs")},
                {"network": "spiral", "title": "A title"},
            ),
            "playground_data_sets": (
                {name: of_playground[name] for name in ("runs", "units", "points")},
                {"titles": {name: own.title for name, own in PLAYGROUND.items()}},
            ),
            "motivation": (
                {
                    f"{name}.{shown}": folder / shown / f"{name}.parquet"
                    for shown in ("case1", "case2")
                    for name in ("features", "models")
                },
                {},
            ),
            "uniform": ({"features": folder / "uniform/features.parquet"}, {}),
            "cases": (schedules_and, {}),
            "all_cases": (
                {"features": table["features"]}
                | {"solutions": folder / "solutions.parquet", **schedules_and},
                {},
            ),
            "plane": ({"features": case / "features.parquet"}, {"title": "A title"}),
            "bars": ({"features": case / "features.parquet"}, {"title": "A title"}),
            "sae_setup": (
                {name: case / f"{name}.parquet" for name in ("features", "latents")},
                {"sae": "relu_simple"},
            ),
            "polysemanticity": (
                {name: table[name] for name in ("features", "polysemanticity")},
                {"case": "case2", "sae": "relu_simple"},
            ),
            "sae_animation": (
                {name: case / f"{name}.parquet" for name in ("features", "history")},
                {"sae": "relu_simple"},
            ),
            "sae_frames": ({name: table[name] for name in ("features", "latents", "saes")}, {}),
            "sae_training": (
                {name: case / f"{name}.parquet" for name in ("features", "latents", "history")},
                {"sae": "relu_simple"},
            ),
            "frobenius_norms": (
                {
                    "models": table["models"],
                    "published": REPOSITORY / catalogue.PUBLISHED_NORMS,
                },
                {},
            ),
            "frobenius_norms_map": (
                {"norm_schedules": folder / "norm_schedules.parquet"},
                {"variant": "standard"},
            ),
            "frobenius_norms_band": (
                {name: folder / f"{name}.parquet" for name in ("norms", "norm_schedules")},
                {"variant": "standard"},
            ),
            "represented_counts": ({"models.talk": table["models"], "schedules.talk": self.schedules}, {}),
            "observations": ({"claims": table["claims"]}, {}),
            "thresholds": ({"claims": table["claims"]}, {}),
            "initial_scale": (
                {"pentagon_talk": case / "features.parquet", "pentagon_x": case / "features.parquet"},
                {"titles": {"pentagon_talk": "A title", "pentagon_x": "Another"}},
            ),
            "sae_recovery": ({"saes.talk": table["saes"], "schedules.talk": self.schedules}, {}),
            "sae_pareto": ({"saes": table["saes"], **schedules_and}, {}),
            "sae_levels": ({"saes": table["saes"], **schedules_and}, {}),
            "pivot_tables": (
                {name: table[name] for name in ("cells", "outputs", "rules")},
                {"setting": "level"},
            ),
            "attention_rare": ({"rules": table["rules"]}, {"setting": "rare", "control": "level"}),
            "sae_by_feature": ({name: table[name] for name in ("recovered", "levels")} | schedules_and, {}),
            "pair_phases": (
                {name: folder / "pairs" / f"{name}.parquet" for name in layout.PAIR_TABLES},
                {},
            ),
            "answer_matching": (
                {
                    "matching": folder / "matching.parquet",
                    "published": REPOSITORY / catalogue.PUBLISHED_NORMS,
                },
                {
                    "cases": [
                        {"name": name, "title": f"The title of {name}", "role": CASE_ROLES[name]}
                        for name in ("case1", "uniform_matched", "case2", "post4")
                    ]
                },
            ),
            "excess_losses": (
                {
                    f"{name}.{experiment}": folder / f"{name}.parquet"
                    for experiment in ("talk", "talk_linear", "controls")
                    for name in ("losses", "solutions")
                },
                {"titles": {"talk": "A title", "talk_linear": "Another", "controls": "A third"}},
            ),
        }
        return named[module] if module in named else map_figure(folder, module)

    def draw(self, module: str) -> Figure:
        paths, options = self.inputs(module)
        return draw(module, paths, options)


def map_figure(folder: Path, module: str) -> tuple[dict[str, Path], dict[str, Any]]:
    """What the catalogue gives a module for the small maps."""
    found = catalogue.figures(config.load(SPEC))
    target = next(figure for figure in found if figure.module == module)
    return {role: folder / path for role, path in target.inputs.items()}, target.options


def draw(module: str, paths: dict[str, Path], options: dict[str, Any]) -> Figure:
    return import_module(f"superposition_atlas.figures.draw.{module}").draw(paths, **options)


def configured() -> config.Config:
    """The talk, and the maps of norms, whose figures it leaves out."""
    files = (REPOSITORY / "config" / name for name in ("config.yaml", "norms.yaml"))
    return config.load(config.laid_over(*map(config.read, files)))


def catalogued() -> list[str]:
    return sorted({figure.module for figure in catalogue.figures(configured())})


def of_further_papers() -> set[str]:
    """Modules that draw for a section of a further paper; the tests of its paper draw them."""
    talk = config.read(TALK_FILE)
    files = [config.read(TALK_FILE.with_stem(paper)) for paper in PAPERS]
    found = [
        figure for raw in files for figure in catalogue.figures(config.load(config.laid_over(talk, raw)))
    ]
    return {figure.module for figure in found if figure.section}


MODULES = catalogued()
EVERY_MODULE = sorted({*MODULES, *of_further_papers()})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(autouse=True)
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


@pytest.mark.parametrize("module", MODULES)
def test_every_module_draws_the_same_bytes_again(tables: Tables, module: str, tmp_path: Path) -> None:
    for name in ("once", "again"):
        style.save(tables.draw(module), tmp_path / f"{name}.svg", {})
    once, again = ((tmp_path / f"{name}.svg").read_bytes() for name in ("once", "again"))
    assert once == again
    assert ElementTree.fromstring(once).tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.svg", "once.svg"]


@pytest.mark.parametrize("module", MODULES)
def test_figures_have_the_width_of_the_text_and_nothing_is_written_outside_the_page(
    tables: Tables, module: str
) -> None:
    assert_fits_the_page(tables.draw(module))


COLUMNS = {
    "norms": "largest",
    "norm_schedules": "n_within",
    "schedules": "probability",
    "saes.talk": "fvu",
    "claims": "state",
    "predictions": "best_shape",
    "branches": "structure",
    "points": "order",
    "matching": "label",
    "phases": "optimum",
}
"""Columns that are missed, by role."""


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_column_is_one_line_that_names_it(tables: Tables, module: str, tmp_path: Path) -> None:
    paths, options = tables.inputs(module)
    role = next(role for role in paths if role not in ("published",))
    table = read_table(paths[role])
    column = COLUMNS.get(role, "seed")
    provenance = table_provenance(paths[role])
    damaged = write(table.drop(columns=column), tmp_path / "table.parquet", provenance["spec"])
    with pytest.raises(ArtefactError, match=f"no column '{column}'") as error:
        draw(module, {**paths, role: damaged}, options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_file_is_one_line(tables: Tables, module: str, tmp_path: Path) -> None:
    paths, options = tables.inputs(module)
    role = next(iter(paths))
    with pytest.raises(ArtefactError, match="no such file"):
        draw(module, {**paths, role: tmp_path / "nothing.parquet"}, options)


def test_other_results_give_another_picture(tables: Tables, tmp_path: Path) -> None:
    paths = {case: {"features": tables.folder / case / "features.parquet"} for case in ("case1", "case2")}
    for case, inputs in paths.items():
        style.save(draw("plane", inputs, {"title": "A title"}), tmp_path / f"{case}.svg", {})
    assert (tmp_path / "case1.svg").read_bytes() != (tmp_path / "case2.svg").read_bytes()


@pytest.mark.parametrize("module", ["plane", "bars", "initial_scale", "playground_data_sets"])
def test_titles_are_text_and_no_formulas(tables: Tables, module: str, tmp_path: Path) -> None:
    paths, options = tables.inputs(module)
    title = r"costs $\frac{1$"
    titles = {"title": title} if "title" in options else {"titles": dict.fromkeys(options["titles"], title)}
    figure = draw(module, paths, titles)
    style.save(figure, tmp_path / "figure.svg", {})


def test_png_is_written_too(tables: Tables, tmp_path: Path) -> None:
    style.save(tables.draw("cases"), tmp_path / "figure.png", {})
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


# --- colours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [2, 5, 20])
def test_features_differ_in_grey_too(n_features: int) -> None:
    grey = style.feature_colours(n_features)[:, :3] @ style.LUMINANCE
    steps = np.diff(grey)
    # Equal steps from nearly black to light: five features are five greys that can be told apart.
    np.testing.assert_allclose(steps, steps.mean(), atol=0.02)
    assert steps.sum() > 0.6


def test_verdicts_and_series_differ_in_shape() -> None:
    for looks in (style.STATES.values(), style.SERIES):
        assert len({look["marker"] for look in looks}) == len(looks)


# --- what is drawn -----------------------------------------------------------------------------------------


def test_a_plane_has_a_line_and_a_dot_for_each_feature(tables: Tables) -> None:
    features = read_table(tables.folder / "case2/features.parquet")
    figure = tables.draw("plane")
    panels = [axes for axes in figure.axes if axes.get_title().startswith("seed ")]
    assert len(panels) == N_SHOWN
    for seed, axes in enumerate(panels):
        lines = [c for c in axes.collections if hasattr(c, "get_segments")]
        assert sum(len(collection.get_segments()) for collection in lines) == N_FEATURES
        there = features.loc[features["seed"] == seed, "represented"]
        assert f"{there.sum()} represented" in axes.get_title()
        assert sorted(text.get_text() for text in axes.texts if text.get_text().isdigit()) == [
            str(feature) for feature in np.flatnonzero(there)
        ]


def test_features_that_are_not_represented_are_grey() -> None:
    figure = Figure()
    axes = figure.subplots()
    weights = np.array([[1.0, 0.0], [0.0, 0.2]])
    planes.draw_features(axes, weights, np.array([True, False]))
    (lines,) = [c for c in axes.collections if hasattr(c, "get_segments")]
    colours = {tuple(colour) for colour in lines.get_colors()}
    assert colours == {tuple(style.feature_colours(2)[0]), to_rgba(style.MUTED)}


def test_labels_keep_clear_of_each_other() -> None:
    """Five features of which three coincide."""
    tips = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.01], [-1.0, 0.0], [0.0, 1.0]])
    positions = planes.label_positions(tips, range(5))
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1) + 9 * np.eye(5)
    assert distance.min() > 0.15


def test_bars_have_the_length_of_the_norms(tables: Tables) -> None:
    features = read_table(tables.folder / "case2/features.parquet")
    norms = [group.sort_values("feature")["norm"] for _, group in features[features["shown"]].groupby("seed")]
    widths = [[patch.get_width() for patch in axes.patches] for axes in tables.draw("bars").axes]
    drawn = [row for row in widths if len(row) == N_FEATURES]
    for expected in norms:
        assert any(np.allclose(row, expected) for row in drawn)


@pytest.mark.parametrize("n_features", [2, 12, 40])
def test_planes_and_bars_take_any_width(n_features: int, tmp_path: Path) -> None:
    schedule = schedules.geometric(n_features=n_features, first=0.5, last=0.1, importance=0.9)
    for n_hidden in (1, 3):
        models = train(schedule, n_hidden=n_hidden, seeds=range(3), steps=2, batch_size=8)
        table = feature_table(models).assign(case="case1", shown=True)
        path = write(table, tmp_path / f"{n_hidden}.parquet")
        for module in ("bars", "plane"):
            style.save(draw(module, {"features": path}, {"title": "A title"}), tmp_path / "figure.svg", {})


def test_represented_counts_are_shares_of_all_seeds(tables: Tables) -> None:
    figure = tables.draw("represented_counts")
    axes = next(axes for axes in figure.axes if "talk" in axes.get_title())
    meshes = [collection for collection in axes.collections if isinstance(collection, QuadMesh)]
    assert len(meshes) == len(SCHEDULES)
    for mesh in meshes:
        assert float(np.ma.filled(mesh.get_array(), 0).sum()) == pytest.approx(100)


def test_observations_show_every_claim_at_its_share(tables: Tables) -> None:
    primary = claim_rows.widest(tables.tables["claims"].query("primary and requires != ''"))
    figure = tables.draw("observations")
    drawn = [
        float(line.get_xdata()[0])
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() not in ("None", None, "")
    ]
    values = primary["fraction"].where(primary["kind"] != "difference", primary["difference"])
    assert sorted(drawn) == pytest.approx(sorted(values))
    written = [text.get_text() for axes in figure.axes for text in axes.texts]
    counts = {f"{row.n_holding}/{row.n_models}" for row in primary.query("kind == 'models'").itertuples()}
    assert counts <= set(written)
    assert len(written) == len(primary)


def test_all_seeds_take_the_place_of_the_shown_ones(tables: Tables) -> None:
    chosen = claim_rows.widest(tables.tables["claims"])
    assert set(chosen["sample"]) == {"all"}
    only_shown = tables.tables["claims"].query("sample == 'shown'")
    assert len(claim_rows.widest(only_shown)) == len(only_shown) == len(chosen)


def test_controls_stand_in_a_block_of_their_own(tables: Tables) -> None:
    blocks = claim_rows.blocks(claim_rows.read(tables.folder / "claims.parquet"))
    assert [list(block.experiments) for block in blocks] == [["talk"], ["controls"]]
    assert "O1" in blocks[0].observations
    assert "C1" in blocks[1].observations


def test_thresholds_leave_out_what_does_not_depend_on_them(tables: Tables) -> None:
    titles = [text.get_text() for text in tables.draw("thresholds").texts]
    assert titles.count("O1") == 1, "on the norm only"
    assert titles.count("O2") == 2, "on the norm and on the dimensionality"
    assert "P4" not in titles, "on neither"


def test_published_norms_stand_where_the_post_has_them(tables: Tables) -> None:
    published = pd.read_csv(REPOSITORY / catalogue.PUBLISHED_NORMS).set_index("case")["published_norm"]
    axes = tables.draw("frobenius_norms").axes[0]
    drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D")
    assert drawn == pytest.approx(sorted(published[[case for case in SCHEDULES if case in published]]))
    # Each label is right of all marks of its row, which may lie on both sides of the published norm.
    rightmost = {}
    for line in axes.lines:
        if line.get_marker() not in ("", "None", None):
            for x, y in zip(np.atleast_1d(line.get_xdata()), np.atleast_1d(line.get_ydata()), strict=True):
                rightmost[round(float(y))] = max(rightmost.get(round(float(y)), 0.0), float(x))
    labels = [text for text in axes.texts if re.fullmatch(r"\d\.\d\d", text.get_text())]
    assert len(labels) == len(drawn)
    for label in labels:
        x, row = label.xy
        assert x == pytest.approx(rightmost[round(row)])
        assert label.get_horizontalalignment() == "left"


def test_a_damaged_table_of_published_norms_is_one_line(tables: Tables, tmp_path: Path) -> None:
    paths, _ = tables.inputs("frobenius_norms")
    (tmp_path / "published.csv").write_text("case,norm\nuniform,much\n")
    with pytest.raises(ArtefactError, match="published_norm"):
        draw("frobenius_norms", {**paths, "published": tmp_path / "published.csv"}, {})


def test_training_has_a_plane_for_each_seed_and_recorded_step(tables: Tables) -> None:
    figure = tables.draw("sae_training")
    assert len(figure.axes) == N_SHOWN * len(STEPS)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"step {step}" for step in STEPS]


@pytest.mark.parametrize("module", ["sae_setup", "sae_training", "sae_animation"])
def test_an_unknown_sae_is_named(tables: Tables, module: str) -> None:
    paths, _ = tables.inputs(module)
    with pytest.raises(ArtefactError, match="relu_missing"):
        draw(module, paths, {"sae": "relu_missing"})


def playground_rows(tables: Tables, table: str, network: str) -> pd.DataFrame:
    rows = tables.playground[table]
    return rows[rows["network"] == network]


def drawn_responses(figure: Figure) -> list[np.ndarray]:
    return [np.ravel(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_every_neuron_and_every_weight_of_the_playground_is_drawn(tables: Tables) -> None:
    figure = tables.draw("playground")
    units, weights = (playground_rows(tables, table, "spiral") for table in ("units", "weights"))
    drawn = drawn_responses(figure)
    assert len(drawn) == len(units) == 7 + 8 + 4 + 1
    for response in units["response"]:
        assert any(np.array_equal(response, other) for other in drawn)
    positive, negative = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    for lines, own in ((positive, weights["weight"] > 0), (negative, weights["weight"] < 0)):
        assert len(lines.get_segments()) == own.sum()
        size = weights.loc[own, "weight"].abs().to_numpy()
        widths = np.asarray(lines.get_linewidths())
        np.testing.assert_array_equal(np.argsort(widths), np.argsort(size))
    assert positive.get_linestyle() != negative.get_linestyle()


def test_the_playgrounds_losses_and_points_are_those_of_the_tables(tables: Tables) -> None:
    figure = tables.draw("playground")
    curves = playground_rows(tables, "curves", "spiral")
    (panel,) = [axes for axes in figure.axes if axes.get_ylabel() == "loss"]
    heights = [np.asarray(line.get_ydata()) for line in panel.lines]
    assert len(heights) == 3 + 1
    for _, own in curves.groupby("seed"):
        assert any(np.array_equal(own["test_loss"], height) for height in heights)
    own = curves[curves["shown"]]
    assert any(np.array_equal(own["training_loss"], height) for height in heights)
    places = np.concatenate([c.get_offsets() for c in figure.axes[-2].collections])
    points = playground_rows(tables, "points", "spiral")[["x1", "x2"]].to_numpy()
    np.testing.assert_allclose(np.sort(places, axis=0), np.sort(points, axis=0))
    run = playground_rows(tables, "runs", "spiral").query("shown").iloc[0]
    assert any(f"test loss {run['test_loss']:.3g}" in text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("network", ["multi_gaussian", "gaussian", "xor"])
def test_the_playground_draws_any_network(tables: Tables, network: str, tmp_path: Path) -> None:
    paths, _ = tables.inputs("playground")
    style.save(
        draw("playground", paths, {"network": network, "title": "$" * 70}), tmp_path / "figure.svg", {}
    )


def test_six_layers_of_eight_fit_on_the_page(tmp_path: Path) -> None:
    wanted = Settings("plane", hidden_layers=(8,) * 6, n_points=20, steps=1)
    paths = {
        name: write(table, tmp_path / f"{name}.parquet")
        for name, table in joined_networks({"deep": train_networks(wanted, [0])}).items()
    }
    figure = draw("playground", paths, {"network": "deep", "title": "Deep"})
    assert len(drawn_responses(figure)) == 7 + 48 + 1
    boxes = [axes.get_position() for axes in figure.axes[1:]]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_data_sets_show_every_seed_and_how_many_solve_them(tables: Tables) -> None:
    figure = tables.draw("playground_data_sets")
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    marks = [axes.lines[0].get_xdata() for axes in figure.axes if axes.get_xlabel()]
    assert len(labels) == len(drawn_responses(figure)) == len(PLAYGROUND)
    for name, label, errors in zip(PLAYGROUND, labels, marks, strict=True):
        runs = playground_rows(tables, "runs", name)
        assert label.endswith(f"; {runs['solved'].sum()}/3 solved")
        column = "test_fvu" if name in ("plane", "multi_gaussian") else "test_error"
        np.testing.assert_allclose(errors, (100 * runs[column]).clip(upper=50))


@pytest.mark.parametrize("module", ["playground", "playground_data_sets"])
def test_an_unknown_network_is_named(tables: Tables, module: str) -> None:
    paths, _ = tables.inputs(module)
    options = {
        "playground": {"network": "nowhere", "title": ""},
        "playground_data_sets": {"titles": {"nowhere": ""}},
    }
    with pytest.raises(ArtefactError, match="has no rows of the network 'nowhere'"):
        draw(module, paths, options[module])


def test_a_network_may_have_any_name(tables: Tables, tmp_path: Path) -> None:
    """Also that of an argument."""
    paths = {
        role: write(read_table(path).replace({"network": {"circle": "paths"}}), tmp_path / f"{role}.parquet")
        for role, path in tables.inputs("playground_data_sets")[0].items()
    }
    figure = draw("playground_data_sets", paths, {"titles": {"paths": "A title"}})
    assert len(drawn_responses(figure)) == 1


def test_many_data_sets_take_several_figures() -> None:
    raw = {
        "experiments": {"least": {"n_features": 3, "n_hidden": 2, "cases": {"only": {}}}},
        "playground": {f"net{k}": {"data_set": "xor" if k else "plane"} for k in range(13)},
    }
    found = {
        figure.name: figure for figure in catalogue.figures(config.load(raw)) if "slide04" in figure.name
    }
    assert list(found) == ["slide04_playground", "slide04_data_sets", "slide04_data_sets_2"]
    assert found["slide04_playground"].options["network"] == "net0"
    assert [len(found[name].options["titles"]) for name in list(found)[1:]] == [12, 1]


def test_the_playground_draws_the_first_network_on_spirals() -> None:
    figures = catalogue.figures(config.load(config.read(REPOSITORY / "config/config.yaml")))
    (drawn,) = [figure for figure in figures if figure.module == "playground"]
    assert drawn.options["network"] == "spiral"


def test_initial_scale_counts_every_seed(tables: Tables) -> None:
    figure = tables.draw("initial_scale")
    counts = [text.get_text() for axes in figure.axes for text in axes.texts if "/" in text.get_text()]
    per_case = [int(text.partition("/")[0]) for text in counts]
    assert sum(per_case) == 2 * N_SEEDS
    assert {text.partition("/")[2] for text in counts} == {str(N_SEEDS)}


def test_sae_recovery_draws_a_mark_for_each_sae(tables: Tables) -> None:
    n_saes = tables.tables["saes"]["dead_fraction"].notna().sum()
    axes = tables.draw("sae_recovery").axes[2]
    small = [line for line in axes.lines if line.get_markersize() < 3]
    assert sum(len(line.get_xdata()) for line in small) == n_saes


def test_a_case_without_schedule_is_refused(tables: Tables) -> None:
    with pytest.raises(ArtefactError, match="has no case 'case9'"):
        read_experiment(tables.schedules).case("case9")


# --- theory, best solutions and training -------------------------------------------------------------------


def written(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_tables_of_predictions_count_every_schedule(tables: Tables) -> None:
    figure = tables.draw("predictor")
    table = read_table(tables.inputs("predictor")[0]["predictions"])
    for axes, rule in zip(figure.axes[:2], ("matching", "predicted"), strict=True):
        drawn = [int(text.get_text().split()[0]) for text in axes.texts]
        counts = pd.crosstab(table[f"{rule}_n_represented"], table["best_n_represented"]).to_numpy()
        assert sorted(drawn) == sorted(counts[counts > 0])
    n_right = int(table["agrees"].sum())
    assert any(f"right in {n_right} of {len(table)}" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize("densities", [(0.004, 0.6), (0.012, 0.45), (0.03, 0.09), (0.2, 0.21)])
def test_labels_of_predictions_stay_apart_whatever_the_densities(
    tables: Tables, tmp_path: Path, densities: tuple[float, float]
) -> None:
    paths, options = tables.inputs("predictor")
    table = read_table(paths["predictions"])
    path = write(
        table.assign(mean_density=np.geomspace(*densities, len(table))), tmp_path / "predictions.parquet"
    )
    assert_labels_apart(draw("predictor", paths | {"predictions": path}, options))


def test_every_wrong_prediction_is_marked_by_what_it_misses(tables: Tables) -> None:
    table = read_table(tables.inputs("predictor")[0]["predictions"])
    axes = tables.draw("predictor").axes[3]
    n_marks = [len(line.get_xdata()) for line in axes.lines]
    kinds = table.loc[~table["matching_agrees"], "best_shape"].map(structure_style.kind_of)
    assert n_marks == [
        int(table["matching_agrees"].sum()),
        *(int((kinds == kind).sum()) for kind in structure_style.KINDS),
    ]
    assert sum(n_marks[1:]) > 0


@pytest.mark.parametrize("n_wrong", [0, 1, 6])
def test_failures_are_drawn_with_their_numbers_or_said_to_be_none(
    tables: Tables, tmp_path: Path, n_wrong: int
) -> None:
    table = read_table(tables.inputs("predictor_failures")[0]["predictions"])
    table = table.assign(agrees=np.arange(len(table)) >= n_wrong, best_shape="stack of 3, pair")
    path = write(table.assign(predicted_excess=0.01), tmp_path / "predictions.parquet")
    figure = draw("predictor_failures", {"predictions": path}, {})
    assert len(figure.axes) == min(n_wrong, 4)
    said = " ".join(text.get_text() for text in figure.texts)
    assert ("is right at all" in said) == (n_wrong == 0)
    if n_wrong:
        assert f"{n_wrong} of {n_wrong} wrong" in said


def test_seeds_in_each_structure_add_up_and_the_crossing_stands_where_it_is(tables: Tables) -> None:
    paths, options = tables.inputs("perturbation")
    losses, shares = draw("perturbation", paths, options).axes
    models, crossings = (read_table(paths[role]) for role in ("models", "crossings"))
    heights: dict[float, float] = {}
    for bar in shares.patches:
        heights[bar.get_x()] = heights.get(bar.get_x(), 0.0) + bar.get_height()
    assert len(heights) == models["varied"].nunique()
    np.testing.assert_allclose(list(heights.values()), 1.0)
    best = crossings.loc[crossings["is_best"], "varied"]
    assert len(best) == 1
    lines = [line.get_xdata() for line in losses.lines]
    assert any(len(x) == 2 and x[0] == x[1] == best.iloc[0] for x in map(np.asarray, lines))
    assert style.short(best.iloc[0]) in written(tables.draw("perturbation"))


def test_panels_of_the_bias_have_each_features_share_and_norms(tables: Tables) -> None:
    paths, options = tables.inputs("bias")
    figure = draw("bias", paths, options)
    features = read_table(paths["features"])
    assert len(figure.axes) == features["key"].nunique() * len(options["titles"])
    drawn = sorted(bar.get_height() for axes in figure.axes for bar in axes.patches)
    np.testing.assert_allclose(drawn, sorted(features["share_represented"]))
    norms = [line.get_ydata() for axes in figure.axes for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(np.sort(np.concatenate(norms)), np.sort(features["best_norm"]))


def test_training_is_drawn_against_each_setting_that_varies(tables: Tables) -> None:
    found = catalogue.figures(config.load(SPEC))
    targets = [figure for figure in found if figure.module == "training_against_best"]
    assert {figure.options["against"]: set(figure.options["values"]) for figure in targets} == {
        "steps": {"standard", "longer"},
        "init_scale": {"standard", "wider"},
    }
    for target in targets:
        paths = {role: tables.folder / path for role, path in target.inputs.items()}
        figure = draw(target.module, paths, target.options)
        values = target.options["values"].values()
        assert {tuple(axes.get_xticks()) for axes in figure.axes} == {tuple(sorted(values))}


def test_every_seed_has_its_excess_loss_and_the_best_its_frame(tables: Tables) -> None:
    paths, options = tables.inputs("excess_losses")
    figure = draw("excess_losses", paths, options)
    excess, _, counts = figure.axes[:3]
    losses = read_table(paths["losses.talk"])
    dots = [line for line in excess.lines if line.get_marker() == "."]
    assert sum(len(line.get_xdata()) for line in dots) == len(losses)
    frames = [patch for patch in counts.patches if patch.get_facecolor()[3] == 0]
    solutions = read_table(paths["solutions.talk"])
    best = solutions[(solutions["kind"] == "minimum") & (solutions["rank"] == 0)]
    assert len(frames) == len(best.drop_duplicates(["case", "n_represented"]))


def test_pairs_have_their_phases_lines_and_toy_models(tables: Tables) -> None:
    figure = tables.draw("pair_phases")
    paths, _ = tables.inputs("pair_phases")
    phases, models = (read_table(paths[name]) for name in ("phases", "models"))
    assert len(models) == 3 * 2 * 2 * 3
    assert models["seed"].is_unique
    for axes, (ratio, own) in zip(figure.axes, phases.groupby("importance_ratio", sort=False), strict=True):
        (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
        assert mesh.get_array().shape == (3, 3)
        marks = [line for line in axes.lines if line.get_linestyle() == "None"]
        drawn = models[models["importance_ratio"] == ratio]
        assert sum(len(line.get_xdata()) for line in marks) == len(drawn)
        assert len(marks) == drawn["phase"].nunique()
        # Frequent features share nothing; the more important one is represented.
        dense = own[(own["p_1"] > 0.8) & (own["p_2"] > 0.8)]
        assert (dense["optimum"] == "first").all() or ratio == 1
        assert len(np.unique(mesh.get_array())) == own["optimum"].nunique()


def test_the_matching_stands_above_what_toy_models_do(tables: Tables) -> None:
    figure = tables.draw("answer_matching")
    table = read_table(tables.folder / "matching.parquet").set_index(["case", "schedule"])
    strips, bars = figure.axes[::2], figure.axes[1::2]
    _, options = tables.inputs("answer_matching")
    for case, strip, axes in zip(options["cases"], strips, bars, strict=True):
        row = table.loc[(case["name"], 0)]
        order = np.arange(N_FEATURES)
        if case["role"] == "equal":
            order = np.argsort(-row["probability"], kind="stable")
        white = [patch.get_facecolor() == to_rgba("white") for patch in strip.patches]
        assert white == [row["label"][feature] == "absent" for feature in order]
        heights = [patch.get_height() for patch in axes.patches]
        assert heights[:N_FEATURES] == pytest.approx(row["share_alone"][order])
        assert heights[N_FEATURES:] == pytest.approx(row["share_shared"][order])
        _, density = axes.lines
        assert density.get_ydata() == pytest.approx(row["probability"][order])
    said = [text.get_text() for text in figure.texts]
    assert f"{table.loc[('case2', 0), 'n_kept_trained']:.1f}" in said
    assert "post" not in said  # 5 features in 2 dimensions are not the post's
    with pytest.raises(ArtefactError, match="has no rows of case 'case9'"):
        draw("answer_matching", *tables_with_case(tables, "case9"))


def tables_with_case(tables: Tables, name: str) -> tuple[dict[str, Path], dict[str, Any]]:
    paths, _ = tables.inputs("answer_matching")
    return paths, {"cases": [{"name": name, "title": "A title", "role": "aligned"}]}


def test_the_matching_is_drawn_at_the_size_of_the_post() -> None:
    drawn = {one.name: one for one in catalogue.figures(TALK) if one.module == "answer_matching"}
    assert set(drawn) == {"wide_answer_matching", "wide_linear_answer_matching"}
    cases = drawn["wide_answer_matching"].options["cases"]
    assert [case["name"] for case in cases] == ["case1", "uniform_matched", "case3", "case2", "post4"]


def test_theory_is_drawn_where_it_is_configured_only() -> None:
    drawn = {
        name: {
            figure.module
            for figure in catalogue.figures(config.load(SPEC | {"maps": {name: described}}))
            if figure.category == catalogue.THEORY
        }
        for name, described in SPEC["maps"].items()
    }
    assert drawn == {
        "drawn": {"pair_phases", "predictor", "predictor_failures"},
        "one_varied": {"pair_phases", "perturbation"},
        "biases": {"pair_phases", "bias"},
        "ways": {"pair_phases", "training_against_best"},
    }
    unseeded = {name: {**described, "seeds": 0} for name, described in SPEC["maps"].items()}
    modules = {figure.module for figure in catalogue.figures(config.load(SPEC | {"maps": unseeded}))}
    assert {"predictor", "predictor_failures"} <= modules
    assert not modules & {"perturbation", "bias", "training_against_best", "excess_losses"}


# --- figures of any experiment -----------------------------------------------------------------------------

ANY = {
    "small": {"n_features": 7, "n_hidden": 2, "cases": {"a": {}}, "saes": {"topk": {"n_latents": 7}}},
    "large": {"n_features": 12, "n_hidden": 4, "cases": {"a": {}}},
}


def figures_of(name: str, **keys: Any) -> set[str]:
    """Kinds of the figures that an experiment without a role has of its own."""
    raw = {"experiments": {name: ANY[name] | keys}}
    drawn = [figure.name for figure in catalogue.figures(config.load(raw))]
    return {one.removeprefix(f"{name}_") for one in drawn if one.startswith(name)}


def test_any_experiment_has_its_figures() -> None:
    numbers = {"cases", "represented_counts", "frobenius_norms"}
    assert figures_of("small") == numbers | {"all_cases", "excess_losses"}
    assert figures_of("large") == numbers | {"a_bars", "answer_matching"}


@pytest.mark.parametrize(
    ("chosen", "drawn"),
    [(False, set()), (["planes", "bars"], {"all_cases"}), (["losses"], {"excess_losses"})],
)
def test_figures_are_chosen_by_kind(chosen: Any, drawn: set[str]) -> None:
    assert figures_of("small", figures=chosen) == drawn


def test_maps_have_the_figures_that_are_chosen() -> None:
    ways = SPEC["maps"]["ways"]
    modules = []
    for chosen in (True, False, ["bias"]):
        maps = {"ways": ways | {"figures": chosen}}
        found = catalogue.figures(config.load({"experiments": ANY, "maps": maps}))
        modules.append({figure.module for figure in found if figure.labels.get("map") == "ways"})
    assert modules == [{"training_against_best", "atlas_by_order"}, set(), set()]


# --- catalogue and captions --------------------------------------------------------------------------------


def test_every_module_has_a_caption_and_every_caption_a_module() -> None:
    assert sorted(path.stem for path in CAPTIONS.glob("*.rst")) == EVERY_MODULE


LABELS = {"case": "case9", "title": "A title", "experiment": "mine"}
CAPTIONED = [(module, {}) for module in MODULES] + [(module, LABELS) for module in EVERY_MODULE]
"""What a further paper draws always has a title."""


@pytest.mark.parametrize(("module", "labels"), CAPTIONED)
def test_captions_are_plain_sentences(module: str, labels: dict[str, str]) -> None:
    caption = captions.render(CAPTIONS / f"{module}.rst", labels)
    words = re.sub(r":math:`[^`]+`|\*[^*]+\*", "W", caption)  # formulas and titles of works
    assert words.endswith(".")
    assert words.lstrip("(")[0].isupper()
    assert not set("{}`*|_") & set(words)
    assert len(caption) > 80
    assert len(words.split()) <= 60


@pytest.mark.parametrize("module", ["plane", "bars"])
def test_captions_say_which_case(module: str) -> None:
    assert "A title" in captions.render(CAPTIONS / f"{module}.rst", {"title": "A title"})


def test_catalogue_gives_every_module_the_roles_that_it_reads(tables: Tables) -> None:
    for figure in catalogue.figures(configured()):
        paths, options = tables.inputs(figure.module)
        if figure.module != "initial_scale":  # its roles are names of cases
            assert {role.partition(".")[0] for role in figure.inputs} == {
                role.partition(".")[0] for role in paths
            }, figure.name
            assert set(figure.options) == set(options), figure.name


def test_names_of_roles_keep_their_order() -> None:
    roles = ["features.b", "models.b", "features.a"]
    assert rows.names(roles, "features") == ["b", "a"]
