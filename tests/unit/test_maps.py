"""Maps: their points, and the toy models that are kept from one run to the next."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps import train_points as map_training
from superposition_atlas.maps.point_seeds import training_seeds
from superposition_atlas.maps.points import (
    RANDOM_DENSITIES,
    RANDOM_FAMILIES,
    RANDOM_IMPORTANCE_FAMILIES,
    Point,
    in_shard,
    make_points,
    point_key,
    points_digest,
    points_of,
    shard_of,
    with_mean,
)
from superposition_atlas.maps.train_points import train_points
from superposition_atlas.observations import scopes
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage import store as stores
from superposition_atlas.storage.map_files import MapPoints, read_map_models, read_points
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import package_versions, provenance_of
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.train_toy_models import train

from tests.unit.said import Said

TALK = Path(__file__).parents[2] / "config" / "config.yaml"

GRID = {
    "kind": "grid",
    "family": ["geometric", "linear"],
    "mean_density": [0.1, 0.5, 0.9],
    "steepness": [1.0, 3.0, 9.0],
    "importance_ratio": [1.0, 0.9],
    "order": ["aligned", "reversed", 3],
}


def grid(**changes: Any) -> list[Point]:
    return make_points(5, 2, GRID | changes)


def random_points(count: int, seed: int = 0) -> list[Point]:
    return make_points(5, 2, {"kind": "random", "count": count, "seed": seed})


def keys_of(points: list[Point]) -> list[str]:
    return [point.key for point in points]


# --- points ------------------------------------------------------------------------------------------------


@given(
    family=st.sampled_from(["geometric", "linear"]),
    n_features=st.integers(2, 12),
    mean=st.floats(1e-3, 1),
    steepness=st.floats(1, 1e3),
)
def test_mean_and_steepness_come_out(family: str, n_features: int, mean: float, steepness: float) -> None:
    described = GRID | {"family": [family], "mean_density": [mean], "steepness": [steepness]}
    points = make_points(n_features, 1, described)
    largest = with_mean(family, n_features, mean, steepness).max()
    assert bool(points) == (largest <= 1 + 4e-12)
    for point in points:
        p = point.probability
        assert p.shape == point.importance.shape == (n_features,)
        assert np.all((p > 0) & (p <= 1))
        assert p.mean() == pytest.approx(mean, rel=1e-10)
        assert p.max() / p.min() == pytest.approx(steepness, rel=1e-10)
        assert point.coordinates["mean_density"] == mean


def test_random_schedules_in_orders_are_the_drawn_ones_with_their_probabilities_given_otherwise() -> None:
    described = {"kind": "random", "count": 40, "seed": 0}
    orders = ["drawn", "aligned", "reversed", "uniform"]
    points = make_points(5, 2, described | {"order": orders})
    drawn = [point for point in points if point.coordinates["order"] == "drawn"]
    assert keys_of(drawn) == keys_of(random_points(40))
    about = {"aligned": scopes.aligned, "reversed": scopes.opposed}
    for point in points:
        first = drawn[int(point.coordinates["index"])]
        order = str(point.coordinates["order"])
        np.testing.assert_array_equal(point.importance, first.importance)
        assert point.coordinates["mean_density"] == first.coordinates["mean_density"]
        if order == "uniform":
            assert np.ptp(point.probability) == 0
            continue
        np.testing.assert_array_equal(np.sort(point.probability), np.sort(first.probability))
        if order in about and np.ptp(point.probability) > 0:
            assert np.ptp(point.importance) > 0, "of equally important features every order is the same"
            assert about[order](point.importance[None], point.probability[None], 2)[0]
    uneven = sum(np.ptp(point.importance) > 0 for point in drawn)
    assert len(points) == 2 * 40 + 2 * uneven


@given(first=st.floats(0.01, 1), last=st.floats(0.01, 1), family=st.sampled_from(["geometric", "linear"]))
def test_first_and_last_come_out(first: float, last: float, family: str) -> None:
    described = {key: GRID[key] for key in ("kind", "importance_ratio")} | {
        "family": [family],
        "order": ["aligned", "reversed"],
    }
    points = make_points(5, 2, described | {"first": [first], "last": [last]})
    assert [point.coordinates["order"] for point in points] == ["aligned", "aligned", "reversed"]
    for point in points:
        p = point.probability[::-1] if point.coordinates["order"] == "reversed" else point.probability
        assert p[0] == pytest.approx(first, rel=1e-11)
        assert p[-1] == pytest.approx(last, rel=1e-11)
        assert point.coordinates["steepness"] == pytest.approx(first / last, rel=1e-11)
        assert point.coordinates["mean_density"] == pytest.approx(p.mean(), rel=1e-11)


def test_orders_pair_probabilities_with_importance_as_the_cases_do() -> None:
    by_order = {
        point.coordinates["order"]: point
        for point in grid(mean_density=[0.5], steepness=[9.0], importance_ratio=[0.9], family=["linear"])
    }
    assert list(by_order) == ["aligned", "reversed", "3"]
    falling = by_order["aligned"].probability
    assert np.allclose(falling, [0.9, 0.7, 0.5, 0.3, 0.1])
    assert np.array_equal(by_order["reversed"].probability, falling[::-1])
    assert sorted(by_order["3"].probability) == sorted(falling)
    assert tuple(by_order["3"].probability) not in {tuple(falling), tuple(falling[::-1])}
    for point in by_order.values():
        assert np.allclose(point.importance, 0.9 ** np.arange(5))


def test_a_grid_holds_every_schedule_that_exists() -> None:
    found = {
        (point.coordinates["family"], point.coordinates["mean_density"], point.coordinates["steepness"])
        for point in grid()
    }
    expected = {
        (family, mean, steepness)
        for family in GRID["family"]
        for mean in GRID["mean_density"]
        for steepness in GRID["steepness"]
        if with_mean(family, 5, mean, steepness).max() <= 1
    }
    assert found == expected
    assert 0 < len(expected) < 2 * 3 * 3
    assert len(grid()) == len(expected) * (1 + 3)  # with equal importance, one order


def test_schedules_that_coincide_have_one_key() -> None:
    uniform = grid(steepness=[1.0], mean_density=[0.5], importance_ratio=[0.9])
    assert len(uniform) == 2 * 3
    assert len(set(keys_of(uniform))) == 1
    steep = grid(steepness=[3.0], mean_density=[0.1], importance_ratio=[0.9])
    assert len(set(keys_of(steep))) == len(steep) == 2 * 3


def test_the_key_is_of_the_schedule_and_n_hidden_alone() -> None:
    (point,) = grid(
        family=["linear"], mean_density=[0.5], steepness=[9.0], importance_ratio=[0.9], order=["aligned"]
    )
    explicit = point_key(2, 0.9 ** np.arange(5.0), np.array([0.9, 0.7, 0.5, 0.3, 0.1]))
    assert point.key == point_key(2, point.importance, point.probability)
    assert point.key != point_key(3, point.importance, point.probability)
    assert point.key != point_key(2, point.probability, point.importance)
    assert re.fullmatch("[0-9a-f]{16}", explicit)
    # Everywhere and every time: what was trained long ago is found by it.
    assert point_key(2, np.array([1.0, 0.5]), np.array([0.25, 0.125])) == "676b4dcdcb4d97b2"


@given(first=st.integers(1, 10000), last=st.integers(1, 10000), ulps=st.integers(-8, 8))
def test_the_last_bits_of_a_value_do_not_count(first: float, last: float, ulps: int) -> None:
    first, last = first / 10000, last / 10000
    described = {"kind": "grid", "family": ["linear"], "importance_ratio": [1.0], "order": ["aligned"]}
    one, other = (
        make_points(2, 1, described | {"first": [first * factor], "last": [last]})
        for factor in (1.0, 1.0 + ulps * 2.0**-52)
    )
    assert keys_of(one) == keys_of(other)


def test_perturbation_varies_one_feature() -> None:
    described = {"kind": "perturbation", "density": 0.05, "feature": 3, "varied": [0.01, 1.0]}
    points = make_points(5, 2, described | {"importance_ratio": [1.0]})
    assert [point.probability.tolist() for point in points] == [
        [0.05, 0.05, 0.05, 0.01, 0.05],
        [0.05, 0.05, 0.05, 1.0, 0.05],
    ]
    assert all(np.all(point.importance == 1) for point in points)


def test_random_points_are_of_all_families_and_in_range() -> None:
    points = random_points(600)
    low, high = RANDOM_DENSITIES
    for point in points:
        assert np.all((point.probability >= low * (1 - 1e-9)) & (point.probability <= high))
        assert np.all((point.importance > 0) & (point.importance <= 1))
    for name, families in (("family", RANDOM_FAMILIES), ("importance_family", RANDOM_IMPORTANCE_FAMILIES)):
        counts = pd.Series([point.coordinates[name] for point in points]).value_counts()
        assert set(counts.index) == set(families)
        assert counts.min() > 600 / len(families) / 2
    # Orders are random: the densest feature is each of the five.
    densest = np.bincount(
        [int(np.argmax(p.probability)) for p in points if p.coordinates["family"] == "linear"], minlength=5
    )
    assert densest.min() > 0
    assert len(set(keys_of(points))) == len(points)


@given(count=st.integers(1, 40), more=st.integers(0, 40), seed=st.integers(0, 2**63 - 1))
def test_a_larger_count_keeps_the_former_random_points(count: int, more: int, seed: int) -> None:
    few, many = random_points(count, seed), random_points(count + more, seed)
    assert keys_of(many)[:count] == keys_of(few)
    assert [point.coordinates for point in many[:count]] == [point.coordinates for point in few]


def test_another_seed_gives_other_random_points() -> None:
    assert not set(keys_of(random_points(50, 0))) & set(keys_of(random_points(50, 1)))


# --- shards ------------------------------------------------------------------------------------------------


@given(shards=st.integers(1, 1000))
def test_every_point_is_in_one_shard(shards: int) -> None:
    points = grid()
    parts = [in_shard(points, shard, shards) for shard in range(shards)]
    assert sorted(keys_of([point for part in parts for point in part])) == sorted(keys_of(points))
    # In ascending order, within a shard and from one to the next.
    assert [point.key for part in parts for point in part] == sorted(keys_of(points))


@given(key=st.integers(0, 2**64 - 1), shards=st.integers(1, 500), factor=st.integers(1, 5))
def test_shards_are_parts_of_larger_ones(key: int, shards: int, factor: int) -> None:
    text = f"{key:016x}"
    assert 0 <= shard_of(text, shards) < shards
    assert shard_of(text, shards * factor) // factor == shard_of(text, shards)


def test_shards_are_about_equal() -> None:
    counts = np.bincount([shard_of(key, 4) for key in keys_of(random_points(2000))])
    assert counts.min() > 420


def test_a_points_digest_is_of_keys_and_coordinates() -> None:
    points = grid()
    moved = [replace(points[0], coordinates={**points[0].coordinates, "order": "5"}), *points[1:]]
    assert points_digest(points) == points_digest(grid())
    assert len({points_digest(points), points_digest(moved), points_digest(points[1:])}) == 3


# --- what is kept ------------------------------------------------------------------------------------------

SETTINGS = TrainingSettings(steps=20, batch_size=16, learning_rate=0.01, init_scale=0.2)
TRAINED = {"engine": "fused", "device": "cpu", "threads": 1}


def map_points(*steepness: float) -> MapPoints:
    points = sorted(
        grid(steepness=list(steepness), mean_density=[0.1], order=["aligned"]), key=lambda point: point.key
    )
    return MapPoints(
        keys_of(points),
        np.stack([point.importance for point in points]),
        np.stack([point.probability for point in points]),
        n_hidden=2,
    )


FEW, MORE = map_points(3.0), map_points(3.0, 9.0)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    return Said(caplog)


def trained(
    store: Path,
    points: MapPoints = FEW,
    seeds: Any = range(3),
    settings: TrainingSettings = SETTINGS,
    **more: Any,
) -> pd.DataFrame:
    return train_points(points, seeds, settings, store=store, **TRAINED, **more)  # type: ignore[arg-type]


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        one[["key", "seed", "loss"]], other[["key", "seed", "loss"]], check_exact=True
    )
    for name in ("W", "b"):
        np.testing.assert_array_equal(np.stack(one[name].to_list()), np.stack(other[name].to_list()))


@pytest.mark.parametrize("chunk_size", [1, 5, None])
def test_toy_models_are_those_that_train_makes_alone(tmp_path: Path, chunk_size: int | None) -> None:
    rows = trained(tmp_path, seeds=[0, 7], chunk_size=chunk_size)
    assert len(rows) == 2 * len(FEW)
    for _, row in rows.iterrows():
        point = FEW.key.index(row["key"])
        schedule = Schedule(FEW.importance[point], FEW.probability[point])
        alone = train(schedule, 2, [row["training_seed"]], **SETTINGS.as_dict())
        np.testing.assert_array_equal(row["W"], alone.W[0].reshape(-1))
        np.testing.assert_array_equal(row["b"], alone.b[0])
        assert row["loss"] == alone.loss[0]


@given(
    keys=st.lists(st.integers(0, 2**64 - 1).map("{:016x}".format), min_size=1, max_size=4, unique=True),
    more=st.integers(0, 2**64 - 1).map("{:016x}".format),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_points_seeds_depend_on_its_key_alone(keys: list[str], more: str, seed: int) -> None:
    alone = [training_seeds([key], [seed])[0] for key in keys]
    assert training_seeds([*keys, more], [seed] * (len(keys) + 1))[:-1].tolist() == alone
    assert len(set(alone)) == len(keys)
    block = training_seeds([more] * 3, [0, 1, 2])
    assert np.diff(block).tolist() == [1, 1]


def test_no_seed_of_the_talks_maps_is_shared_between_schedules() -> None:
    maps = config.load(config.read(TALK)).maps.values()
    points = {point.key: len(map_.seeds) for map_ in maps for point in points_of(map_)}
    starts = np.sort(training_seeds(list(points), [0] * len(points)))
    assert np.diff(starts).min() > max(points.values())


def test_variants_of_a_point_are_paired_and_points_are_not(tmp_path: Path) -> None:
    standard, zero = trained(tmp_path), trained(tmp_path / "zero", settings=replace(SETTINGS, bias="zero"))
    assert standard["training_seed"].tolist() == zero["training_seed"].tolist()
    assert standard["training_seed"].is_unique
    assert standard.groupby("key")["seed"].agg(list).tolist() == [[0, 1, 2]] * len(FEW)


def test_the_second_time_nothing_is_trained(tmp_path: Path, said: Said) -> None:
    first = trained(tmp_path)
    assert said.trained() == (12, 12, 0)
    assert_same(trained(tmp_path), first)
    assert said.trained() == (0, 12, 12)


def test_a_finer_grid_trains_the_new_points_only(tmp_path: Path, said: Said) -> None:
    trained(tmp_path / "a")
    said.trained()
    more = trained(tmp_path / "a", MORE)
    assert said.trained() == (12, 24, 12)
    assert_same(more, trained(tmp_path / "b", MORE))
    said.trained()
    trained(tmp_path / "a")
    assert said.trained() == (0, 12, 12)


def test_more_seeds_train_the_new_seeds_only(tmp_path: Path, said: Said) -> None:
    trained(tmp_path / "a", seeds=[1, 5])
    said.trained()
    more = trained(tmp_path / "a", seeds=[5, 2**63 - 1, 1])
    assert said.trained() == (4, 12, 8)
    assert_same(more, trained(tmp_path / "b", seeds=[5, 2**63 - 1, 1]))


def test_what_is_kept_does_not_depend_on_shards(tmp_path: Path, said: Said) -> None:
    for shard in range(3):
        chosen = [index for index, key in enumerate(MORE.key) if shard_of(key, 3) == shard]
        if chosen:
            part = MapPoints(
                [MORE.key[index] for index in chosen], MORE.importance[chosen], MORE.probability[chosen], 2
            )
            trained(tmp_path, part)
            said.trained()
    trained(tmp_path, MORE)
    assert said.trained() == (0, 24, 24)


class Killed(BaseException):
    """As sudden as SIGKILL, to what comes after."""


def test_a_job_that_is_ended_loses_a_chunk_at_most(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def train_twice(schedule: Schedule, *arguments: Any, **more: Any) -> Any:
        calls.append(len(schedule.probability))
        if len(calls) == 3:
            raise Killed
        return train(schedule, *arguments, **more)

    monkeypatch.setattr(map_training, "train", train_twice)
    with pytest.raises(Killed):
        trained(tmp_path / "a", chunk_size=5)
    said.trained()
    monkeypatch.undo()
    rest = trained(tmp_path / "a")
    assert said.trained() == (4, 12, 8)
    assert_same(rest, trained(tmp_path / "b"))


def test_what_is_left_is_cut_where_the_ended_job_would_have_cut_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else the checkpoint of the chunk that was interrupted would belong to none.
    chunks: list[list[int]] = []

    def noted(schedule: Schedule, n_hidden: int, seeds: list[int], **more: Any) -> Any:
        if len(chunks) == 4:
            chunks.append([])
            raise Killed
        chunks.append(seeds)
        return train(schedule, n_hidden, seeds, **more)

    monkeypatch.setattr(map_training, "train", noted)
    with pytest.raises(Killed):
        trained(tmp_path / "b", seeds=range(7), chunk_size=3)
    before = chunks[:4]
    assert [len(seeds) for seeds in before] == [3, 3, 3, 3]
    trained(tmp_path / "b", seeds=range(7), chunk_size=3)
    after = chunks[5:]
    chunks.clear()
    chunks.extend([[]] * 5)
    trained(tmp_path / "c", seeds=range(7), chunk_size=3)
    assert before + after == chunks[5:]
    assert max(len(seeds) for seeds in after) - min(len(seeds) for seeds in after) <= 1


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_named_and_not_used(
    tmp_path: Path, said: Said, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    first = trained(tmp_path, chunk_size=5)
    said.trained()
    path = sorted(tmp_path.glob("*.parquet"))[0]
    content = path.read_bytes()
    n_lost = len(read_table(path))
    if damage == "foreign":
        pd.DataFrame({"key": [1]}).to_parquet(path)
    else:
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        path.write_bytes({"truncated": content[:-9], "flipped": bytes(flipped), "empty": b""}[damage])
    again = trained(tmp_path)
    assert str(path) in caplog.text
    assert "what was made before is ignored, and removed" in caplog.text
    assert said.trained() == (n_lost, 12, 12 - n_lost)
    assert_same(again, first)
    trained(tmp_path)
    assert said.trained() == (0, 12, 12)


@pytest.mark.parametrize("change", ["settings", "code", "versions"])
def test_what_comes_from_other_settings_or_code_is_trained_again(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    trained(tmp_path / "a")
    said.trained()
    settings = SETTINGS
    if change == "settings":
        settings = replace(SETTINGS, learning_rate=0.02)
    elif change == "code":
        monkeypatch.setattr(map_training, "code_digest", lambda *modules: "another")
    else:
        versions = package_versions() | {"numba": "0.0.0"}
        monkeypatch.setattr(stores, "package_versions", lambda: versions)
    again = trained(tmp_path / "a", settings=settings)
    assert said.trained() == (12, 12, 0)
    assert_same(again, trained(tmp_path / "b", settings=settings))
    said.trained()
    files = list((tmp_path / "a").iterdir())
    assert len(files) == 1
    trained(tmp_path / "a", settings=settings)
    assert said.trained() == (0, 12, 12)


def test_packages_that_decide_no_bits_do_not_count(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path)
    said.trained()
    versions = package_versions() | {"pandas": "0.0.0"}
    monkeypatch.setattr(stores, "package_versions", lambda: versions)
    trained(tmp_path)
    assert said.trained() == (0, 12, 12)


def test_half_a_file_of_a_killed_job_is_cleared_away(tmp_path: Path) -> None:
    trained(tmp_path)
    (whole,) = tmp_path.iterdir()
    half = tmp_path / f".{whole.name}.abcd.parquet"
    half.write_bytes(whole.read_bytes()[:100])
    elsewhere = tmp_path / ".0000000000000000-0000000000000001-0.parquet.x.parquet"  # another job's
    elsewhere.touch()
    trained(tmp_path)
    assert set(tmp_path.iterdir()) == {whole, elsewhere}


def test_no_points_are_no_toy_models(tmp_path: Path, said: Said) -> None:
    nothing = MapPoints([], np.zeros((0, 5)), np.zeros((0, 5)), 2)
    assert len(trained(tmp_path / "store", nothing)) == 0
    assert said.trained() == (0, 0, 0)


# --- commands ----------------------------------------------------------------------------------------------

SPEC = {"n_features": 5, "n_hidden": 2, "points": GRID | {"mean_density": [0.1], "steepness": [1.0, 3.0]}}
TRAINING = {"seeds": 2, "variants": {"standard": SETTINGS.as_dict()}}


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def json_of(value: object) -> str:
    return json.dumps(value)


def make(folder: Path, shards: int, spec: Any = SPEC) -> None:
    for shard in range(shards):
        points = folder / "points" / f"shard={shard}" / "part.parquet"
        weights = folder / "weights" / f"shard={shard}" / "part.parquet"
        which = ("--shards", shards)
        run("map-points", "--spec", json_of(spec), "--shard", shard, *which, "--output", points)
        run(
            *("map-weights", "--points", points, "--spec", json_of(TRAINING), *which),
            *("--store", folder / "store", "--output", weights),
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, 3)
    return folder


def test_folders_are_read_as_tables(made: Path) -> None:
    points = pd.read_parquet(made / "points")
    weights = pd.read_parquet(made / "weights")
    expected = make_points(5, 2, SPEC["points"])
    assert len(points) == len(expected)
    assert set(points["key"]) == set(keys_of(expected))
    assert {"family", "mean_density", "steepness", "importance_ratio", "order", "shard"} <= set(points)
    assert len(weights) == 2 * len(set(keys_of(expected)))
    assert weights.columns.tolist() == ["key", "variant", "seed", "training_seed", "W", "b", "loss", "shard"]
    assert not weights.duplicated(["key", "seed"]).any()
    joined = weights.merge(points.drop_duplicates("key"), on="key", validate="many_to_one")
    assert len(joined) == len(weights)


def test_toy_models_come_back_as_arrays(made: Path) -> None:
    total = 0
    for path in sorted((made / "weights").rglob("*.parquet")):
        models = read_map_models(path, n_hidden=2)
        points = read_points(made / "points" / path.parent.name / "part.parquet")
        total += len(models)
        assert models.key == [key for key in points.key for _ in range(2)]
        for key, seed, W, b in zip(models.key, models.training_seed, models.W, models.b, strict=True):
            point = points.key.index(key)
            schedule = Schedule(points.importance[point], points.probability[point])
            alone = train(schedule, 2, [seed], **SETTINGS.as_dict())
            np.testing.assert_array_equal(W, alone.W[0])
            np.testing.assert_array_equal(b, alone.b[0])
    assert total == 2 * len({point.key for point in make_points(5, 2, SPEC["points"])})


def test_the_same_commands_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    here = Path.cwd()
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        os.chdir(folder)
        try:
            make(Path("map"), 2)
        finally:
            os.chdir(here)
        contents.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("part.parquet")})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 4


def test_fewer_shards_leave_none_behind(made: Path, tmp_path: Path) -> None:
    make(tmp_path, 5)
    before = pd.read_parquet(tmp_path / "weights")
    make(tmp_path, 2)
    for folder in ("points", "weights"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == ["shard=0", "shard=1"]
    after = pd.read_parquet(tmp_path / "weights")
    assert sorted(zip(after["key"], after["seed"], strict=True)) == sorted(
        zip(before["key"], before["seed"], strict=True)
    )


def test_shards_without_points_are_empty_tables(tmp_path: Path) -> None:
    spec = SPEC | {"points": SPEC["points"] | {"steepness": [1.0], "importance_ratio": [0.9]}}
    make(tmp_path, 4, spec)
    counts = [len(pd.read_parquet(path)) for path in sorted((tmp_path / "weights").rglob("*.parquet"))]
    assert sorted(counts) == [0, 0, 0, 2]
    assert len(pd.read_parquet(tmp_path / "weights")) == 2
    assert len(pd.read_parquet(tmp_path / "points")) == 6
    types = {str(pd.read_parquet(path).dtypes.to_dict()) for path in (tmp_path / "points").rglob("*.parquet")}
    assert len(types) == 1


def test_other_tables_are_no_points(made: Path, tmp_path: Path) -> None:
    weights = next((made / "weights").rglob("*.parquet"))
    with pytest.raises(ArtefactError, match="has no column 'importance'"):
        read_points(weights)
    with pytest.raises(ArtefactError, match="has no column 'variant'"):
        read_map_models(next((made / "points").rglob("*.parquet")), 2)
    rows = {"key": ["0"], "importance": [[1.0]], "probability": [[1.0]]}
    write_table(pd.DataFrame(rows), tmp_path / "x.parquet", provenance_of({}, "code"))
    with pytest.raises(ArtefactError, match="holds no points of a map"):
        read_points(tmp_path / "x.parquet")


LONG = {
    "seeds": 40,
    "variants": {"standard": TrainingSettings(steps=2000, batch_size=256, init_scale=0.2).as_dict()},
}


def start(folder: Path, points: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "superposition_atlas", "map-weights", "--points", str(points)),
            *(
                "--spec",
                json_of(LONG),
                "--shards",
                "1",
                "--engine",
                "fused",
                "--store",
                str(folder / "store"),
            ),
            *(
                "--checkpoint",
                str(folder / "checkpoint.safetensors"),
                "--output",
                str(folder / "out.parquet"),
            ),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


def lines_until(process: subprocess.Popen[str], text: str) -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line
        if text in line:
            return


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The points of a map, and the file of weights that a job makes of them if nothing ends it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    points = folder / "points" / "shard=0" / "part.parquet"
    run("map-points", "--spec", json_of(SPEC), "--shard", 0, "--shards", 1, "--output", points)
    assert start(folder, points).wait() == 0
    return points, (folder / "out.parquet").read_bytes()


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_job_goes_on_to_the_same_bytes(
    tmp_path: Path, undisturbed: tuple[Path, bytes], number: signal.Signals
) -> None:
    points, expected = undisturbed
    process = start(tmp_path / "b", points)
    assert any("about" in line for line in lines_until(process, "about"))
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == (130 if number == signal.SIGTERM else -number)
    if number == signal.SIGTERM:
        assert "error: map-weights was interrupted (SIGTERM at step" in said
        assert (tmp_path / "b" / "checkpoint.safetensors").is_file()
    assert not (tmp_path / "b" / "out.parquet").exists()
    assert start(tmp_path / "b", points).wait() == 0
    assert (tmp_path / "b" / "out.parquet").read_bytes() == expected
    assert not (tmp_path / "b" / "checkpoint.safetensors").exists()


IN_CHUNKS = """
import sys
from pathlib import Path
from superposition_atlas.storage.map_files import read_points
from superposition_atlas.maps.train_points import train_points
from superposition_atlas.toy_model import TrainingSettings
settings = TrainingSettings(steps=2000, batch_size=256, init_scale=0.2)
points, store = read_points(Path(sys.argv[1])), Path(sys.argv[2])
train_points(points, range(40), settings, store=store, engine="fused", chunk_size=20)
"""


def test_what_a_killed_job_has_kept_is_not_trained_again(tmp_path: Path, said: Said) -> None:
    points = tmp_path / "points" / "shard=0" / "part.parquet"
    run("map-points", "--spec", json_of(SPEC), "--shard", 0, "--shards", 1, "--output", points)
    process = subprocess.Popen([sys.executable, "-c", IN_CHUNKS, str(points), str(tmp_path / "store")])
    while process.poll() is None and not list((tmp_path / "store").glob("[0-9a-f]*.parquet")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    settings = TrainingSettings(steps=2000, batch_size=256, init_scale=0.2)
    read = read_points(points)
    rows = trained(tmp_path / "store", read, range(40), settings)
    new, of, kept = said.trained()
    assert new + kept == of == 40 * len(read)
    assert kept >= 20
    assert_same(rows, trained(tmp_path / "fresh", read, range(40), settings))
