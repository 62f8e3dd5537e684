"""One panel of the atlas: a coloured cell a schedule, mean density over steepness.

Axes are logarithmic, and cells as wide as the axes' values are apart. Where every cell is large enough, its
value is written into it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from superposition_atlas.figures.parts import style
from superposition_atlas.figures.parts.atlas_grid import Atlas, Cells, Column, edges

_MOST_NAMED = 5
"""Largest number of values of an axis that are all labelled."""
_ROOM_FOR_A_VALUE = (0.2, 0.115)
"""Inches that every cell has where values are written into them."""
_OVERLAP = 0.05
"""Share of a cell."""

BOUNDARY: dict[str, Any] = {"color": style.INK, "linewidth": 0.9}
OTHER: dict[str, Any] = {"color": style.INK, "marker": ".", "linestyle": "", "markersize": 2.0}
CASE: dict[str, Any] = {
    "marker": "s",
    "markersize": 4.2,
    "markerfacecolor": "none",
    "markeredgecolor": style.ACCENT,
    "markeredgewidth": 1.1,
    "linestyle": "",
    "path_effects": [withStroke(linewidth=2.2, foreground="white")],
}
_CASE_FRAME: dict[str, Any] = {"edgecolor": style.ACCENT, "linewidth": 1.2, "fill": False, "clip_on": False}
"""The same around a large cell."""


@dataclass(frozen=True, eq=False)
class Look:
    """How values become colours, and what is written of them."""

    colours: Colormap
    norm: Normalize
    label: str
    """Label of its scale; an empty one draws no scale."""
    ticks: dict[float, str]
    written: Callable[[float], str]


def count_look(least: int, most: int, label: str) -> Look:
    """Numbers of features, and means of them."""
    ticks = {float(count): str(count) for count in range(least, most + 1)}
    return Look(
        style.AMOUNT, Normalize(least, most), label, ticks, lambda value: f"{value:.1f}".removesuffix(".0")
    )


SHARE = Look(
    style.AMOUNT,
    Normalize(0, 1),
    "share of seeds, %",
    {0: "0", 0.25: "25", 0.5: "50", 0.75: "75", 1: "100"},
    lambda value: f"{100 * value:.0f}",
)
ANSWER = replace(SHARE, label="", written=lambda value: "yes" if value else "no")
"""Yes in the colour of all seeds, no in that of none."""


@dataclass(frozen=True)
class Layers:
    """Layers of a panel; names are columns of the table."""

    look: Look
    cells: str
    boundary: str
    """A line stands between cells whose values differ."""
    agreement: str = ""
    """Column whose false cells have a dot; empty for none."""


def draw_panel(axes: Axes, atlas: Atlas, family: str, column: Column, layers: Layers) -> None:
    """All layers, and a frame around the talk's cases."""
    x, y = edges(atlas.steepnesses), edges(atlas.densities)
    values, look = atlas.cells(family, column, layers.cells), layers.look
    axes.patch.set(facecolor="white", edgecolor=style.FAINT, hatch="/////")  # where no cell is
    axes.add_collection(_mesh(values, look, x, y))
    _logarithmic(axes, atlas)
    has_room = _has_room(axes, x, y)
    if has_room:
        _write(axes, values, look, x, y)
    axes.add_collection(_boundary(atlas.cells(family, column, layers.boundary), x, y))
    if layers.agreement:
        rows, places = np.nonzero(atlas.cells(family, column, layers.agreement) == 0)
        part = 0.15 if has_room else 0.5  # beside what is written
        axes.plot(_within(x, part)[places], _within(y, part)[rows], **OTHER)
    for row, place in atlas.case_cells(family, column):
        if has_room:
            corner, width, height = (x[place], y[row]), x[place + 1] - x[place], y[row + 1] - y[row]
            axes.add_patch(Rectangle(corner, width, height, zorder=4, **_CASE_FRAME))
        else:
            axes.plot(_within(x)[place], _within(y)[row], zorder=4, **CASE)


def _mesh(
    values: Cells, look: Look, x: Float[np.ndarray, " edge"], y: Float[np.ndarray, " edge"]
) -> PolyCollection:
    """A rectangle for each value.

    It reaches a little under the next ones, which are drawn later: where rectangles only touch, a PDF shows
    what is behind them.
    """
    there = np.isfinite(values)
    has_right, has_above = np.pad(there, (0, 1))[:-1, 1:], np.pad(there, (0, 1))[1:, :-1]
    has_above &= ~has_right | np.pad(there, (0, 1))[1:, 1:]
    rows, places = np.nonzero(there)
    left, bottom = x[places], y[rows]
    right = x[places + 1] * (x[places + 1] / left) ** (_OVERLAP * has_right[there])
    top = y[rows + 1] * (y[rows + 1] / bottom) ** (_OVERLAP * has_above[there])
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    mesh = PolyCollection(
        list(np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)),
        cmap=look.colours,
        norm=look.norm,
        linewidths=0,
        antialiaseds=False,
    )
    mesh.set_array(np.clip(values[there], look.norm.vmin, look.norm.vmax))
    return mesh


def _logarithmic(axes: Axes, atlas: Atlas) -> None:
    axes.set(xscale="log", yscale="log")
    axes.minorticks_off()
    for values, set_ticks, set_limits in (
        (atlas.steepnesses, axes.set_xticks, axes.set_xlim),
        (atlas.densities, axes.set_yticks, axes.set_ylim),
    ):
        ends = edges(values)[[0, -1]]
        named = values if len(values) <= _MOST_NAMED else _powers_of_ten(*ends)
        set_ticks(named, [style.short(value).removeprefix("0") for value in named])
        set_limits(*ends)
    axes.tick_params(length=1.8, pad=1.2, labelsize=style.SMALL)
    axes.spines[:].set(visible=True, linewidth=0.4)


def _powers_of_ten(low: float, high: float) -> Float[np.ndarray, " tick"]:
    return np.asarray(10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1))


def _has_room(axes: Axes, *ends: Float[np.ndarray, " edge"]) -> bool:
    """Whether the smallest cell has room for a value."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    sizes = axes.get_position().size * figure.get_size_inches()
    smallest = [
        size * np.diff(np.log(edge)).min() / np.log(edge[-1] / edge[0])
        for size, edge in zip(sizes, ends, strict=True)
    ]
    return bool(np.all(np.greater_equal(smallest, _ROOM_FOR_A_VALUE)))


def _within(edge: Float[np.ndarray, " edge"], part: float = 0.5) -> Float[np.ndarray, " cell"]:
    """A part of the way from one end of each cell to the other."""
    return np.asarray(edge[:-1] * (edge[1:] / edge[:-1]) ** part)


def _write(
    axes: Axes, values: Cells, look: Look, x: Float[np.ndarray, " edge"], y: Float[np.ndarray, " edge"]
) -> None:
    for row, place in np.argwhere(np.isfinite(values)):
        value = float(values[row, place])
        luminance = np.dot(look.colours(look.norm(value))[:3], [0.299, 0.587, 0.114])
        axes.text(
            _within(x)[place],
            _within(y)[row],
            look.written(value),
            ha="center",
            va="center_baseline",
            fontsize=style.SMALL,
            color="white" if luminance < 0.55 else style.INK,
        )


def _boundary(values: Cells, x: Float[np.ndarray, " edge"], y: Float[np.ndarray, " edge"]) -> LineCollection:
    """Lines between neighbouring cells whose values differ; none beside blank ones."""
    beside = _differ(values[:, 1:], values[:, :-1])
    above = _differ(values[1:], values[:-1])
    segments = [
        *([(x[k + 1], y[row]), (x[k + 1], y[row + 1])] for row, k in beside),
        *([(x[k], y[row + 1]), (x[k + 1], y[row + 1])] for row, k in above),
    ]
    return LineCollection(segments, capstyle="round", **BOUNDARY)


def _differ(these: Cells, those: Cells) -> np.ndarray:
    """Rows and columns where both are there and not the same."""
    return np.argwhere((these != those) & np.isfinite(these) & np.isfinite(those))
