"""The paper on features that depend on one another: its words and verdicts follow from its tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics import feature_sets
from superposition_atlas.plan import targets
from superposition_atlas.report import blocks
from superposition_atlas.report.citation import imprint
from superposition_atlas.report.markup import plain
from superposition_atlas.report.papers import correlated_sets as sets_section
from superposition_atlas.report.papers import hierarchy, pairs
from superposition_atlas.report.papers.paper import paper_document
from superposition_atlas.report.papers.shares import Share, average_of, difference_of
from superposition_atlas.report.papers.studied import Statement, Studied
from superposition_atlas.report.sources import Sources
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage import layout
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.sae_files import write_saes

from .map_chain import run

ROOT = Path(__file__).parents[2]
SHORT = {"steps": 200, "batch_size": 64, "learning_rate": 0.02, "init_scale": 0.2}
HALVES = [{"form": "together", "features": [0, 1]}, {"form": "together", "features": [2, 3]}]
EQUAL = {"family": "constant", "value": 1.0}
SPEC: dict[str, Any] = {
    "experiments": {
        "apart": {
            "title": "Pairs that exclude $each$ other",
            "section": "pairs",
            "figures": False,
            "n_features": 4,
            "n_hidden": 2,
            "seeds": 4,
            "importance": EQUAL,
            "training": SHORT,
            "structure": [
                {"form": "exclusive", "features": [0, 1]},
                {"form": "exclusive", "features": [2, 3]},
            ],
            "cases": {
                "densities": {
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 0.3, "last": 0.1},
                        "count": 2,
                    }
                },
                "unequal": {"probability": {"family": "explicit", "values": [0.4, 0.1, 0.4, 0.1]}},
            },
        },
        "halves": {
            "section": "correlated_sets",
            "figures": False,
            "n_features": 4,
            "n_hidden": 2,
            "seeds": 3,
            "importance": EQUAL,
            "probability": {"family": "constant", "value": 0.1},
            "training": SHORT,
            "structure": HALVES,
            "cases": {"together": {}, "independent": {"structure": []}},
        },
        "recorded": {
            "section": "correlated_sets",
            "figures": False,
            "n_features": 4,
            "n_hidden": 2,
            "seeds": 3,
            "importance": EQUAL,
            "probability": {"family": "constant", "value": 0.1},
            "training": SHORT | {"record_steps": [0, 50, 100, 200]},
            "structure": HALVES,
            "cases": {"small": {}},
        },
        "family": {
            "section": "hierarchy",
            "figures": False,
            "n_features": 4,
            "n_hidden": 3,
            "seeds": 3,
            "importance": EQUAL,
            "probability": {"family": "explicit", "values": [0.4, 0.2, 0.1, 0.2]},
            "training": SHORT,
            "cases": {
                "tree": {"structure": [{"form": "tree", "features": [0, 1, 2], "parents": [-1, 0, 0]}]},
                "independent": {},
            },
            "saes": {
                "relu": {"n_latents": 4, "steps": 100, "batch_size": 32},
                "matryoshka": {
                    "architecture": "matryoshka",
                    "n_latents": 4,
                    "k": 1,
                    "prefixes": [2, 3],
                    "steps": 100,
                    "batch_size": 32,
                },
                "narrow": {"n_latents": 2, "steps": 100, "batch_size": 32},
                "random": {"architecture": "random", "n_latents": 4},
            },
        },
    }
}


def _measure(name: str, experiment: config.Experiment, table: str) -> None:
    """A table of a section, of each case and joined."""
    structured = next(case.name for case in experiment.cases.values() if case.structure is not None)
    parts = []
    for case, own in experiment.cases.items():
        parts.append(layout.case_table(name, case, table))
        like = layout.models(name, case if own.structure is not None else structured)
        saes = [layout.saes(name, case, sae) for sae in experiment.saes]
        given = ("--models", layout.models(name, case), "--like", like, "--case", case)
        more = ("--saes", *saes) if table == "children" else ()
        run(table, *given, *more, "--output", parts[-1])
    run("collect", "--tables", *parts, "--output", layout.experiment_table(name, table))


def _fit(models: str, spec: dict[str, Any], output: str) -> None:
    """SAEs as the command `saes` writes them, by the engine that compiles nothing."""
    settings = {name: value for name, value in spec.items() if name != "seeds"}
    saes = train_saes(read_models(Path(models)).of_seeds(spec["seeds"]), engine="torch", **settings)
    write_saes(saes, Path(output), {"models": models, **spec}, "0" * 16)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and figures of all three sections, by the rules' commands."""
    folder = tmp_path_factory.mktemp("structure")
    loaded = config.load(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, experiment in loaded.experiments.items():
            run(
                *("schedules", "--experiment", name, "--spec", json.dumps(SPEC)),
                *("--output", layout.schedules(name)),
            )
            for case in experiment.cases:
                models = layout.models(name, case)
                given = ("--schedules", layout.schedules(name), "--case", case, "--engine", "torch")
                run("train", *given, "--output", models)
                for sae, settings in experiment.saes.items():
                    _fit(models, config.sae_spec(settings), layout.saes(name, case, sae))
                outputs = [
                    word
                    for table in layout.TOY_MODEL_TABLES
                    for word in (f"--output-{table}", layout.case_table(name, case, table))
                ]
                run("features", "--models", models, "--case", case, "--shown-seeds", 2, *outputs)
            parts = [layout.case_table(name, case, "features") for case in experiment.cases]
            run("collect", "--tables", *parts, "--output", layout.experiment_table(name, "features"))
            for table in targets.section_tables(experiment):
                _measure(name, experiment, table)
        for figure in catalogue.figures(loaded):
            if figure.category == "Features that depend on one another":
                spec = {"module": figure.module, "inputs": figure.inputs, "options": figure.options}
                run("figure", "--spec", json.dumps(spec), "--output", layout.figure(figure.name, "svg"))
    return folder / "results"


@pytest.fixture(scope="module")
def sources(results: Path) -> Sources:
    return Sources(
        config=config.load(SPEC),
        results=results,
        benchmarks=results,
        captions=ROOT / "workflow/report/captions",
        published=results,
    )


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document["main"], ensure_ascii=False)


def test_the_paper_has_all_sections_and_their_figures(sources: Sources) -> None:
    document = paper_document(sources, "structure", imprint(None, ROOT))
    text = _text(document)
    for heading in ("Pairs", "Sets of correlated features", "Hierarchies"):
        assert f'"{heading}"' in text
    modules = {"apart_pair_planes", "halves_set_cosines", "recorded_set_learning", "family_children"}
    assert modules <= set(document["figures"])
    assert {"arena", "tms", "absorption", "hedging", "matryoshka"} <= {
        reference["key"] for reference in document["references"]
    }
    assert all(np.isfinite(number["value"]) for number in document["numbers"])
    assert {Path(number["table"]).stem for number in document["numbers"]} == {"pairs", "sets", "children"}


def _studied(sources: Sources, section: str) -> Studied:
    from superposition_atlas.report.figures_shown import Figures
    from superposition_atlas.report.ledger import Ledger

    own = [one for one in sources.config.experiments.values() if one.section == section]
    return Studied(own, [], Ledger(sources), Figures(sources, (section,)))


def _changed(sources: Sources, path: str, change: Any) -> None:
    table = read_table(sources.locate(path))
    write_table(change(table), sources.locate(path), {"spec": {}, "code": "test"})


def _verdicts(statements: list[Statement]) -> list[str]:
    return [statement.verdict for statement in statements]


@pytest.mark.parametrize(
    ("arrangement", "verdict"), [("antipodal", "supported"), ("orthogonal", "contradicted")]
)
def test_verdicts_on_pairs_follow_from_the_table(sources: Sources, arrangement: str, verdict: str) -> None:
    path = layout.experiment_table("apart", "pairs")
    kept = read_table(sources.locate(path))
    many = [kept.assign(instance=kept["instance"] + 4 * copy) for copy in range(8)]
    try:
        _changed(sources, path, lambda _: pd.concat(many).assign(arrangement=arrangement))
        written = pairs.section(_studied(sources, "pairs"))
        assert _verdicts(written.statements) == [verdict, verdict]
        assert ("all 32" if arrangement == "antipodal" else "none of 32") in written.statements[0].found
    finally:
        _changed(sources, path, lambda _: kept)


def test_verdicts_on_sets_follow_from_the_table(sources: Sources) -> None:
    path = layout.experiment_table("recorded", "sets")
    kept = read_table(sources.locate(path))
    ways = {
        "supported": ["incomplete", "directions", "bases", "antipodal bases"],
        "contradicted": ["incomplete", "incomplete", "bases", "antipodal bases"],
    }
    try:
        for verdict, names in ways.items():
            named = dict(zip(sorted(set(kept["step"])), names, strict=True))
            many = [kept.assign(instance=kept["instance"] + 3 * copy) for copy in range(8)]
            table = pd.concat(many)
            _changed(
                sources,
                path,
                lambda _, table=table, named=named: table.assign(arrangement=table["step"].map(named)),
            )
            statements = sets_section.section(_studied(sources, "correlated_sets")).statements
            assert statements[-1].verdict == verdict
            assert ("none of 24" in statements[-1].found) == (verdict == "contradicted")
    finally:
        _changed(sources, path, lambda _: kept)


def test_verdicts_on_saes_follow_from_the_table(sources: Sources) -> None:
    path = layout.experiment_table("family", "children")
    kept = read_table(sources.locate(path))
    many = pd.concat([kept.assign(seed=kept["seed"] + 3 * copy) for copy in range(6)])
    is_tree = (many["case"] == "tree").to_numpy()
    try:
        for more, verdict in ((0.5, "supported"), (0.0, "contradicted")):
            values = {name: np.where(is_tree, more, 0.0) for name in ("absorption", "parent_in_child")}
            table = many.assign(represented=True, child_in_parent=values["absorption"], **values)
            _changed(sources, path, lambda _, table=table: table)
            statements = hierarchy.section(_studied(sources, "hierarchy")).statements
            against = [one for one in statements if one.words.endswith(": `relu`")]
            assert _verdicts(against) == [verdict, verdict]
            (hedging,) = (one for one in statements if "hedges" in one.words)
            assert hedging.verdict == verdict
            compared = [one for one in statements if "` against `" in one.words]
            assert _verdicts(compared) == ["contradicted"] * 2  # both have the same
    finally:
        _changed(sources, path, lambda _: kept)


def test_shares_and_means_have_their_intervals() -> None:
    words = plain(str(Share(61, 64)))
    assert words.startswith("61 of 64")
    assert "87" in words
    assert "99" in words
    assert Share(61, 64).verdict() == "supported"
    assert Share(32, 64).verdict() == "open"
    assert Share(3, 64).verdict() == "contradicted"
    assert average_of(np.array([1.0, np.nan, 1.0])).words() == "1.00"
    assert average_of(np.array([])).words() == "–"
    average, verdict = difference_of(np.full(9, 0.3), np.zeros(9), 0.1, "larger")
    assert (average.mean, verdict) == (pytest.approx(0.3), "supported")
    assert difference_of(np.full(9, np.nan), np.zeros(9), 0.1, "larger")[1] == "open"


def test_names_of_arrangements_are_those_of_the_table(sources: Sources) -> None:
    table = read_table(sources.locate(layout.experiment_table("recorded", "sets")))
    assert set(table["arrangement"]) <= set(feature_sets.ARRANGEMENTS)
    assert list(blocks.lines(sets_section.section(_studied(sources, "correlated_sets")).blocks))
