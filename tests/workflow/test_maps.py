"""Maps in the workflow: what is trained and solved again, and what is taken from the run before."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.maps.points import points_of, shard_of

from .conftest import ROOT, Workflow

pytestmark = pytest.mark.workflow

STEEPNESS = "steepness: [1, 9]"
TRAINING = "    seeds: 2\n    training: {steps: 20,"
MAP = "results/maps/atlas"
SHARDS, VARIANTS, SEEDS = 2, 2, 2
TABLES = {f"{MAP}/{table}.parquet" for table in ("models", "solutions", "points", "features")}
MATCHING = {f"{MAP}/matching.parquet"}


def made(workflow: Workflow) -> tuple[tuple[int, int], tuple[int, int]]:
    """Makes the maps; gives new and kept toy models, and schedules, of the shards that were made."""
    logs = workflow.folder / "results" / "logs"
    for name in ("map_weights", "map_solutions"):
        shutil.rmtree(logs / name)
    result = workflow.run("atlas")
    assert result.returncode == 0, result.stdout + result.stderr
    return (
        _said(logs / "map_weights", r"trains (\d+) of \d+ toy models, (\d+) are there already"),
        _said(logs / "map_solutions", r"solves (\d+) of \d+ schedules, (\d+) are there already"),
    )


def _said(logs: Path, pattern: str) -> tuple[int, int]:
    found = re.findall(pattern, "".join(path.read_text() for path in logs.rglob("*.log")))
    return sum(int(new) for new, _ in found), sum(int(kept) for _, kept in found)


def rows(workflow: Workflow, table: str, by: list[str]) -> pd.DataFrame:
    """All shards of a table."""
    found = pd.read_parquet(workflow.folder / MAP / table)
    found["W"], found["b"] = ([tuple(values) for values in found[name]] for name in ("W", "b"))
    return found.sort_values(by).drop(columns="shard").reset_index(drop=True)


def weights(workflow: Workflow) -> pd.DataFrame:
    return rows(workflow, "weights", ["key", "variant", "seed"])


def solutions(workflow: Workflow) -> pd.DataFrame:
    return rows(workflow, "solutions", ["key", "kind", "bias", "rank"])


def shards_of(table: str, *shards: int) -> set[str]:
    return {f"{MAP}/{table}/shard={shard}/part.parquet" for shard in shards}


def planned(workflow: Workflow) -> dict[str, set[str]]:
    plan = workflow.planned("atlas")
    plan.pop("atlas", None)
    return plan


def keys(steepness: list[Any]) -> set[str]:
    """Of the tiny map with these values on its axis."""
    tiny = {"points": {"mean_density": [0.1], "importance_ratio": [0.9], "order": ["aligned"]}}
    raw = config.laid_over(config.read(ROOT / "config" / "config.yaml"), {"maps": {"atlas": tiny}})
    described = config.laid_over(raw, {"maps": {"atlas": {"points": {"steepness": steepness}}}})
    return {point.key for point in points_of(config.load(described).maps["atlas"])}


def test_the_map_is_a_table(built: Workflow) -> None:
    points = pd.read_parquet(built.folder / MAP / "points")
    n_keys = points["key"].nunique()
    assert (len(points), n_keys) == (2 * 2, 3)
    assert len(weights(built)) == SEEDS * VARIANTS * n_keys
    assert set(solutions(built)["key"]) == set(points["key"])
    models, found, summary = (
        pd.read_parquet(built.folder / MAP / f"{table}.parquet")
        for table in ("models", "solutions", "points")
    )
    assert len(models) == SEEDS * VARIANTS * n_keys
    assert models.groupby("variant")["bias"].unique().explode().to_dict() == {
        "standard": "trained",
        "zero": "zero",
    }
    assert models["excess_loss"].notna().all()
    assert set(found["bias"]) == {"trained", "zero"}
    assert len(summary) == VARIANTS * len(points)
    assert summary["best_loss"].notna().all()


def test_an_experiments_losses_are_tables_where_schedules_are_solved(built: Workflow) -> None:
    losses, found = (
        pd.read_parquet(built.folder / f"results/metrics/talk/{table}.parquet")
        for table in ("losses", "solutions")
    )
    models = pd.read_parquet(built.folder / "results/metrics/talk/models.parquet")
    names = ["case", "seed", "shown", "loss"]
    pd.testing.assert_frame_equal(losses[names], models[names])
    assert losses["excess_loss"].notna().all()
    assert set(found["key"]) == set(losses["key"])
    assert not (built.folder / "results/metrics/wide/losses.parquet").exists()


def test_a_finer_grid_trains_and_solves_the_new_points_only(workflow: Workflow) -> None:
    before, solved_before = weights(workflow), solutions(workflow)
    tables = {path: (workflow.folder / path).read_bytes() for path in TABLES}
    workflow.edit("tiny.yaml", STEEPNESS, "steepness: [1, 3, 9]")
    (trained, _), (solved, _) = made(workflow)
    assert (trained, solved) == (2 * SEEDS * VARIANTS, 2)
    for after, former in ((weights(workflow), before), (solutions(workflow), solved_before)):
        known = after[after["key"].isin(former["key"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(known, former, check_exact=True)
    for path in (*workflow.folder.rglob("*.parquet"), *workflow.folder.rglob("*.py")):
        os.utime(path)
    assert workflow.planned("atlas") == {}
    # Nor does the way back, or another number of shards.
    workflow.edit("tiny.yaml", "steepness: [1, 3, 9]", STEEPNESS)
    workflow.edit("tiny.yaml", TRAINING, f"    shards: 3\n{TRAINING}")
    assert made(workflow) == ((0, 3 * SEEDS * VARIANTS), (0, 3))
    pd.testing.assert_frame_equal(weights(workflow), before, check_exact=True)
    pd.testing.assert_frame_equal(solutions(workflow), solved_before, check_exact=True)
    for path, content in tables.items():
        one, other = (pd.read_parquet(at) for at in (workflow.folder / path, _written(workflow, content)))
        order = [
            name
            for name in ("key", "variant", "seed", "kind", "bias", "rank", "family", "feature")
            if name in one
        ]
        pd.testing.assert_frame_equal(
            one.sort_values(order, ignore_index=True), other.sort_values(order, ignore_index=True)
        )


def _written(workflow: Workflow, content: bytes) -> Path:
    path = workflow.folder / "former.parquet"
    path.write_bytes(content)
    return path


def test_a_new_point_concerns_its_own_shard_only(workflow: Workflow) -> None:
    known = keys([1, 9])
    # A value whose new points are all in one shard: which one, the hash decides.
    for steepness in range(10, 100):
        new = {shard_of(key, SHARDS) for key in keys([1, 9, steepness]) - known}
        if len(new) == 1:
            break
    (shard,) = new
    workflow.edit("tiny.yaml", STEEPNESS, f"steepness: [1, 9, {steepness}]")
    assert planned(workflow) == {
        "map_points": shards_of("points", shard),
        "map_weights": shards_of("weights", shard),
        "map_solutions": shards_of("solutions", shard),
        "map_measures": TABLES,
        "map_matching": MATCHING,
    }


def test_another_search_solves_again_and_trains_nothing(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "n_starts: 2", "n_starts: 3")
    assert planned(workflow) == {"map_solutions": shards_of("solutions", 0, 1), "map_measures": TABLES}


def test_other_training_trains_again_and_solves_what_it_is_compared_with(workflow: Workflow) -> None:
    before = weights(workflow)
    workflow.edit("tiny.yaml", "training: {steps: 20,", "training: {steps: 21,")
    assert planned(workflow) == {
        "map_weights": shards_of("weights", 0, 1),
        "map_solutions": shards_of("solutions", 0, 1),
        "map_measures": TABLES,
        "map_matching": MATCHING,
    }
    workflow.edit("tiny.yaml", "zero: {bias: zero}}", "zero: {steps: 20, bias: zero}, mean: {bias: mean}}")
    # What is said of `zero` comes to what it was: it alone is not trained again.
    assert made(workflow) == ((2 * 3 * SEEDS, 3 * SEEDS), (3, 0))
    after = weights(workflow)
    assert not set(after.loc[after["variant"] != "zero", "W"]) & set(before["W"])
    pd.testing.assert_frame_equal(
        after[after["variant"] == "zero"].reset_index(drop=True),
        before[before["variant"] == "zero"].reset_index(drop=True),
        check_exact=True,
    )


def test_a_deleted_shard_is_written_again_and_nothing_trained_or_solved(workflow: Workflow) -> None:
    paths = [workflow.folder / path for table in ("weights", "solutions") for path in shards_of(table, 0)]
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    assert planned(workflow) == {
        "map_weights": shards_of("weights", 0),
        "map_solutions": shards_of("solutions", 0),
        "map_measures": TABLES,
        "map_matching": MATCHING,
    }
    (trained, _), (solved, _) = made(workflow)
    assert (trained, solved) == (0, 0)
    assert [path.read_bytes() for path in paths] == contents


def test_without_seeds_schedules_are_solved_alone(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", TRAINING, TRAINING.replace("seeds: 2", "seeds: 0"))
    shutil.rmtree(workflow.folder / MAP)
    plan = planned(workflow)
    assert set(plan) == {"map_points", "map_solutions", "map_measures", "map_matching"}
