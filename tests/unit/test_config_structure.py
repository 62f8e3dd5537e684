"""The configuration's structure: what comes of it, what is refused, and that others are not concerned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from superposition_atlas.cli.main import main
from superposition_atlas.config import load, schedule_source
from superposition_atlas.errors import ConfigError
from superposition_atlas.explorer.presets import presets_of
from superposition_atlas.figures.catalogue.subjects import compared_experiments, matched_cases
from superposition_atlas.sampling.structure import SHARED
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import read_table

from .config_samples import ROOT, laid_over

GROUPS = [{"form": "together", "features": [0, 1]}, {"form": "tree", "features": [2, 3], "parents": [-1, 2]}]


def spec(structure: Any = None, **keys: Any) -> dict[str, Any]:
    """An experiment of four features; its case `other` has a structure of its own, `free` has none."""
    experiment = {
        "n_features": 4,
        "n_hidden": 2,
        "seeds": 3,
        "probability": {"family": "geometric", "first": 0.4, "last": 0.1},
        "training": {"steps": 4, "batch_size": 8},
        "cases": {
            "same": {},
            "other": {"structure": [{"form": "exclusive", "features": [3, 1]}]},
            "free": {"structure": []},
        },
    }
    given = {} if structure is None else {"structure": structure}
    return {"experiments": {"four": experiment | given | keys}}


def test_a_case_has_its_experiments_structure_unless_it_has_its_own() -> None:
    cases = load(spec(GROUPS)).experiments["four"].cases
    same, other = cases["same"].structure, cases["other"].structure
    assert same is not None
    assert other is not None
    assert (same[0, :, 0] - SHARED).tolist() == [0, 0, 2, 2]
    assert other[0, :, 0].tolist() == [0, SHARED + 1, 2, SHARED + 1]
    assert cases["free"].structure is None


def test_toy_models_are_trained_on_it_and_say_so(tmp_path: Path) -> None:
    table, models = tmp_path / "schedules.parquet", tmp_path / "models.safetensors"
    asked = ["--experiment", "four", "--spec", json.dumps(spec(GROUPS)), "--output", str(table)]
    assert main(["schedules", *asked]) == 0
    assert {"group", "interval_start"} <= set(read_table(table).columns)
    described, cases = read_experiment(table), load(spec(GROUPS)).experiments["four"].cases
    for name, case in cases.items():
        np.testing.assert_array_equal(described.case(name).structure, case.structure)
    for name in ("same", "free"):
        assert main(["train", "--schedules", str(table), "--case", name, "--output", str(models)]) == 0
        structure = cases[name].structure
        trained = read_models(models).structure
        assert (trained is None) == (structure is None)
        assert trained is None or (trained == structure).all()


def test_what_has_no_structure_is_not_concerned(tmp_path: Path) -> None:
    plain = spec()
    del plain["experiments"]["four"]["cases"]["other"], plain["experiments"]["four"]["cases"]["free"]
    assert "structure" not in json.dumps(schedule_source(plain, "four"))
    table = tmp_path / "schedules.parquet"
    asked = ["--experiment", "four", "--spec", json.dumps(plain), "--output", str(table)]
    assert main(["schedules", *asked]) == 0
    assert list(read_table(table).columns) == ["case", "variant", "feature", "importance", "probability"]
    assert "structure" not in read_experiment(table).spec_of("same")


def test_a_structure_trains_its_own_cases_again_and_no_other() -> None:
    other = [{"form": "together", "features": [0, 1]}]
    for case, concerned in (("same", True), ("other", False), ("free", False)):
        sources = [schedule_source(spec(groups), "four", case) for groups in (GROUPS, other)]
        cases = [source["experiments"]["four"] for source in sources]
        assert (cases[0] != cases[1]) == concerned, case


def test_the_explorer_has_no_presets_of_structures() -> None:
    titles = [preset["title"] for preset in presets_of(load(spec(GROUPS)).experiments.values())]
    assert titles == ["free"]


def test_tables_about_independent_features_leave_structures_out() -> None:
    config = load(spec(GROUPS, figures=["losses"]))
    assert compared_experiments(config) == []
    assert [case.name for case in matched_cases(config.experiments["four"])] == ["free"]
    alone = {
        "experiments": {"four": spec()["experiments"]["four"] | {"figures": ["losses"], "cases": {"a": {}}}}
    }
    assert [experiment.name for experiment in compared_experiments(load(alone))] == ["four"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"structure": 3}, ["four.structure:", "3", "a list of groups"]),
        ({"structure": [{"form": "pairs"}]}, ["four.structure[0].form:", "'pairs'", "together, exclusive"]),
        ({"structure": [{"form": "tree", "features": [0]}]}, ["four.structure[0].parents:", "missing"]),
        (
            {"structure": [*GROUPS, {"form": "together", "features": [1, 9]}]},
            ["four.structure[2].features:", "9", "at most 3"],
        ),
        (
            {"structure": [{"form": "tree", "features": [3, 0], "parents": [-1, 3]}]},
            ["four.structure[0]:", "at most 0.1", "parent 3", "sum to 0.4", "in case same"],
        ),
        ({"structure": GROUPS, "claims": True}, ["four.claims:", "True", "false with a structure"]),
        ({"structure": GROUPS, "role": "slides"}, ["four.role:", "'slides'", "the empty text"]),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(changed: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(spec(**changed))
    message = str(refusal.value)
    assert "\n" not in message
    for part in named:
        assert part in message


def test_a_case_of_its_own_is_named() -> None:
    cases = {"sum": {"structure": [{"form": "exclusive", "features": [0, 1, 2, 3]}], "probability": HALVES}}
    with pytest.raises(
        ConfigError, match=r"four\.cases\.sum\.structure\[0\]: .* sum to at most 1 .*sum to 2"
    ):
        load(spec(cases=cases))


HALVES = {"family": "constant", "value": 0.5}


def test_the_demonstrations_load() -> None:
    config = load(laid_over(yaml.safe_load((ROOT / "config" / "structure.yaml").read_text("utf-8"))))
    for name in ("correlated", "exclusive", "three_pairs"):
        cases = config.experiments[name].cases
        assert all(case.structure is not None for case in cases.values())
        assert len(cases["densities"].probability) * 64 == len(config.experiments[name].seeds)
    hierarchy = config.experiments["hierarchy"].cases
    assert (hierarchy["tree"].structure is None, hierarchy["independent"].structure is None) == (False, True)
