"""Pages of the default configuration's report as pictures: their number, and how much of them is blank."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jaxtyping import Bool
from matplotlib import image
from superposition_atlas.report import typesetting
from superposition_atlas.storage import layout

from .report_chain import ROOT, TEMPLATE

NUMBERS = ROOT / layout.report_numbers()
DOTS, CENTIMETRES = 30.0, 29.7
MARGINS = 2.1, 2.0
"""Centimetres above and below the text."""
GAP = 1.3
"""Centimetres: a lower band without ink is the space between two blocks."""
MOST_BLANK, MOST_PAGES = 0.15, 16


def ink(page: bytes) -> Bool[np.ndarray, " row"]:
    """Which rows of the text's area have ink."""
    picture = image.imread(io.BytesIO(page), format="png")[..., :3].min(axis=2)
    rows = len(picture)
    top, bottom = (int(margin / CENTIMETRES * rows) for margin in MARGINS)
    return np.asarray((picture[top : rows - bottom] < 0.98).any(axis=1))


def blank_share(rows: Bool[np.ndarray, " row"]) -> float:
    """Share of a page in bands without ink that are higher than the space between two blocks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], rows.astype(int), [1]])))
    lengths = np.diff(edges)[::2]
    least = GAP / CENTIMETRES * len(rows) * CENTIMETRES / (CENTIMETRES - sum(MARGINS))
    return float(lengths[lengths > least].sum() / len(rows))


def labels(part: Any) -> Iterator[str]:
    """Labels of all figures and tables in a part of the document."""
    if isinstance(part, dict):
        yield from [part["label"]] if isinstance(part.get("label"), str) else []
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else []:
        yield from labels(inner)


def without_places(part: Any, known: set[str]) -> Any:
    """The same without references to what has no label in it."""
    if isinstance(part, dict):
        return {key: without_places(inner, known) for key, inner in part.items()}
    if isinstance(part, list):
        return [
            without_places(inner, known)
            for inner in part
            if not (isinstance(inner, dict) and inner.get("kind") == "place" and inner["text"] not in known)
        ]
    return part


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], int]:
    """All pages, and how many of them are the main part."""
    if not NUMBERS.is_file():
        pytest.skip(f"there is no {layout.report_numbers()}: run `snakemake --cores all` first")
    content = json.loads(NUMBERS.read_text())
    if len(content["figures"]) < 15:
        pytest.skip("the results are not those of the default configuration")
    figures = [ROOT / layout.figure(name, "svg") for name in content["figures"]]
    root = tmp_path_factory.mktemp("pages")
    whole = typesetting.pages(TEMPLATE, NUMBERS, figures, root / "whole", DOTS)
    alone = root / "main.json"
    main = content | {"appendix": []}
    alone.write_text(json.dumps(without_places(main, set(labels(main)))))
    return whole, len(typesetting.pages(TEMPLATE, alone, figures, root / "main", DOTS))


def test_both_parts_have_at_most_sixteen_pages(pages: tuple[list[bytes], int]) -> None:
    whole, n_main = pages
    assert n_main <= MOST_PAGES
    assert len(whole) - n_main <= MOST_PAGES


def test_no_page_but_the_last_of_a_part_is_blank(pages: tuple[list[bytes], int]) -> None:
    whole, n_main = pages
    shares = {number: blank_share(ink(page)) for number, page in enumerate(whole, start=1)}
    last = {n_main, len(whole)}
    assert {
        number: share for number, share in shares.items() if share > MOST_BLANK and number not in last
    } == {}


def test_blank_bands_are_measured() -> None:
    rows = np.ones(100, dtype=bool)
    assert blank_share(rows) == 0.0
    rows[60:90] = False
    assert blank_share(rows) == pytest.approx(0.3)
    rows[10:12] = False
    assert blank_share(rows) == pytest.approx(0.3)
    rows[90:] = False
    assert blank_share(rows) == pytest.approx(0.4)
