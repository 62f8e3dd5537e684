"""Toy models of a case in shards, and those that are kept: cut in any way, they are the same."""

import json
import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.cli.main import main
from superposition_atlas.config import costs, load
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.toy_model import TENSORS
from superposition_atlas.training.trained_before import shard_of_seed

TRAINING = {"steps": 12, "batch_size": 8, "learning_rate": 0.01, "record_steps": [0, 12]}


def experiment(seeds: Any, **changes: Any) -> dict[str, Any]:
    per_instance = {
        "family": "per_instance",
        "of": {"family": "linear", "first": 0.9, "last": 0.2},
        "count": 2,
    }
    described = {
        "n_features": 4,
        "n_hidden": 2,
        "seeds": seeds,
        "training": TRAINING | changes,
        "cases": {"only": {"probability": per_instance}},
    }
    return {"experiments": {"small": described}}


def test_what_experiments_keep_is_apart_from_what_maps_keep() -> None:
    """An experiment may be named maps, and a case of it as a map is."""
    for rules, folder in (("train", "experiments/{experiment}"), ("maps", "maps/{map}")):
        text = (Path(__file__).parents[2] / "workflow" / "rules" / f"{rules}.smk").read_text()
        assert (
            text.count("layout.store(")
            == len(re.findall(rf'layout\.store\(\s*"{re.escape(folder)}/', text))
            == 3
        )


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def made(folder: Path, seeds: Any, shards: int = 1, **changes: Any) -> Path:
    """The toy models of a case, by the commands, from what is kept in the folder."""
    schedules, whole = folder / "schedules.parquet", folder / f"of_{shards}.safetensors"
    spec = json.dumps(experiment(seeds, **changes))
    run("schedules", "--experiment", "small", "--spec", spec, "--output", schedules)
    case = ("--schedules", schedules, "--case", "only")
    parts = [whole] if shards == 1 else [folder / f"shard={shard}.safetensors" for shard in range(shards)]
    for shard, part in enumerate(parts):
        cut = ("--shard", shard, "--shards", shards, "--store", folder / "kept")
        run("train", *case, *cut, "--engine", "fused", "--output", part)
    if shards > 1:
        run("join-models", *case, "--models", *parts, "--output", whole)
    return whole


def trained(log: pytest.LogCaptureFixture) -> tuple[int, int]:
    """New and kept toy models of all calls since the last."""
    said = [record.args for record in log.records if record.msg.startswith("trains ")]
    log.clear()
    return sum(args[0] for args in said), sum(args[2] for args in said)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_shards_are_joined_to_the_same_bytes(tmp_path: Path) -> None:
    contents = set()
    # With as many shards as seeds, some have none.
    for shards in (1, 2, 5):
        folder = tmp_path / str(shards)
        contents.add(made(folder, [3, 9, 4, 2**62, 0], shards).read_bytes())
    assert len(contents) == 1


def test_more_seeds_train_the_new_ones_only(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    made(tmp_path / "grown", 3)
    assert trained(said) == (3, 0)
    grown = made(tmp_path / "grown", 7)
    assert trained(said) == (4, 3)
    assert grown.read_bytes() == made(tmp_path / "at_once", 7).read_bytes()
    said.clear()
    made(tmp_path / "grown", 7, shards=3)
    assert trained(said) == (0, 7)
    made(tmp_path / "grown", [2, 5, 11])
    # Seed 5 is second here, and has the other of the two schedules; so has seed 2, as before, the first.
    assert trained(said) == (1, 2)


def test_other_settings_train_all(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    made(tmp_path, 3)
    made(tmp_path, 3, learning_rate=0.02)
    assert trained(said) == (6, 0)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_what_another_job_is_writing_is_left_alone(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    made(tmp_path, 3)
    (kept,) = (tmp_path / "kept").iterdir()
    half = kept.with_name(".0123456789abcdef0123456789abcdef.safetensors.x1.safetensors")
    half.write_bytes(kept.read_bytes()[:100])
    own = kept.rename(kept.with_name(f".{kept.name}.x2.safetensors"))  # of this very job, which was killed
    (tmp_path / "kept" / "folder.safetensors").mkdir()
    said.clear()
    made(tmp_path, 3)
    assert trained(said) == (3, 0)
    assert half.exists()
    assert kept.exists()
    assert not own.exists()


def test_what_another_case_has_trained_is_taken_and_left_as_it_is(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    first = made(tmp_path / "first", [1, 2, 3])
    store = tmp_path / "first" / "kept"
    (kept,) = store.iterdir()
    half = store / f".{kept.name}"
    half.write_bytes(kept.read_bytes()[:100])
    (tmp_path / "second").mkdir()
    case = ("--schedules", tmp_path / "first" / "schedules.parquet", "--case", "only", "--engine", "fused")
    here = ("--store", tmp_path / "second" / "kept", "--elsewhere", store, "--output")
    said.clear()
    run("train", *case, *here, tmp_path / "same.safetensors")
    assert trained(said) == (0, 3)
    assert (tmp_path / "same.safetensors").read_bytes() == first.read_bytes()
    # Of other settings: not taken, and not removed either.
    other = made(tmp_path / "other", [1, 2, 3], learning_rate=0.02).parent / "schedules.parquet"
    said.clear()
    run("train", "--schedules", other, *case[2:], *here, tmp_path / "new.safetensors")
    assert trained(said) == (3, 0)
    assert {*store.iterdir()} == {kept, half}


def test_what_is_damaged_is_trained_again(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    before = made(tmp_path, 3).read_bytes()
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    made(tmp_path, 4)
    assert trained(said) == (3 + 4, 0)
    assert made(tmp_path, 3).read_bytes() == before


def test_a_shard_that_lacks_a_seed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = made(tmp_path, 4, shards=2)
    parts = [tmp_path / f"shard={shard}.safetensors" for shard in range(2)]
    fewer = read_models(parts[0])
    spec = read_tensors(parts[0])[1]["spec"]
    write_models(fewer.select(slice(0, len(fewer) - 1)), parts[0], spec, "")
    schedules = tmp_path / "schedules.parquet"
    case = ["--schedules", str(schedules), "--case", "only", "--models", *map(str, parts)]
    assert main(["join-models", *case, "--output", str(whole)]) == 1
    assert f"has no toy model of seed {fewer.seeds[-1]}" in capsys.readouterr().err


def test_recorded_weights_are_joined_too(tmp_path: Path) -> None:
    models = read_models(made(tmp_path, 6, shards=3))
    assert models.history is not None
    np.testing.assert_array_equal(models.history.W[-1], models.W)
    assert {len(getattr(models, name)) for name in TENSORS} == {6}


@given(seed=st.integers(0, 2**63 - 1), shards=st.integers(1, 500), factor=st.integers(1, 5))
def test_shards_of_seeds_are_parts_of_larger_ones(seed: int, shards: int, factor: int) -> None:
    assert 0 <= shard_of_seed(seed, shards) < shards
    assert shard_of_seed(seed, shards * factor) // factor == shard_of_seed(seed, shards)


def test_shards_of_seeds_are_about_equal() -> None:
    counts = Counter(shard_of_seed(seed, 16) for seed in range(16_000))
    # Five standard deviations of a binomial.
    assert all(abs(counts[shard] - 1000) < 5 * 1000**0.5 for shard in range(16))


# --- how many ----------------------------------------------------------------------------------------------


@given(models=st.integers(0, 10**12), work=st.floats(0, 1e30), more=st.floats(1, 100))
def test_more_work_is_never_fewer_shards(models: int, work: float, more: float) -> None:
    shards = costs.shards(models, work)
    assert 1 <= shards <= costs.shards(models, work * more) <= costs.MOST_SHARDS
    if shards < costs.MOST_SHARDS:
        assert work / shards <= costs.SHARD_OPERATIONS * (1 + 1e-9)
        assert models / shards <= costs.SHARD_MODELS


def test_many_seeds_are_cut_by_themselves() -> None:
    def shards(seeds: int, **changes: Any) -> int:
        spec = experiment(seeds, steps=10_000, batch_size=1024, record_steps=[], **changes)
        return load(spec).experiments["small"].shards

    assert shards(256) == 1
    assert 8 <= shards(1_000_000) <= 64


@given(attempt=st.integers(1, 5), seconds=st.floats(0, 1e7), content=st.floats(0, 1e12))
def test_each_attempt_asks_for_as_much_again(attempt: int, seconds: float, content: float) -> None:
    assert costs.minutes(seconds, attempt) == attempt * costs.minutes(seconds)
    assert costs.minutes(seconds) * 60 > seconds
    assert costs.megabytes(500, content, attempt) == attempt * costs.megabytes(500, content)
    assert costs.megabytes(500, content) * 1e6 > content
