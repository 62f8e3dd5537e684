"""An experiment's toy models beside the best solutions for their schedules."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.cli.main import main
from superposition_atlas.maps.points import make_points
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.theory.best import best_solutions

SEEDS = [5, 0, 7, 3, 2]
SPEC: dict[str, Any] = {
    "experiments": {
        "small": {
            "n_features": 4,
            "n_hidden": 2,
            "seeds": SEEDS,
            "shown_seeds": 2,
            "importance": {"family": "geometric", "first": 1.0, "ratio": 0.9},
            "probability": {"family": "linear", "first": 0.5, "last": 0.1},
            "training": {"steps": 1500, "batch_size": 128, "learning_rate": 0.005},
            "cases": {
                "case1": {},
                "same": {"training": {"init_scale": 0.1}},
                "reversed": {"probability": {"family": "permutation", "of": "base", "order": "reversed"}},
                "uniform": {
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 0.8, "last": 0.05},
                        "count": 3,
                    }
                },
                "held": {"training": {"bias": "mean"}},
                "centred": {"training": {"centred_inputs": True}},
                "linear": {"training": {"output": "linear"}},
            },
        }
    }
}
CASES = tuple(SPEC["experiments"]["small"]["cases"])
SEARCHES = {"held": "mean", "linear": ""}
"""Of cases whose biases are not free, or whose losses the theory does not cover."""


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    schedules = folder / "schedules.parquet"
    run("schedules", "--experiment", "small", "--spec", json.dumps(SPEC), "--output", schedules)
    for case in CASES:
        output = folder / "models" / f"{case}.safetensors"
        run("train", "--schedules", schedules, "--case", case, "--output", output)
    compare(folder, *CASES)
    return folder


def compare(folder: Path, *cases: str, output: str = "") -> None:
    run(
        *("losses", "--models", *(folder / "models" / f"{case}.safetensors" for case in cases)),
        *("--shown-seeds", 2, "--n-starts", 8),
        *("--output-losses", folder / f"losses{output}.parquet"),
        *("--output-solutions", folder / f"solutions{output}.parquet"),
    )


@pytest.fixture(scope="module")
def losses(made: Path) -> pd.DataFrame:
    return read_table(made / "losses.parquet")


@pytest.fixture(scope="module")
def solutions(made: Path) -> pd.DataFrame:
    return read_table(made / "solutions.parquet")


def test_every_toy_model_of_every_case_is_there(made: Path, losses: pd.DataFrame) -> None:
    assert losses["case"].tolist() == [case for case in CASES for _ in SEEDS]
    assert losses["seed"].tolist() == SEEDS * len(CASES)
    assert losses["shown"].tolist() == [True, True, False, False, False] * len(CASES)
    for case, rows in losses.groupby("case"):
        models = read_models(made / "models" / f"{case}.safetensors")
        np.testing.assert_array_equal(rows["loss"], models.loss)
        assert (rows["bias"] == SEARCHES.get(str(case), "trained")).all()


def test_exact_losses_are_the_toy_models_own(made: Path, losses: pd.DataFrame) -> None:
    n_samples = 100_000
    for case, rows in losses.groupby("case"):
        if case == "linear":
            assert rows["exact_loss"].isna().all()
            continue
        models = read_models(made / "models" / f"{case}.safetensors")
        x = models.sample(0, n_samples).astype(np.float64)
        held_out = (models.importance[:, None] * (x - models.reconstruct(x)) ** 2).mean(axis=2)
        error = held_out.std(axis=1) / np.sqrt(n_samples)
        assert np.all(np.abs(rows["exact_loss"] - held_out.mean(axis=1)) < 5 * error + 1e-6), case
        # And near what training saw: 100 steps of 128 samples, while the toy model still moved.
        assert rows["loss"].to_numpy() == pytest.approx(rows["exact_loss"].to_numpy(), rel=0.25)


def test_no_toy_model_is_better_than_the_best(losses: pd.DataFrame) -> None:
    compared = losses[losses["bias"] != ""]
    assert (compared["best_loss"] <= compared["exact_loss"] + 1e-9).all()
    assert compared["relative_excess"].min() < 0.01  # some found it
    unknown = ["exact_loss", "best_loss", "excess_loss", "relative_excess", "keeps_best"]
    assert losses.loc[losses["bias"] == "", unknown].isna().all(axis=None)
    assert compared[unknown].notna().all(axis=None)
    # Who is at the best keeps what it keeps.
    assert compared.loc[compared["relative_excess"] < 1e-3, "keeps_best"].all()


def test_each_toy_model_has_the_schedule_that_it_was_trained_on(made: Path, losses: pd.DataFrame) -> None:
    keys = losses.groupby("case")["key"].agg(list)
    assert keys["uniform"] == [keys["uniform"][place % 3] for place in range(5)]
    assert len(set(keys["uniform"])) == 3
    assert set(keys["case1"]) == set(keys["same"]) == set(keys["held"])
    assert len(set(keys["case1"] + keys["reversed"] + keys["uniform"])) == 5
    schedules = read_table(made / "schedules.parquet")
    uniform = schedules[schedules["case"] == "uniform"].sort_values("feature").groupby("variant")
    for variant, schedule in uniform:
        best = best_solutions(schedule["importance"], schedule["probability"], 2, n_starts=8)[0]
        own = losses[losses["case"] == "uniform"].iloc[int(str(variant)) :: 3]
        assert own["best_loss"].tolist() == pytest.approx([best.loss] * len(own), rel=1e-6)


def test_keys_are_those_of_maps(losses: pd.DataFrame) -> None:
    described = {
        "kind": "grid",
        "family": ["linear"],
        "first": [0.5],
        "last": [0.1],
        "importance_ratio": [0.9],
        "order": ["aligned", "reversed"],
    }
    points = make_points(4, 2, described)
    for case, point in zip(("case1", "reversed"), points, strict=True):
        assert set(losses.loc[losses["case"] == case, "key"]) == {point.key}


def test_solutions_are_those_of_each_cases_schedules(losses: pd.DataFrame, solutions: pd.DataFrame) -> None:
    assert solutions["case"].unique().tolist() == list(CASES)
    for case, rows in losses.groupby("case"):
        own = solutions[solutions["case"] == case]
        assert set(own["key"]) == set(rows["key"])
        # Searches that any case of the experiment needs.
        assert set(own["bias"]) == {"trained", "mean"}
        for row in rows[rows["bias"] != ""].to_dict("records"):
            minima = own[(own["key"] == row["key"]) & (own["bias"] == row["bias"]) & own["is_best"]]
            assert row["best_loss"] == minima["loss"].min()
            assert row["keeps_best"] == (row["kept"] in set(minima["kept"]))
    same, first = (
        solutions[solutions["case"] == case].drop(columns="case").reset_index(drop=True)
        for case in ("same", "case1")
    )
    pd.testing.assert_frame_equal(same, first)


def test_a_case_alone_says_the_same(made: Path, losses: pd.DataFrame) -> None:
    compare(made, "reversed", output="_alone")
    alone = read_table(made / "losses_alone.parquet")
    expected = losses[losses["case"] == "reversed"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected)


def test_toy_models_of_no_schedule_are_named(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.safetensors"
    write_models(read_models(made / "models" / "case1.safetensors"), path, {"case": "mine"}, "code")
    outputs = [f"--output-{name}={tmp_path / name}" for name in ("losses", "solutions")]
    assert main(["losses", "--models", str(path), "--shown-seeds", "2", *outputs]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert f"{path}: does not say which schedule" in line
    assert list(tmp_path.iterdir()) == [path]
