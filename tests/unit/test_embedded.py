"""Provenance inside figures and reports: it comes back, damage is noticed, and it changes no picture."""

import io
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from superposition_atlas.errors import ArtefactError
from superposition_atlas.explorer.assemble import page
from superposition_atlas.explorer.gather import page_data
from superposition_atlas.figures.parts import style
from superposition_atlas.plan.adoption import check_unrecorded
from superposition_atlas.plan.preflight import date_back, refuse_damaged
from superposition_atlas.report.typesetting import compile_pdf
from superposition_atlas.storage import embedded
from superposition_atlas.storage.atomic import write_sealed
from superposition_atlas.storage.provenance import provenance_of, provenance_text

SPEC = {
    "title": 'ünïcode & "quotes" \\ <b> 100 % --> ]]>',
    "options": {"long": "x" * 1000},
    "values": [1, None],
}
PROVENANCE = provenance_of(SPEC, "0123456789abcdef", engine="by hand")
TEMPLATE = '#set document(title: "T", description: "A subject", date: none)\n= Heading\n'


def drawn(width: float = 1.0) -> Figure:
    figure = Figure(figsize=(width, 1))
    figure.add_subplot().plot([0, 1], [width, 0])
    return figure


def as_svg(path: Path, provenance: dict[str, Any]) -> None:
    with style.applied():
        style.save(drawn(), path, provenance)


def as_gif(path: Path, provenance: dict[str, Any]) -> None:
    style.save_frames([drawn(), drawn()], path, provenance)


def as_json(path: Path, provenance: dict[str, Any]) -> None:
    carried = json.loads(provenance_text(provenance))
    write_sealed(json.dumps({"numbers": [1], embedded.KEY: carried}).encode(), path)


def as_html(path: Path, provenance: dict[str, Any]) -> None:
    carried = json.loads(provenance_text(provenance, ascii_only=True))
    write_sealed(page({**page_data([], None, "1"), embedded.KEY: carried}).encode(), path)


def as_pdf(path: Path, provenance: dict[str, Any]) -> None:
    template, document = path.with_name("template.typ"), path.with_name("document.json")
    template.write_text(TEMPLATE)
    document.write_text("{}")
    compile_pdf(template, document, [], path, provenance)


WRITERS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    ".svg": as_svg,
    ".png": as_svg,
    ".gif": as_gif,
    ".json": as_json,
    ".html": as_html,
    ".pdf": as_pdf,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module", params=WRITERS)
def file(request: pytest.FixtureRequest, folder: Path) -> Path:
    path = folder / f"file{request.param}"
    WRITERS[request.param](path, PROVENANCE)
    return path


def test_every_kind_that_can_be_read_is_tested() -> None:
    assert WRITERS.keys() == embedded.READERS.keys()


def test_provenance_comes_back(file: Path) -> None:
    assert embedded.read_provenance(file) == PROVENANCE
    refuse_damaged([str(file), str(file.with_name("missing"))])


def test_the_same_provenance_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    path = tmp_path / file.name
    WRITERS[file.suffix](path, PROVENANCE)
    assert path.read_bytes() == file.read_bytes()
    WRITERS[file.suffix](path, PROVENANCE | {"code": "another"})
    assert path.read_bytes() != file.read_bytes()


def damaged(file: Path, content: bytes) -> str:
    path = file.with_name(f"damaged{file.suffix}")
    path.write_bytes(content)
    with pytest.raises(ArtefactError) as caught:
        embedded.read_provenance(path)
    with pytest.raises(ArtefactError, match="delete it and run the same command again"):
        refuse_damaged([str(file), str(path)])
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert re.search(r"this pipeline wrote \(|that ends early, or|got .*, allowed|did not make", message)
    assert "\n" not in message
    return message


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(file: Path, where: float, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    damaged(file, bytes(content))


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_noticed(file: Path, share: float) -> None:
    content = file.read_bytes()
    damaged(file, content[: int(share * len(content))])


@given(tail=st.binary(min_size=1, max_size=20))
def test_a_longer_file_is_not_whole_either(file: Path, tail: bytes) -> None:
    damaged(file, file.read_bytes() + tail)


def test_files_of_others_are_not_ours(file: Path) -> None:
    own = {".png": "PNG", ".gif": "GIF"}.get(file.suffix)
    if own is None:
        damaged(file, b"{}" if file.suffix == ".json" else b"<svg/>")
        return
    buffer = io.BytesIO()
    Image.new("L", (2, 2)).save(buffer, own)
    path = file.with_name(f"foreign{file.suffix}")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ArtefactError, match="this pipeline did not make"):
        embedded.read_provenance(path)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_the_picture_is_what_it_would_be_without(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in ("with", "without")]
    for path, provenance in zip(paths, (PROVENANCE, {}), strict=True):
        WRITERS[suffix](path, provenance)
    with Image.open(paths[0]) as one, Image.open(paths[1]) as two:
        assert getattr(one, "n_frames", 1) == getattr(two, "n_frames", 1)
        assert np.array_equal(np.asarray(one), np.asarray(two))


def test_several_damaged_files_are_named_together(file: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}{file.suffix}" for number in range(3)]
    for path in paths:
        path.write_bytes(b"")
    with pytest.raises(ArtefactError) as caught:
        refuse_damaged(map(str, paths))
    for path in paths:
        assert str(path) in str(caught.value)


def test_files_of_the_future_are_dated_as_of_now(tmp_path: Path) -> None:
    future, past = tmp_path / "future", tmp_path / "past"
    for path, shift in ((future, 1e6), (past, -1e6)):
        path.write_bytes(b"")
        os.utime(path, (time.time() + shift,) * 2)
    before = past.stat().st_mtime
    date_back([future, past, tmp_path / "missing"])
    assert future.stat().st_mtime <= time.time()
    assert past.stat().st_mtime == before


def test_results_without_snakemakes_memory_are_refused(tmp_path: Path) -> None:
    result, memory = tmp_path / "results" / "claims.parquet", tmp_path / ".snakemake"
    check_unrecorded([str(result)], memory, {})  # there is nothing
    result.parent.mkdir()
    result.touch()
    (memory / "metadata").mkdir(parents=True)
    with pytest.raises(ArtefactError, match="does not say which configuration made them"):
        check_unrecorded([str(result)], memory, {})
    # A run that was killed has begun one job, or done one.
    for name in ("incomplete", "metadata"):
        record = memory / name / "record"
        record.parent.mkdir(exist_ok=True)
        record.touch()
        check_unrecorded([str(result)], memory, {})
        record.unlink()


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    pipe = tmp_path / "claims.parquet"
    os.mkfifo(pipe)
    with pytest.raises(ArtefactError, match=r"not a whole Parquet file \(got a named pipe"):
        refuse_damaged([str(pipe)])
