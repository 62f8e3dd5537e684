"""Maps in the workflow: what is trained again, and what is taken from the run before."""

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

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

STEEPNESS = "steepness: [1, 9]"
WEIGHTS = "results/maps/atlas/weights"
SHARDS = 2


def trained(workflow: Workflow) -> tuple[int, int]:
    """Makes the maps; gives the new and the kept toy models of the shards that were made, by their logs."""
    logs = workflow.folder / "results" / "logs" / "map_weights"
    shutil.rmtree(logs)
    result = workflow.run("atlas")
    assert result.returncode == 0, result.stdout + result.stderr
    said = "".join(path.read_text() for path in logs.rglob("*.log"))
    found = re.findall(r"trains (\d+) of \d+ toy models, (\d+) are there already", said)
    return sum(int(new) for new, _ in found), sum(int(kept) for _, kept in found)


def weights(workflow: Workflow) -> pd.DataFrame:
    table = pd.read_parquet(workflow.folder / WEIGHTS)
    table["W"], table["b"] = ([tuple(values) for values in table[name]] for name in ("W", "b"))
    return table.sort_values(["key", "seed"]).drop(columns="shard").reset_index(drop=True)


def keys(steepness: list[Any]) -> set[str]:
    """Of the tiny map with these values on its axis."""
    tiny = {"points": {"mean_density": [0.1], "importance_ratio": [0.9], "order": ["aligned"]}}
    raw = config.laid_over(config.read(ROOT / "config" / "config.yaml"), {"maps": {"atlas": tiny}})
    described = config.laid_over(raw, {"maps": {"atlas": {"points": {"steepness": steepness}}}})
    return {point.key for point in points_of(config.load(described).maps["atlas"])}


def test_the_map_is_a_table(built: Workflow) -> None:
    points = pd.read_parquet(built.folder / "results/maps/atlas/points")
    assert len(points) == 2 * 2
    assert len(weights(built)) == 2 * points["key"].nunique() == 2 * 3


def test_a_finer_grid_trains_the_new_points_only(workflow: Workflow) -> None:
    before = weights(workflow)
    workflow.edit("tiny.yaml", STEEPNESS, "steepness: [1, 3, 9]")
    assert trained(workflow)[0] == 4
    after = weights(workflow)
    pd.testing.assert_frame_equal(
        after[after["key"].isin(before["key"])].reset_index(drop=True), before, check_exact=True
    )
    for path in (*workflow.folder.rglob("*.parquet"), *workflow.folder.rglob("*.py")):
        os.utime(path)
    assert workflow.planned("atlas") == {}
    # Nor does the way back, or another number of shards.
    workflow.edit("tiny.yaml", "steepness: [1, 3, 9]", STEEPNESS)
    workflow.edit(
        "tiny.yaml",
        "    seeds: 2\n    training: {steps: 20,",
        "    shards: 3\n    seeds: 2\n    training: {steps: 20,",
    )
    assert trained(workflow) == (0, 6)
    pd.testing.assert_frame_equal(weights(workflow), before, check_exact=True)


def test_a_new_point_concerns_its_own_shard_only(workflow: Workflow) -> None:
    known = keys([1, 9])
    # A value whose new points are all in one shard: which one, the hash decides.
    for steepness in range(10, 100):
        new = {shard_of(key, SHARDS) for key in keys([1, 9, steepness]) - known}
        if len(new) == 1:
            break
    (shard,) = new
    workflow.edit("tiny.yaml", STEEPNESS, f"steepness: [1, 9, {steepness}]")
    plan = workflow.planned("atlas")
    plan.pop("atlas", None)
    assert plan == {
        "map_points": {f"results/maps/atlas/points/shard={shard}/part.parquet"},
        "map_weights": {f"{WEIGHTS}/shard={shard}/part.parquet"},
    }


def test_other_settings_train_everything_again(workflow: Workflow) -> None:
    before = weights(workflow)
    workflow.edit("tiny.yaml", "training: {steps: 20,", "training: {steps: 21,")
    assert trained(workflow) == (6, 0)
    assert not set(weights(workflow)["W"]) & set(before["W"])


def test_a_deleted_shard_is_written_again_and_nothing_trained(workflow: Workflow) -> None:
    path: Path = workflow.folder / WEIGHTS / "shard=0" / "part.parquet"
    content = path.read_bytes()
    path.unlink()
    assert workflow.planned("atlas").keys() - {"atlas"} == {"map_weights"}
    assert trained(workflow) == (0, len(pd.read_parquet(path)))
    assert path.read_bytes() == content


def test_without_seeds_there_are_points_alone(workflow: Workflow) -> None:
    workflow.edit(
        "tiny.yaml", "    seeds: 2\n    training: {steps: 20,", "    seeds: 0\n    training: {steps: 20,"
    )
    (workflow.folder / "results/maps/atlas/points/shard=0/part.parquet").unlink()
    assert workflow.planned("atlas").keys() - {"atlas"} == {"map_points"}
