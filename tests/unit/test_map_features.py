"""What becomes of each feature over a map: the same features as the other tables count."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.cli.main import main
from superposition_atlas.maps.feature_fates import best_features, fate_table, trained_features
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.toy_model import TrainingSettings

SHARDS = 6
N_FEATURES, N_HIDDEN = 3, 2
SPEC = {
    "n_features": N_FEATURES,
    "n_hidden": N_HIDDEN,
    "points": {
        "kind": "grid",
        "family": ["linear"],
        "mean_density": [0.3],
        "steepness": [1.0, 3.0],
        "importance_ratio": [0.9],
        "order": ["aligned", "reversed"],
    },
}
QUICK: dict[str, Any] = TrainingSettings(steps=60, batch_size=64, learning_rate=0.02).as_dict()
VARIANTS = {
    "trained": QUICK,
    "zero": QUICK | {"bias": "zero"},
    "mean": QUICK | {"bias": "mean"},
    "centred": QUICK | {"centred_inputs": True},
}


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def measure(folder: Path, seeds: int, solve: bool = True) -> dict[str, pd.DataFrame]:
    """A small map, trained, solved and measured; some of its shards have no points."""
    parts: dict[str, list[Path]] = {"points": [], "weights": [], "solutions": []}
    for shard in range(SHARDS):
        path = {name: folder / name / f"shard={shard}" / "part.parquet" for name in parts}
        which = ("--shards", SHARDS)
        run("map-points", "--spec", json.dumps(SPEC), "--shard", shard, *which, "--output", path["points"])
        parts["points"].append(path["points"])
        if seeds:
            spec = json.dumps({"seeds": seeds, "variants": VARIANTS})
            options = ("--spec", spec, *which, "--store", folder / "trained", "--output", path["weights"])
            run("map-weights", "--points", path["points"], *options)
            parts["weights"].append(path["weights"])
        if solve:
            options = ("--n-starts", 2, *which, "--store", folder / "solved", "--output", path["solutions"])
            held = ("--biases", "trained", "zero", "mean")
            run("map-solutions", "--points", path["points"], *held, *options)
            parts["solutions"].append(path["solutions"])
    tables = ("models", "solutions", "points", "features")
    given = [item for name, paths in parts.items() for item in (f"--{name}", *paths) if paths]
    outputs = {table: folder / f"{table}.parquet" for table in tables}
    run("map-measures", *given, *(item for table in tables for item in (f"--output-{table}", outputs[table])))
    return {table: read_table(path) for table, path in outputs.items()}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return measure(tmp_path_factory.mktemp("measured"), seeds=3)


def test_features_are_those_that_the_other_tables_count(measured: dict[str, pd.DataFrame]) -> None:
    features, points = measured["features"], measured["points"].drop_duplicates(["key", "variant"])
    assert len(features) == len(points) * N_FEATURES
    sums = features.groupby(["key", "variant"])[
        ["share_represented", "share_dedicated", "best_represented", "best_dedicated"]
    ].sum()
    counted = points.set_index(["key", "variant"]).loc[sums.index]
    for mine, theirs in (
        ("share_represented", "n_represented"),
        ("share_dedicated", "n_dedicated"),
        ("best_represented", "best_n_represented"),
        ("best_dedicated", "best_n_dedicated"),
    ):
        np.testing.assert_allclose(sums[mine], counted[theirs])
    assert (features["n_seeds"] == 3).all()


def test_a_held_bias_is_held_in_training_and_in_the_best_solution(measured: dict[str, pd.DataFrame]) -> None:
    by_variant = dict(list(measured["features"].groupby("variant")))
    for name, value in (("zero", 0.0), ("mean", by_variant["mean"]["probability"] / 2)):
        np.testing.assert_allclose(by_variant[name]["mean_bias"], value, atol=1e-6)
        np.testing.assert_allclose(by_variant[name]["best_bias"], value, atol=1e-12)
    for name in ("trained", "centred"):
        assert (by_variant[name]["mean_bias"].abs() > 1e-4).all()
    columns = ["key", "feature", "best_norm", "best_bias", "best_represented"]
    free = [by_variant[name][columns].reset_index(drop=True) for name in ("trained", "centred")]
    pd.testing.assert_frame_equal(*free)


def test_without_toy_models_there_is_the_best_solution_alone(
    measured: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    alone = measure(tmp_path, seeds=0)["features"]
    assert not {"variant", "share_represented", "n_seeds"} & set(alone)
    trained = measured["features"].drop_duplicates(["key", "bias", "feature"])
    columns = ["key", "bias", "feature", "importance", "probability", "best_norm", "best_represented"]
    order = ["key", "bias", "feature"]
    pd.testing.assert_frame_equal(
        alone[columns].sort_values(order, ignore_index=True),
        trained[columns].sort_values(order, ignore_index=True),
    )


def test_without_solutions_there_are_the_toy_models_alone(
    measured: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    alone = measure(tmp_path, seeds=3, solve=False)["features"]
    assert not [name for name in alone if name.startswith("best_")]
    pd.testing.assert_frame_equal(alone, measured["features"][alone.columns])


def test_shares_and_means_over_seeds() -> None:
    W = np.array([[[1.0, 0.3, -1.0]], [[0.0, 0.4, 2.0]]])
    b = np.array([[0.0, 0.1, 0.2], [0.4, 0.1, -0.2]])
    models = pd.DataFrame({"key": ["k", "k"], "variant": "v", "bias": "trained"})
    table = trained_features(models, W, b)
    assert table["feature"].tolist() == [0, 1, 2]
    assert table["n_seeds"].tolist() == [2, 2, 2]
    np.testing.assert_allclose(table["share_represented"], [0.5, 0.0, 1.0])
    np.testing.assert_allclose(table["share_dedicated"], [0.0, 0.0, 0.5])
    np.testing.assert_allclose(table["mean_norm"], [0.5, 0.35, 1.5])
    np.testing.assert_allclose(table["mean_bias"], [0.2, 0.1, 0.0])


def test_the_best_minimum_speaks_for_its_search() -> None:
    importance, probability = np.ones(3), np.array([0.9, 0.2, 0.1])
    minima = best_solutions(importance, probability, 1, n_starts=4)
    assert len(minima) > 1
    rows = [{"key": "k", "kind": "minimum", "bias": "trained", "rank": k} for k in range(len(minima))]
    rows.append({"key": "k", "kind": "predicted", "bias": "trained", "rank": 0})
    W = np.stack([*(minimum.W for minimum in minima), np.full((1, 3), 7.0)])
    b = np.stack([*(minimum.b for minimum in minima), np.zeros(3)])
    best = best_features(pd.DataFrame(rows), W, b)
    points = pd.DataFrame({"key": ["k"], "importance": [importance], "probability": [probability]})
    table = fate_table(points, [], best)
    np.testing.assert_allclose(table["best_norm"], np.abs(minima[0].W[0]))
    np.testing.assert_allclose(table["best_bias"], minima[0].b)
    np.testing.assert_array_equal(table["probability"], probability)
