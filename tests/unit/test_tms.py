"""config/tms.yaml, and its paper in miniature: its statements follow from its tables."""

import json
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.config.sections import PAPERS
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.parts import style
from superposition_atlas.plan import targets
from superposition_atlas.report.facts.density_facts import of_each_model
from superposition_atlas.report.papers.counted import counted, joint
from superposition_atlas.report.papers.paper import SECTIONS
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table

from .drawn_pages import assert_fits_the_page
from .map_chain import make_maps, run

ROOT = Path(__file__).parents[2]
TMS = config.load(
    config.laid_over(*(config.read(ROOT / "config" / f"{name}.yaml") for name in ("config", "tms")))
)

TINY = {"steps": 300, "batch_size": 64, "learning_rate": 0.02}
SPEC: dict[str, Any] = {
    "experiments": {
        "basic": {
            "section": "basic_results",
            "title": "6 features in 2 dimensions",
            "n_features": 6,
            "n_hidden": 2,
            "seeds": 12,
            "figures": False,
            "importance": {"family": "geometric", "first": 1.0, "ratio": 0.7},
            "training": TINY,
            "cases": {
                "linear": {
                    "title": "Linear output",
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 1.0, "last": 0.05},
                        "count": 3,
                    },
                    "training": {"output": "linear"},
                },
                "relu": {
                    "title": "ReLU output",
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 1.0, "last": 0.05},
                        "count": 3,
                    },
                },
            },
        }
    },
    "maps": {
        "diagram": {
            "section": "phase_diagram",
            "title": "2 features in 1 dimension",
            "n_features": 2,
            "n_hidden": 1,
            "seeds": 3,
            "n_starts": 2,
            "shards": 2,
            "training": TINY,
            "points": {
                "kind": "phases",
                "density": [0.05, 0.3, 1.0],
                "relative_importance": [0.2, 0.7, 1.5, 5],
            },
        },
        "varied": {
            "section": "perturbation",
            "title": "One of five features varied",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 4,
            "n_starts": 2,
            "shards": 1,
            "training": TINY,
            "points": {
                "kind": "perturbation",
                "density": 0.05,
                "feature": 0,
                "varied": [0.005, 0.01, 0.02, 0.05, 0.1],
            },
        },
    },
}


def build() -> None:
    """All tables and figures of SPEC, figures really drawn, under results/ of the current folder."""
    text, loaded = json.dumps(SPEC), config.load(SPEC)
    for name, experiment in loaded.experiments.items():
        run("schedules", "--experiment", name, "--spec", text, "--output", layout.schedules(name))
        for case in experiment.cases:
            models = layout.models(name, case)
            run("train", "--schedules", layout.schedules(name), "--case", case, "--output", models)
            pairs = [
                word
                for table in layout.TOY_MODEL_TABLES
                for word in (f"--output-{table}", layout.case_table(name, case, table))
            ]
            shown = ("--shown-seeds", experiment.shown_seeds)
            run("features", "--models", models, "--case", case, *shown, *pairs)
    make_maps(SPEC)
    for figure in catalogue.figures(loaded):
        if figure.section:
            spec = {"module": figure.module, "inputs": figure.inputs, "options": figure.options}
            run("figure", "--spec", json.dumps(spec), "--output", layout.figure(figure.name, "svg"))


def paper() -> dict[str, Any]:
    """The paper's document, typeset again."""
    return paper_of(SPEC)


def paper_of(spec: dict[str, Any]) -> dict[str, Any]:
    """The document of the paper of a configuration, typeset again."""
    arguments = {
        "spec": json.dumps(spec),
        "paper": "tms",
        "template": ROOT / "workflow" / "report" / "report.typ",
        "captions": ROOT / "workflow" / "report" / "captions",
        "results": "results",
        "citation": ROOT / "CITATION.cff",
        "output": layout.paper("tms"),
    }
    assert main(["paper", *(f"--{name}={value}" for name, value in arguments.items())]) == 0
    content = json.loads(Path(layout.paper_numbers("tms")).read_text())
    assert isinstance(content, dict)
    return content


def words(node: Any) -> str:
    """The text of a part of the document."""
    if isinstance(node, list):
        return "".join(map(words, node))
    if isinstance(node, dict):
        return "".join(words(node[key]) for key in ("text", "runs") if key in node)
    return str(node) if isinstance(node, str) else ""


def verdicts(content: dict[str, Any]) -> dict[str, str]:
    """Verdict by statement."""
    (table,) = [block for block in content["main"] if block.get("label") == "table-statements"]
    rows = [[words(cell) for cell in row["cells"]] for row in table["rows"]]
    return {said: verdict for said, _, verdict in rows}


def verdict_on(content: dict[str, Any], beginning: str) -> str:
    (found,) = [verdict for said, verdict in verdicts(content).items() if said.startswith(beginning)]
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tms")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build()
    return folder


@pytest.fixture
def workplace(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(built, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def change(path: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    provenance = table_provenance(Path(path))
    write_table(edit(read_table(Path(path))), Path(path), provenance)


# --- the configuration -------------------------------------------------------------------------------------


def of_sections() -> list[Any]:
    named = config.read(ROOT / "config" / "tms.yaml")
    return [
        *(TMS.experiments[name] for name in named["experiments"]),
        *(TMS.maps[name] for name in named.get("maps", {})),
    ]


def test_all_of_it_belongs_to_a_section_of_the_paper_that_is_written() -> None:
    for own in of_sections():
        assert own.section in PAPERS["tms"], own.name
        assert own.section in SECTIONS, own.name
    assert "tms" in TMS.papers()


def test_the_page_of_the_paper_has_each_section() -> None:
    page = (ROOT / "docs" / "tms.md").read_text()
    assert {own.section for own in of_sections() if f"| `{own.section}` |" not in page} == set()


def test_the_paper_is_a_target_with_all_of_its_tables_and_figures() -> None:
    files = set(targets.all_files(TMS))
    assert {layout.paper("tms"), layout.paper_numbers("tms")} <= files
    assert set(targets.paper_figures(TMS, "tms")) <= files
    assert set(targets.paper_sources(TMS, "tms")) <= files
    for own in of_sections():
        shown = [
            one
            for one in catalogue.figures(TMS)
            if own.name in (one.labels.get("map"), one.labels.get("experiment"))
        ]
        assert shown, own.name
        assert {one.section for one in shown} == {own.section}


def test_the_report_does_not_change_with_it() -> None:
    talk = config.load(config.read(ROOT / "config" / "config.yaml"))
    assert targets.report_sources(TMS) == targets.report_sources(talk)
    assert targets.report_figures(TMS) == targets.report_figures(talk)


# --- the paper ---------------------------------------------------------------------------------------------


def test_the_paper_is_typeset_with_a_section_and_figures_for_each_part(workplace: Path) -> None:
    content = paper()
    assert Path(layout.paper("tms")).read_bytes().startswith(b"%PDF")
    headings = [words(block["text"]) for block in content["main"] if block["kind"] == "heading"]
    assert headings[:3] == ["Basic results", "Superposition as a phase change", "Perturbing a single feature"]
    shown = {block["name"] for block in content["main"] if block["kind"] == "figure"}
    assert shown == {"basic_basic_results", "diagram_phases", "varied_branches"}
    assert set(verdicts(content).values()) <= {"supported", "contradicted", "open"}
    assert len(verdicts(content)) >= 14
    assert content["numbers"]
    assert paper() == content


def test_another_table_of_features_is_another_verdict(workplace: Path) -> None:
    path = layout.case_table("basic", "linear", "features")

    def as_said(table: pd.DataFrame) -> pd.DataFrame:
        top = table["feature"] < 2
        return table.assign(represented=top, dedicated=top)

    def many(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat(
            [as_said(table).assign(seed=table["seed"] + 12 * k) for k in range(10)], ignore_index=True
        )

    said = "A linear model learns"
    change(path, many)
    assert verdict_on(paper(), said) == "supported"
    change(path, lambda table: table.assign(represented=table["feature"] < 3))
    assert verdict_on(paper(), said) == "contradicted"


def test_another_table_of_phases_is_another_verdict(workplace: Path) -> None:
    path, said = layout.map_table("diagram", "phases"), "Training finds the phase"
    change(path, lambda table: table.assign(phase=table["best_phase"]))
    assert verdict_on(paper(), said) == "supported"
    change(path, lambda table: table.assign(best_phase="dedicated", phase="superposition"))
    assert verdict_on(paper(), said) == "contradicted"


def test_the_threshold_of_the_pentagon_is_that_of_the_crossing(workplace: Path) -> None:
    path, said = layout.map_table("varied", "crossings"), "Where it is rarer than about 1/2.5"
    row = {
        "below": "pair, pair without feature 0",
        "above": "pentagon",
        "relative_loss": 0.1,
        "is_best": True,
        "importance_ratio": 1.0,
    }
    for varied, verdict in ((0.02, "supported"), (0.0134, "contradicted"), (0.045, "contradicted")):
        change(path, lambda table, p=varied: pd.DataFrame([row | {"varied": p}])[table.columns])
        assert verdict_on(paper(), said) == verdict
    change(path, lambda table: table[:0])
    assert verdict_on(paper(), said) == "contradicted"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "supported"), (-1, "contradicted")])
def test_room_is_compared_with_that_at_equal_density(workplace: Path, sign: int, verdict: str) -> None:
    path = layout.map_table("varied", "branches")

    def one_structure(table: pd.DataFrame) -> pd.DataFrame:
        first = table.drop_duplicates("varied")
        return first.assign(structure="pentagon", is_best=True, room=72 + sign * (first["varied"] - 0.05))

    change(path, one_structure)
    assert verdict_on(paper(), "A feature that is more frequent") == verdict


def test_a_missing_column_is_one_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(layout.map_table("diagram", "phases"))
    change(str(path), lambda table: table.drop(columns="minima"))
    with pytest.raises(AssertionError):
        paper()
    assert "minima" in capsys.readouterr().err
    assert not Path(layout.paper("tms")).exists()


# --- figures -----------------------------------------------------------------------------------------------


@pytest.fixture
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


def drawn(name: str) -> Figure:
    (figure,) = [one for one in catalogue.figures(config.load(SPEC)) if one.name == name]
    paths = {role: Path(path) for role, path in figure.inputs.items()}
    module = import_module(f"superposition_atlas.figures.draw.{figure.module}")
    found: Figure = module.draw(paths, **figure.options)
    return found


@pytest.mark.parametrize("name", ["basic_basic_results", "diagram_phases"])
def test_figures_fit_the_page(name: str, workplace: Path, settings_of_style: None) -> None:
    assert_fits_the_page(drawn(name))


def test_crosses_stand_where_training_and_the_best_differ(workplace: Path, settings_of_style: None) -> None:
    path = layout.map_table("diagram", "phases")
    change(
        path,
        lambda table: table.assign(
            phase=["dedicated", *table["best_phase"][1:]],
            best_phase=["superposition", *table["best_phase"][1:]],
        ),
    )
    table = read_table(Path(path))
    trained = drawn("diagram_phases").axes[0]
    (crosses,) = [line for line in trained.lines if line.get_marker() == "x"]
    assert list(zip(*crosses.get_data(), strict=True)) == [
        (table["density"][0], table["relative_importance"][0])
    ]


def test_a_cell_fades_with_the_norm(workplace: Path, settings_of_style: None) -> None:
    path = layout.map_table("diagram", "phases")
    change(path, lambda table: table.assign(best_norm=0.0, mean_norm=1.0, mean_superposition=0.0))
    trained, best = drawn("diagram_phases").axes[:2]
    (cells,) = best.collections
    assert (np.asarray(cells.get_array()) == 1).all()
    (cells,) = trained.collections
    assert np.asarray(cells.get_array())[0, 0] == pytest.approx(style.POLYSEMANTICITY(0.0)[:3])


def test_basic_results_have_a_column_for_each_density_and_count_all_toy_models(
    workplace: Path, settings_of_style: None
) -> None:
    figure = drawn("basic_basic_results")
    counts = figure.axes[-1]
    table = read_table(Path(layout.case_table("basic", "relu", "features")))
    means = table.groupby(["probability", "seed"])["represented"].sum().groupby(level=0).mean()
    (line,) = [one for one in counts.lines if one.get_label() == "ReLU output: represented"]
    assert line.get_ydata() == pytest.approx(means.to_numpy())
    maps = [axes for axes in figure.axes if axes.images]
    assert len(maps) == 2 * 3


# --- what is asked of a toy model --------------------------------------------------------------------------


def features(columns: list[list[float]], biases: list[float], dedicated: list[bool]) -> pd.DataFrame:
    n = len(columns)
    return pd.DataFrame(
        {
            "seed": 0,
            "feature": range(n),
            "importance": [0.7**feature for feature in range(n)],
            "probability": 0.1,
            "represented": [any(column) for column in columns],
            "dedicated": dedicated,
            "bias": biases,
            "weights": columns,
        }
    )


def test_readings_of_known_toy_models() -> None:
    alone = features([[1, 0], [0, 1], [0, 0]], [0, 0, 0.05], [True, True, False])
    (one,) = of_each_model(alone, 2).to_dict("records")
    assert one["is_top"]
    assert (one["n_represented"], one["n_dedicated"], one["is_shared"]) == (2, 2, False)
    pair = features([[1, 0], [0, 1], [0, -1]], [0, -0.1, -0.1], [True, False, False])
    (one,) = of_each_model(pair, 2).to_dict("records")
    assert not one["is_top"]
    assert all(one[name] for name in ("is_mixed", "less_important_share", "mostly_pairs", "negative_biases"))
    first = features([[0, 1], [0, -1], [1, 0]], [0, 0, 0], [False, False, True])
    (one,) = of_each_model(first, 2).to_dict("records")
    assert one["is_mixed"]
    assert not any(one[name] for name in ("less_important_share", "negative_biases"))


def test_verdicts_of_several_tests() -> None:
    good, bad, few = (counted("", n, total, "at least mostly") for n, total in ((40, 40), (2, 40), (2, 3)))
    assert (good.verdict, bad.verdict, few.verdict) == ("supported", "contradicted", "open")
    assert joint([good.verdict, few.verdict]) == "open"
    assert joint([good.verdict, few.verdict, bad.verdict]) == "contradicted"
    assert str(counted("here", 3, 4, "always")).startswith("here: 3 of 4 (95")
