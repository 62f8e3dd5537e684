"""The report as a list of blocks; their lines are markup until `finished` makes pieces for typst."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from superposition_atlas.report.markup import runs, with_places

Block = dict[str, Any]

LONG = 24
"""Rows; a table with more runs over pages, and its header repeats."""
_LINES = ("text", "caption", "group")
_LISTS = ("items", "header", "cells", "maths")


def heading(text: str, level: int = 1) -> Block:
    """A heading; level 1 is a section."""
    return {"kind": "heading", "level": level, "text": text}


def paragraph(*sentences: str) -> Block:
    """One paragraph of sentences; the empty ones vanish."""
    return {"kind": "paragraph", "text": " ".join(sentence for sentence in sentences if sentence)}


def bullets(*items: str) -> list[Block]:
    """Points, each a list of its own so that pages may break between them."""
    return [{"kind": "bullets", "items": [item]} for item in items]


def terms(entries: Mapping[str, str]) -> list[Block]:
    """Words and what they mean, each a list of its own as in `bullets`."""
    return [{"kind": "terms", "items": [entry]} for entry in entries.items()]


def equation(name: str) -> Block:
    """A formula on a line of its own."""
    return {"kind": "equation", "maths": f"${name}$"}


def table(
    name: str,
    caption: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str] | str],
    widths: Sequence[float] = (),
    floats: bool = True,
) -> Block:
    """A table at its natural width, or over the whole text where a column has running text.

    Args:
        name: its label is `table-name`; `([[table:name]])` refers to it.
        caption: the finding first.
        columns: heading and alignment (left, right, center) of each.
        rows: cells, or one line as the heading of the rows that follow.
        widths: of columns that share the rest of the width, in parts of it; 0 for natural ones.
        floats: whether it may move to the top or bottom of a page; a long one runs over pages instead.
    """
    return {
        "kind": "table",
        "label": f"table-{name}",
        "caption": caption,
        "widths": list(widths) or [0] * len(columns),
        "align": [alignment for _, alignment in columns],
        "header": [title for title, _ in columns],
        "rows": [{"group": row} if isinstance(row, str) else {"cells": list(row)} for row in rows],
        "breakable": len(rows) > LONG,
        "floats": floats and len(rows) <= LONG,
    }


def finished(blocks: Sequence[Block], labels: Mapping[str, str]) -> list[Block]:
    """The blocks with all lines as pieces."""

    def line(text: str) -> list[dict[str, Any]]:
        return runs(with_places(text, labels))

    found = []
    for block in blocks:
        done = dict(block)
        for key in _LINES:
            if key in done:
                done[key] = line(done[key])
        for key in _LISTS:
            if key in done:
                value = done[key]
                done[key] = (
                    runs(value)
                    if isinstance(value, str)
                    else [
                        [line(part) for part in item] if isinstance(item, tuple) else line(item)
                        for item in value
                    ]
                )
        if "rows" in done:
            done["rows"] = finished(done["rows"], labels)
        found.append(done)
    return found


def lines(blocks: Sequence[Block]) -> Iterator[str]:
    """Every line of markup."""
    for block in blocks:
        for key in (*_LINES, *_LISTS):
            value = block.get(key)
            for item in [value] if isinstance(value, str) else value or ():
                yield from (item,) if isinstance(item, str) else item
        yield from lines(block.get("rows", ()))
