"""Seals are summed piece by piece, the same wherever pieces end."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from superposition_atlas.storage import checksums

# Every example writes its own file, over the last one's.
over_again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
LIKE_A_SEAL = b"superposition_atlas:sha256:" + b"7" * 64 + b":" + b"7" * 16


def sealed(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    checksums.seal(path, path)
    return path.read_bytes()


@over_again
@given(
    before=st.binary(max_size=300),
    after=st.binary(max_size=300),
    like=st.booleans(),
    block=st.integers(1, 400),
    damaged=st.integers(0),
)
def test_a_seal_is_found_wherever_it_stands_and_any_damage_is_noticed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: bytes,
    after: bytes,
    like: bool,
    block: int,
    damaged: int,
) -> None:
    monkeypatch.setattr(checksums, "_BLOCK", block)
    path = tmp_path / "file"
    content = before + LIKE_A_SEAL * like + b"," + checksums.BLANK.encode() + after
    whole = sealed(path, content)
    assert whole.replace(hashlib.sha256(content).hexdigest().encode(), b"0" * 64) == content
    assert checksums.flaw(path) is None
    at = damaged % len(whole)
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert checksums.flaw(path) is not None
    path.write_bytes(whole[:at])
    assert checksums.flaw(path) is not None


def test_a_file_without_a_seal_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"x" * 5_000_000):
        path.write_bytes(content)
        assert checksums.flaw(path) == "no checksum: it ends early, or this pipeline did not make it"


@over_again
@given(
    title=st.text(max_size=30), place=st.sampled_from([checksums.BLANK, checksums.BLANK.replace("0", "a")])
)
def test_what_looks_like_a_seal_does_no_harm(tmp_path: Path, title: str, place: str) -> None:
    path = tmp_path / "file"
    whole = sealed(path, f"{place} {title} {checksums.BLANK} {place}".encode("utf-8", "replace"))
    assert checksums.flaw(path) is None
    path.write_bytes(whole + b" ")
    assert checksums.flaw(path) == "its checksum is wrong"


def test_a_seal_says_which_result_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for checkout in ("one", "other"):
        (tmp_path / checkout / "results/models").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one")
    first, second = Path("results/models/a.safetensors"), Path("results/models/b.safetensors")
    whole = sealed(first, checksums.BLANK.encode())
    assert checksums.read_seal(first).belongs_at(first)
    for path in (second, Path("copy.safetensors")):
        path.write_bytes(whole)
        assert checksums.flaw(path) is None  # whole, wherever it lies
        assert checksums.read_seal(path).belongs_at(path) == (path != second)
    # However the path is typed, and in any checkout, the bytes are the same.
    assert sealed(tmp_path / "one/results/../results/models/a.safetensors", checksums.BLANK.encode()) == whole
    monkeypatch.chdir("results/models")
    assert sealed(Path("a.safetensors"), checksums.BLANK.encode()) != whole  # no results/ here: it may be any
    assert checksums.read_seal(Path("a.safetensors")).belongs_at(Path("b.safetensors"))
    monkeypatch.chdir(tmp_path / "other")
    assert sealed(first, checksums.BLANK.encode()) == whole
    # A place that was tampered with is no place.
    first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert checksums.flaw(first) == "its checksum is wrong"
