"""Artefacts on disk: whole or not at all, the same bytes each time, and no damage is read as a result."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save_file
from superposition_atlas.errors import ArtefactError
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.atomic import atomic_path
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.parquet import (
    read_columns,
    read_table,
    table_provenance,
    write_columns,
    write_joined,
    write_table,
)
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.sae_files import read_saes
from superposition_atlas.storage.tensors import read_tensors, write_tensors
from superposition_atlas.toy_model import ToyModels, TrainingSettings
from superposition_atlas.training.train_toy_models import train

SPEC = {"title": 'ünïcode "quotes" \\ 100 %', "values": [1, 0.1, None, True], "training": {"steps": 3}}
PROVENANCE = provenance_of(SPEC, "0123456789abcdef", engine="by hand")

TABLE = pd.DataFrame(
    {
        "case": ["case1", "case2"] * 20,
        "seed": np.arange(40, dtype=np.uint64) + 2**63,
        "norm": np.random.default_rng(0).normal(size=40),
        "represented": [True, False, False, True] * 10,
        "weights": list(np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)),
    }
)
TENSORS = {
    "W": np.random.default_rng(2).normal(size=(3, 2, 5)).astype(np.float32),
    "loss": np.random.default_rng(3).normal(size=3),
    "seeds": np.array([0, 7, 2**64 - 1], dtype=np.uint64),
}

Read = Callable[[Path], object]
READERS: dict[str, Read] = {"Parquet": read_table, "safetensors": read_tensors}


def write(kind: str, path: Path) -> Path:
    if kind == "Parquet":
        write_table(TABLE, path, PROVENANCE)
    else:
        write_tensors(TENSORS, path, PROVENANCE)
    return path


def assert_named_in_one_line(read: Read, path: Path, *parts: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.fixture(scope="module", params=READERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for examples that hypothesis makes by the hundred."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def content(kind: str, scratch: Path) -> bytes:
    return write(kind, scratch / f"whole-{kind}").read_bytes()


# --- round trips -------------------------------------------------------------------------------------------


def test_a_table_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "table.parquet"
    write_table(TABLE, path, PROVENANCE)
    read = read_table(path)
    assert list(read.columns) == list(TABLE.columns)
    pd.testing.assert_frame_equal(read.drop(columns="weights"), TABLE.drop(columns="weights"))
    np.testing.assert_array_equal(np.stack(read["weights"].to_list()), np.stack(TABLE["weights"].to_list()))
    assert table_provenance(path) == PROVENANCE


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write("Parquet", tmp_path / "table.parquet")
    assert list(read_table(path, ["norm", "case"]).columns) == ["norm", "case"]


def test_columns_make_the_table_that_pandas_would(tmp_path: Path) -> None:
    columns = {
        "case": np.array(["case1", "", "ünïcode"]),
        "feature": np.array([3, -1, 2**62])[::-1],
        "probability": np.array([0.1, np.nan, 1e-300]),
        "norm": np.arange(3, dtype=np.float32),
    }
    write_columns(columns, tmp_path / "table.parquet", PROVENANCE)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), pd.DataFrame(columns))
    assert table_provenance(tmp_path / "table.parquet") == PROVENANCE
    read = read_columns(tmp_path / "table.parquet", ["probability", "case"])
    assert list(read) == ["probability", "case"]
    for name, array in read.items():
        assert array.dtype == columns[name].dtype
        np.testing.assert_array_equal(array, columns[name])


def test_joined_tables_are_those_that_pandas_would_join(tmp_path: Path) -> None:
    """Also where a column is empty in one of them, or a table has no rows."""
    neurons = TABLE.assign(sae=None, k=0, sparsity_coefficient=np.nan)
    latents = TABLE.assign(sae="relu", k=1, sparsity_coefficient=0.2)
    nothing = latents.iloc[:0].assign(weights=pd.Series(dtype=object))
    parts = []
    for name, part in {"neurons": neurons, "latents": latents, "nothing": nothing}.items():
        parts.append(tmp_path / f"{name}.parquet")
        write_table(part, parts[-1], PROVENANCE)
    write_joined(parts, tmp_path / "all.parquet", PROVENANCE)
    joined = read_table(tmp_path / "all.parquet")
    expected = pd.concat([neurons, latents], ignore_index=True)
    pd.testing.assert_frame_equal(
        joined.drop(columns="weights"), expected.drop(columns="weights").astype({"sae": joined["sae"].dtype})
    )
    np.testing.assert_array_equal(
        np.stack(joined["weights"].to_list()), np.stack(expected["weights"].to_list())
    )
    assert table_provenance(tmp_path / "all.parquet") == PROVENANCE


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors, provenance = read_tensors(write("safetensors", tmp_path / "models.safetensors"))
    assert provenance == PROVENANCE
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        np.testing.assert_array_equal(tensor, TENSORS[name])


def test_tensors_that_are_views_come_back(tmp_path: Path) -> None:
    view = TENSORS["W"].swapaxes(1, 2)[::-1]
    write_tensors({"W": view}, tmp_path / "view.safetensors", PROVENANCE)
    np.testing.assert_array_equal(read_tensors(tmp_path / "view.safetensors")[0]["W"], view)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(spec=st.dictionaries(st.text("abcxyz", max_size=4), JSON, max_size=4))
def test_any_provenance_comes_back(scratch: Path, spec: dict[str, Any]) -> None:
    provenance = provenance_of(spec, "code")
    write_tensors(TENSORS, scratch / "any.safetensors", provenance)
    write_table(TABLE[["norm"]], scratch / "any.parquet", provenance)
    assert read_tensors(scratch / "any.safetensors")[1] == provenance
    assert table_provenance(scratch / "any.parquet") == provenance


def test_provenance_names_spec_code_and_the_packages_that_decide_numbers() -> None:
    assert PROVENANCE["spec"] == SPEC
    assert PROVENANCE["code"] == "0123456789abcdef"
    assert PROVENANCE["engine"] == "by hand"
    assert {"superposition-atlas", "numpy", "torch", "numba"} <= PROVENANCE["versions"].keys()


def test_numbers_that_json_lacks_are_no_provenance(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_table(TABLE, tmp_path / "t.parquet", provenance_of({"x": float("nan")}, "code"))
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_gives_the_same_bytes(kind: str, tmp_path: Path, content: bytes) -> None:
    again = write(kind, tmp_path / "elsewhere")
    os.utime(again, (0, 0))
    assert again.read_bytes() == content


def test_the_order_of_keys_does_not_count(tmp_path: Path) -> None:
    for name, spec in (("a", {"x": 1, "y": {"p": 2, "q": 3}}), ("b", {"y": {"q": 3, "p": 2}, "x": 1})):
        write_tensors(TENSORS, tmp_path / name, provenance_of(spec, "code"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_provenance_gives_other_bytes(tmp_path: Path) -> None:
    other = provenance_of(SPEC, "another digest", engine="by hand")
    write_tensors(TENSORS, tmp_path / "a", PROVENANCE)
    write_tensors(TENSORS, tmp_path / "b", other)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_nothing_is_pickled(kind: str, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SafetensorError):
        write_tensors({"W": np.array([{"an": "object"}])}, tmp_path / "objects", PROVENANCE)
    assert list(tmp_path.iterdir()) == []
    assert b"\x80\x04" not in content[:2]
    assert b"numpy.core" not in content
    assert b"numpy._core" not in content


# --- whole or not at all -----------------------------------------------------------------------------------


class Interruption(BaseException):
    """Anything that ends a writer early, Ctrl-C among it."""


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, Interruption])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the new")
            assert path.read_text() == "old"
            assert temporary.parent == path.parent
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_succeeds_replaces_the_file_with_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    ordinary = stat.S_IMODE(path.stat().st_mode)
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == ordinary
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_files_keep_the_suffix_for_writers_that_go_by_it(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "figure.svg") as temporary:
        assert temporary.suffix == ".svg"
        temporary.write_text("<svg/>")


def test_where_nothing_can_be_written_the_file_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    assert_named_in_one_line(lambda path: write(kind, path), tmp_path / "a_file" / "x", "can't be written")
    (tmp_path / "a_folder").mkdir()
    assert_named_in_one_line(lambda path: write(kind, path), tmp_path / "a_folder", "can't be written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "a_folder"]


def test_no_space_left_is_named_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ArtefactError) as caught, atomic_path(path):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == f"{path}: can't be written (No space left on device)"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def assert_not_ours(read: Callable[[Path], Any], path: Path) -> None:
    """Only of a file that bears the seal of this pipeline is it said that it may be deleted."""
    with pytest.raises(ArtefactError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    content = path.read_bytes()
    assert ("delete it" in message) == (
        re.search(rb"superposition_atlas:sha256:[0-9a-f]{64}:[0-9a-f]{16}", content) is not None
    )
    assert re.search(r"this pipeline wrote \(|that ends early, or|got .*, allowed|carries no pro", message)


# --- damage ------------------------------------------------------------------------------------------------


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_named(kind: str, scratch: Path, content: bytes, share: float) -> None:
    path = scratch / f"truncated-{kind}"
    path.write_bytes(content[: int(share * len(content))])
    assert_not_ours(READERS[kind], path)


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(
    kind: str, scratch: Path, content: bytes, share: float, bit: int
) -> None:
    damaged = bytearray(content)
    damaged[int(share * len(content))] ^= 1 << bit
    path = scratch / f"flipped-{kind}"
    path.write_bytes(damaged)
    assert_not_ours(READERS[kind], path)


@given(tail=st.binary(min_size=1, max_size=50))
def test_a_longer_file_is_not_whole_either(kind: str, scratch: Path, content: bytes, tail: bytes) -> None:
    path = scratch / f"longer-{kind}"
    path.write_bytes(content + tail)
    assert_not_ours(READERS[kind], path)


@pytest.mark.parametrize("junk", [b"", b"\0" * 100, b"hello\nworld\n", b"PAR1PAR1", b"\x02\0\0\0\0\0\0\0{}"])
def test_junk_is_named(kind: str, tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "junk").write_bytes(junk)
    assert_not_ours(READERS[kind], tmp_path / "junk")


def test_one_kind_is_not_the_other(tmp_path: Path) -> None:
    for kind, other in (("Parquet", "safetensors"), ("safetensors", "Parquet")):
        path = write(other, tmp_path / f"{other}-as-{kind}")
        assert_not_ours(READERS[kind], path)


def test_a_sound_file_of_another_program_is_not_ours(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    if kind == "Parquet":
        TABLE.to_parquet(path)
        assert pq.read_table(path).num_rows == len(TABLE)
    else:
        save_file({"W": TENSORS["W"]}, path)
    assert_named_in_one_line(READERS[kind], path, "this pipeline did not make it")


def test_what_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    assert_named_in_one_line(READERS[kind], tmp_path / "missing", "no such file")
    assert_named_in_one_line(READERS[kind], tmp_path, "got a folder, allowed is a file")


def test_provenance_of_a_damaged_table_is_not_read_either(tmp_path: Path) -> None:
    path = write("Parquet", tmp_path / "table.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    assert_not_ours(table_provenance, path)


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    path = write("Parquet", tmp_path / "table.parquet")

    def read(path: Path) -> object:
        return read_table(path, ["case", "loss"])

    assert_named_in_one_line(read, path, "'loss'", "case, seed, norm, represented, weights")


# --- artefacts as objects ----------------------------------------------------------------------------------


def toy_models() -> ToyModels:
    return ToyModels(
        W=TENSORS["W"],
        b=np.zeros((3, 5), dtype=np.float32),
        loss=TENSORS["loss"],
        seeds=TENSORS["seeds"],
        importance=np.ones((3, 5)),
        probability=np.full((3, 5), 0.1),
        settings=TrainingSettings(steps=3),
        engine="by hand",
    )


def test_models_come_back(tmp_path: Path) -> None:
    models = toy_models()
    write_models(models, tmp_path / "m", {"training": models.settings.as_dict()}, "code")
    read = read_models(tmp_path / "m")
    assert read.settings == models.settings
    assert read.engine == models.engine
    for name in ("W", "b", "loss", "seeds", "importance", "probability"):
        np.testing.assert_array_equal(getattr(read, name), getattr(models, name))


def test_what_was_recorded_comes_back(tmp_path: Path) -> None:
    schedule = Schedule(np.ones(3), np.full(3, 0.5))
    models = train(schedule, 2, [1, 2], steps=6, batch_size=8, record_steps=(0, 6), bias=(0.1, 0.2, 0.3))
    write_models(models, tmp_path / "m", {}, "code")
    read = read_models(tmp_path / "m")
    assert read.settings == models.settings
    assert read.history is not None
    assert models.history is not None
    for name in ("steps", "W", "b", "feature_loss"):
        np.testing.assert_array_equal(getattr(read.history, name), getattr(models.history, name))


def test_other_tensors_are_no_models_and_no_saes(tmp_path: Path) -> None:
    path = write("safetensors", tmp_path / "other")
    assert_named_in_one_line(read_models, path, "holds no toy models")
    assert_named_in_one_line(read_saes, path, "holds no SAEs")
    models = toy_models()
    write_models(models, tmp_path / "m", {"training": models.settings.as_dict()}, "code")
    assert_named_in_one_line(read_saes, tmp_path / "m", "holds no SAEs")


def test_another_table_is_no_experiment(tmp_path: Path) -> None:
    path = write("Parquet", tmp_path / "table.parquet")
    assert_named_in_one_line(read_experiment, path, "has no column 'variant'")
