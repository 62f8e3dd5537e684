"""How many features lie near the named fractions of a dimension, by chance, and in the polytope of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.metrics.polytopes import EVERY, LINE_FRACTION, NEAR_FRACTION, POLYTOPES

_COLUMNS = (
    *("case", "run", "fraction", "n_features", "n_near", "n_near_by_chance"),
    *("n_on_line", "n_on_line_by_chance", "n_in_polytope"),
)
_NAMES = {polytope.written: polytope.name for polytope in POLYTOPES}
_FOUND: dict[str, Any] = {"color": "#20639b", "marker": "o"}
_CHANCE: dict[str, Any] = {"color": style.MUTED, "marker": "|"}
_SHAPE: dict[str, Any] = {"color": "#d1681c", "marker": "s"}
_WITHIN = {"near": NEAR_FRACTION, "on_line": LINE_FRACTION}
# Inches.
_LABELS, _PANEL, _GAP, _ROW, _ABOVE, _AXIS, _LEGEND = 1.32, 1.55, 0.18, 0.24, 0.26, 0.42, 0.24


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A block a case, a row a fraction.

    Args:
        paths: `fractions`.
        titles: of the cases, by name.
    """
    table = rows.read(paths["fractions"], _COLUMNS)
    cases, fractions = list(dict.fromkeys(table["case"])), list(dict.fromkeys(table["fraction"]))
    height = len(fractions) * _ROW
    block = _ABOVE + height + _AXIS
    canvas = Canvas(len(cases) * block + _LEGEND)
    for number, case in enumerate(cases):
        top = number * block + _ABOVE
        own = table[table["case"] == case]
        panels = [canvas.axes(_LABELS + k * (_PANEL + _GAP), top, _PANEL, height) for k in range(3)]
        for axes, (column, within) in zip(panels, _WITHIN.items(), strict=False):
            _shares(axes, own, fractions, column)
            axes.set_xlabel(f"share of features, ± {within:g}")
        _in_polytopes(panels[2], own, fractions)
        panels[2].set_xlabel(f"share of those within ± {LINE_FRACTION:g}")
        for axes in panels:
            axes.set_ylim(len(fractions) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.set_yticks(range(len(fractions)), [""] * len(fractions))
            axes.grid(axis="x")
            axes.locator_params(axis="x", nbins=5)
        panels[2].set_xlim(0, 1)
        panels[0].set_yticks(range(len(fractions)), [_label(str(name)) for name in fractions])
        if len(cases) > 1:
            panels[0].set_title(style.literal(titles.get(str(case), str(case))), loc="left")
    handles = [
        Line2D([], [], linestyle="", markersize=4, label="found", **_FOUND),
        Line2D([], [], linestyle="", markersize=7, label="by chance", **_CHANCE),
        Line2D([], [], linestyle="", markersize=4, label="in the polytope", **_SHAPE),
    ]
    canvas.figure.legend(handles=handles, loc="lower center", ncols=3, borderaxespad=0.2)
    return canvas.figure


def _label(fraction: str) -> str:
    return "any of these" if fraction == EVERY else f"{fraction}  {_NAMES.get(fraction, '')}"


def _shares(axes: Axes, own: pd.DataFrame, fractions: list[str], column: str) -> None:
    for row, fraction in enumerate(fractions):
        runs = own[(own["fraction"] == fraction) & (own["n_features"] > 0)]
        n = runs["n_features"].to_numpy()
        _mean(axes, row, runs[f"n_{column}_by_chance"].to_numpy() / n, _CHANCE, 7)
        _mean(axes, row, runs[f"n_{column}"].to_numpy() / n, _FOUND, 4)


def _in_polytopes(axes: Axes, own: pd.DataFrame, fractions: list[str]) -> None:
    for row, fraction in enumerate(fractions):
        runs = own[(own["fraction"] == fraction) & (own["n_on_line"] > 0)]
        if runs.empty:
            axes.text(0.02, row, "none is", va="center", fontsize=style.SMALL, color="#555555")
            continue
        _mean(axes, row, (runs["n_in_polytope"] / runs["n_on_line"]).to_numpy(), _SHAPE, 4)


def _mean(
    axes: Axes, row: int, values: Float[np.ndarray, " run"], look: Mapping[str, Any], size: float
) -> None:
    """A mark at the mean, and a line over its 95 % interval."""
    if not len(values):
        return
    low, high = t_interval(values)
    if np.isfinite(low):
        axes.plot([max(low, 0.0), high], [row, row], color=look["color"], linewidth=1.2, zorder=2)
    axes.plot([values.mean()], [row], markersize=size, linestyle="", zorder=3, clip_on=False, **look)
