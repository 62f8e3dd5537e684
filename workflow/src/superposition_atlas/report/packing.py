"""Figures on pages of their own: which ones share a page, so that little of it stays blank."""

import random
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from superposition_atlas.errors import ArtefactError

PAGE = 718.0
"""Points of a page that figures and captions may fill."""
FULL = 0.91
"""Share of a page from which it counts as full."""
_LINE, _LETTERS, _GAP = 10.5, 118, 22.0
"""A caption's line in points and letters, and the space around a figure."""
_TRIALS = 100
"""Orders in which figures are tried."""
_SIZE = re.compile(r"<svg\b[^>]*>", re.DOTALL)


def height_of(path: Path, caption: str, width: float = 468.0) -> float:
    """Points that a figure takes with its caption, at the width of the text.

    Raises:
        ArtefactError: if the file can't be read or gives no size in points.
    """
    try:
        tag = _SIZE.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    sizes = {
        name: float(match[1])
        for name in ("width", "height")
        if tag and (match := re.search(rf'\b{name}="([\d.]+)pt"', tag[0]))
    }
    if len(sizes) < 2 or not all(sizes.values()):
        raise ArtefactError(
            f"{path}: not a whole SVG file (it gives no size in points); delete it and run the same command "
            "again"
        )
    drawn = sizes["height"] * min(1.0, width / sizes["width"])
    return drawn + _GAP + _LINE * (1 + len(caption) // _LETTERS)


def pages(heights: Sequence[float], taken: float = 0.0, optional: Sequence[float] = ()) -> list[list[int]]:
    """Which figures share a page, so that as little as possible is missing to full pages.

    Args:
        heights: of the figures that must be there, in points.
        taken: of the first page, by what comes before; its figures are those that fill the rest.
        optional: of figures that may fill what is left of a page.

    Returns:
        Numbers of the figures by page, those of `optional` counted on; the emptiest page is the last one.
    """
    every = [*heights, *optional]
    orders = [sorted(range(len(heights)), key=lambda index: -heights[index])]
    shuffled = random.Random(0)
    orders += [shuffled.sample(orders[0], len(heights)) for _ in range(_TRIALS)]
    found = min(
        (_filled(every, order, taken) for order in orders), key=lambda one: _missing(every, one, taken)
    )
    first, later = (found[:1], found[1:]) if taken else ([], found)
    later.sort(key=lambda page: -round(sum(every[index] for index in page) / PAGE, 2))
    return [page for page in (*first, *later) if page]


def _filled(every: Sequence[float], order: Sequence[int], taken: float) -> list[list[int]]:
    """Pages one by one: the first figure that is left, in this order, and what fills the rest best."""
    left, spare = list(order), list(range(len(order), len(every)))
    found: list[list[int]] = []
    while left or (taken and not found):
        is_first = bool(taken) and not found
        page = [] if is_first else [left[0]]
        for candidates in (left, spare):
            free = [index for index in candidates if index not in page]
            room = PAGE - (taken if is_first else 0.0) - sum(every[index] for index in page)
            page += _best(every, free, room)
        left = [index for index in left if index not in page]
        spare = [index for index in spare if index not in page]
        found.append(sorted(page))
    return found


def _missing(every: Sequence[float], found: Sequence[Sequence[int]], taken: float) -> float:
    """Points that pages lack to be full."""
    filled = [sum(every[index] for index in page) for page in found]
    if taken and filled:
        filled[0] += taken
    return sum(max(0.0, FULL * PAGE - points) for points in filled)


def _best(heights: Sequence[float], left: Sequence[int], room: float) -> list[int]:
    """At most three figures that fill the room best without exceeding it."""
    choices = (chosen for n in (1, 2, 3) for chosen in combinations(left, n))
    fitting = [chosen for chosen in choices if sum(heights[index] for index in chosen) <= room]
    best = max(fitting, key=lambda chosen: sum(heights[index] for index in chosen), default=())
    return sorted(best)
