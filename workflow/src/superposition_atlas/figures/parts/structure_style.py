"""How structures look in figures: one colour, mark and line for each kind, and words for `shape_of`."""

import re
from typing import Any

KINDS: dict[str, dict[str, Any]] = {
    "polygon": {"color": "#20639b", "marker": "o"},
    "stack": {"color": "#d1681c", "marker": "s"},
    "axes": {"color": "#7b4f9d", "marker": "D"},
}
"""Looks of marks, by `kind_of`."""
WORDS = {
    "polygon": "a pentagon or triangle",
    "stack": "a stack",
    "axes": "pairs and dedicated features",
}


def kind_of(shape: str) -> str:
    """Polygon (or another oblique group), stack, or axes: dedicated features and pairs alone."""
    if "stack" in shape:
        return "stack"
    return "polygon" if re.search("gon|triangle|group", shape) else "axes"


def named(structure: str) -> str:
    """The structure in words: `pair, pair without feature 0` as `2 pairs without feature 0`."""
    shape, _, without = structure.partition(" without ")
    parts = shape.split(", ")
    words = []
    for name in dict.fromkeys(parts):
        n = parts.count(name)
        plural = name if n == 1 or name == "dedicated" else name.replace("stack", "stacks") + "s"
        words.append(f"{n} {plural}" if n > 1 or name in ("dedicated", "pair") else name)
    return " and ".join(words) + (f" without {without}" if without else "")
