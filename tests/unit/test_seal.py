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


def test_a_file_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "models"
    folder.mkdir(parents=True)
    first, second, copy = folder / "a.safetensors", folder / "b.safetensors", tmp_path / "copy.safetensors"
    whole = sealed(first, checksums.BLANK.encode())
    assert checksums.flaw(first) is None
    for path, wrong in ((second, "it was made as another file of results/"), (copy, None)):
        path.write_bytes(whole)
        assert checksums.flaw(path) == wrong
    # Another checkout's file has the same place, and the same bytes.
    other = tmp_path / "other" / "results" / "models" / "a.safetensors"
    other.parent.mkdir(parents=True)
    assert sealed(other, checksums.BLANK.encode()) == whole
    # And a place that was tampered with is no place.
    first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert checksums.flaw(first) == "its checksum is wrong"
