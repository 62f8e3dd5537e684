"""Best solutions of a map's schedules: what is found, and what is kept from one run to the next."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps import solutions as map_solutions
from superposition_atlas.maps.points import make_points
from superposition_atlas.maps.solutions import HELD_BIASES, solve_points
from superposition_atlas.storage import store as stores
from superposition_atlas.storage.map_files import (
    SOLUTION_SCHEMA,
    MapPoints,
    read_points,
    read_solutions,
    write_points,
)
from superposition_atlas.storage.provenance import package_versions
from superposition_atlas.theory.exact_loss import exact_loss

from tests.unit.said import Said

# Three features in one dimension: a search takes some hundredths of a second.
GRID = {
    "kind": "grid",
    "family": ["geometric", "linear"],
    "mean_density": [0.2],
    "importance_ratio": [0.9],
    "order": ["aligned"],
}
SPEC = {"n_features": 3, "n_hidden": 1, "points": GRID | {"steepness": [3.0, 9.0]}}


def map_points(*steepness: float) -> MapPoints:
    made = make_points(3, 1, GRID | {"steepness": list(steepness)})
    points = sorted(made, key=lambda point: point.key)
    importance, probability = (
        np.stack([getattr(point, name) for point in points]) for name in ("importance", "probability")
    )
    return MapPoints([point.key for point in points], importance, probability, n_hidden=1)


FEW, MORE = map_points(3.0, 9.0), map_points(3.0, 5.0, 9.0)


def solved(
    store: Path, points: MapPoints = FEW, biases: Any = ("trained",), n_starts: int = 2
) -> pd.DataFrame:
    return solve_points(points, list(biases), n_starts, store)


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    plain = [name for name in SOLUTION_SCHEMA.names if name not in ("W", "b")]
    pd.testing.assert_frame_equal(one[plain], other[plain], check_exact=True)
    for name in ("W", "b"):
        np.testing.assert_array_equal(np.stack(one[name].to_list()), np.stack(other[name].to_list()))


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    return Said(caplog)


# --- what is found -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_biases(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return solved(tmp_path_factory.mktemp("store"), biases=sorted(HELD_BIASES), n_starts=4)


def test_each_schedule_has_minima_of_every_search_and_two_predictions(all_biases: pd.DataFrame) -> None:
    assert all_biases.columns.tolist() == SOLUTION_SCHEMA.names
    assert set(all_biases["key"]) == set(FEW.key)
    for _, rows in all_biases.groupby("key"):
        assert set(zip(rows["kind"], rows["bias"], strict=True)) == {
            *(("minimum", bias) for bias in HELD_BIASES),
            ("predicted", "trained"),
            ("matching", "trained"),
        }
        for _, minima in rows[rows["kind"] == "minimum"].groupby("bias"):
            assert minima["rank"].tolist() == list(range(len(minima)))
            assert minima["loss"].is_monotonic_increasing
            assert (minima["n_starts"] >= 0).all()
            assert minima["n_starts"].sum() >= 4
            assert (minima["structure"] == "").all()
        foretold = rows[rows["kind"] != "minimum"]
        assert (foretold["rank"] == 0).all()
        assert (foretold["n_starts"] == 0).all()
        assert foretold["structure"].str.fullmatch(r"(dedicated \d|pair \d-\d)").all()


def test_a_minimums_loss_is_the_exact_loss_of_its_weights(all_biases: pd.DataFrame) -> None:
    for row in all_biases[all_biases["kind"] == "minimum"].to_dict("records"):
        point = FEW.key.index(row["key"])
        losses = exact_loss(row["W"].reshape(1, 3), row["b"], FEW.importance[point], FEW.probability[point])
        assert row["loss"] == pytest.approx(losses.mean(), rel=1e-9)


def test_held_biases_are_held_and_never_better(all_biases: pd.DataFrame) -> None:
    minima = all_biases[all_biases["kind"] == "minimum"]
    for key, probability in zip(FEW.key, FEW.probability, strict=True):
        rows = dict(iter(minima[minima["key"] == key].groupby("bias")))
        b = {bias: np.stack(found["b"].to_list()) for bias, found in rows.items()}
        assert np.all(b["zero"] == 0)
        assert np.all(b["mean"] == probability / 2)
        assert np.ptp(b["trained"]) > 0
        for held in ("zero", "mean"):
            assert rows["trained"]["loss"].min() <= rows[held]["loss"].min() * (1 + 1e-9)


# --- what is kept ------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_solved(tmp_path: Path, said: Said) -> None:
    first = solved(tmp_path)
    assert said.solved() == (4, 4, 0)
    assert_same(solved(tmp_path), first)
    assert said.solved() == (0, 4, 4)


def test_a_finer_grid_solves_the_new_points_only(tmp_path: Path, said: Said) -> None:
    solved(tmp_path / "a")
    said.solved()
    more = solved(tmp_path / "a", MORE)
    assert said.solved() == (2, 6, 4)
    assert_same(more, solved(tmp_path / "b", MORE))
    said.solved()
    few = solved(tmp_path / "a")
    # Files have other points as well: they are neither counted nor given.
    assert said.solved() == (0, 4, 4)
    assert_same(few, more[more["key"].isin(FEW.key)].reset_index(drop=True))


@pytest.mark.parametrize("change", ["n_starts", "biases", "code", "versions"])
def test_what_comes_from_another_search_is_solved_again(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    before = solved(tmp_path)
    said.solved()
    other: dict[str, Any] = {"n_starts": {"n_starts": 3}, "biases": {"biases": ["trained", "zero"]}}.get(
        change, {}
    )
    if change == "code":
        monkeypatch.setattr(map_solutions, "code_digest", lambda *modules: "another")
    elif change == "versions":
        versions = package_versions() | {"scipy": "0.0.0"}
        monkeypatch.setattr(stores, "package_versions", lambda: versions)
    again = solved(tmp_path, **other)
    assert said.solved() == (4, 4, 0)
    if change == "biases":
        assert_same(again[again["bias"] == "trained"].reset_index(drop=True), before)
    assert len(list(tmp_path.iterdir())) == 1
    solved(tmp_path, **other)
    assert said.solved() == (0, 4, 4)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_file_is_named_and_not_used(
    tmp_path: Path, said: Said, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(map_solutions, "_KEPT_EVERY", 0.0)
    first = solved(tmp_path)
    said.solved()
    path = sorted(tmp_path.glob("*.parquet"))[1]
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    path.write_bytes({"truncated": content[:-9], "flipped": bytes(flipped), "empty": b""}[damage])
    again = solved(tmp_path)
    assert str(path) in caplog.text
    assert "what was made before is ignored, and removed" in caplog.text
    assert said.solved() == (1, 4, 3)
    assert_same(again, first)
    solved(tmp_path)
    assert said.solved() == (0, 4, 4)


class Killed(BaseException):
    """As sudden as SIGKILL, to what comes after."""


def killed_after(n_solved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter(range(n_solved))
    search = map_solutions.best_solutions

    def counted(*arguments: Any, **more: Any) -> Any:
        if next(counts, None) is None:
            raise Killed
        return search(*arguments, **more)

    monkeypatch.setattr(map_solutions, "best_solutions", counted)


@pytest.mark.parametrize(("kept_every", "n_kept"), [(0.0, 3), (1e9, 0)])
def test_a_job_that_is_ended_loses_what_was_not_yet_kept(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, kept_every: float, n_kept: int
) -> None:
    monkeypatch.setattr(map_solutions, "_KEPT_EVERY", kept_every)
    with monkeypatch.context() as patched:
        killed_after(3, patched)
        with pytest.raises(Killed):
            solved(tmp_path / "a")
    said.solved()
    rest = solved(tmp_path / "a")
    assert said.solved() == (4 - n_kept, 4, n_kept)
    assert_same(rest, solved(tmp_path / "b"))


def test_no_points_are_no_solutions(tmp_path: Path, said: Said) -> None:
    nothing = MapPoints([], np.zeros((0, 3)), np.zeros((0, 3)), 1)
    found = solved(tmp_path / "store", nothing)
    assert said.solved() == (0, 0, 0)
    assert len(found) == 0
    assert found.columns.tolist() == SOLUTION_SCHEMA.names
    assert not (tmp_path / "store").exists()


# --- the command -------------------------------------------------------------------------------------------


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def write(folder: Path, points: MapPoints, shard: int = 0) -> Path:
    path = folder / "points" / f"shard={shard}" / "part.parquet"
    rows = [
        {"key": key, "importance": importance, "probability": probability}
        for key, importance, probability in zip(
            points.key, points.importance, points.probability, strict=True
        )
    ]
    write_points(rows, {}, path, {"n_hidden": points.n_hidden}, "code")
    return path


def solve(folder: Path, points: MapPoints, shard: int = 0, shards: int = 1, store: str = "store") -> Path:
    output = folder / "solutions" / f"shard={shard}" / "part.parquet"
    run(
        *("map-solutions", "--points", write(folder, points, shard), "--biases", "trained", "zero"),
        *("--n-starts", 2, "--shards", shards, "--store", folder / store, "--output", output),
    )
    return output


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """Works in a folder: paths are part of provenance."""
    here = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(here)


def test_the_same_solutions_are_the_same_bytes_however_they_came_about(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = solve(Path("map"), FEW).read_bytes()
    assert solve(Path("map"), FEW).read_bytes() == at_once
    monkeypatch.setattr(map_solutions, "_KEPT_EVERY", 0.0)
    solve(Path("map"), map_points(9.0), store="another")
    assert solve(Path("map"), FEW, store="another").read_bytes() == at_once


def test_shards_are_read_as_one_and_may_be_empty(tmp_path: Path) -> None:
    nothing = MapPoints([], np.zeros((0, 3)), np.zeros((0, 3)), 1)
    paths = [solve(tmp_path, points, shard, 2) for shard, points in enumerate((nothing, FEW))]
    frame, W = read_solutions(paths, 1, 3)
    assert set(frame["key"]) == set(FEW.key)
    assert W.shape == (len(frame), 1, 3)
    np.testing.assert_array_equal(W[-1].ravel(), frame["W"].iloc[-1])
    for none in ([], paths[:1]):
        frame, W = read_solutions(none, 1, 3)
        assert (len(frame), W.shape) == (0, (0, 1, 3))
        assert frame.columns.tolist() == SOLUTION_SCHEMA.names
    # Shards that a map no longer has would be read with the others.
    solve(tmp_path, FEW, shard=0, shards=1)
    assert [path.name for path in (tmp_path / "solutions").iterdir()] == ["shard=0"]


def test_other_tables_are_no_solutions(tmp_path: Path) -> None:
    points = write(tmp_path, FEW)
    with pytest.raises(ArtefactError, match="has no column 'kind'"):
        read_solutions([points], 1, 3)
    assert len(read_points(points)) == 4


def test_what_can_not_be_solved_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = MapPoints(["0" * 16], np.ones((1, 11)), np.full((1, 11), 0.1), 2)
    arguments = [
        *("map-solutions", "--points", write(tmp_path, wide), "--biases", "trained", "--n-starts", 1),
        *("--shards", 1, "--store", tmp_path / "store", "--output", tmp_path / "out.parquet"),
    ]
    assert main([str(argument) for argument in arguments]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "11 features" in line
    assert not (tmp_path / "out.parquet").exists()
