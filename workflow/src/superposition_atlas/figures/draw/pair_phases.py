"""The phase diagram of pairs: what one dimension represents of two features, over both probabilities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_NAMES = {
    "first": "feature 1 alone",
    "shared": "both, as a pair",
    "second": "feature 2 alone",
    "aligned": "both in one direction",
    "neither": "neither",
}
_FILLS = {
    "first": "#b7a3c8",
    "shared": "#fdf1a6",
    "second": "#e3dcea",
    "aligned": style.MUTED,
    "neither": "white",
}
_ALONE, _SHARED = (style.POLYSEMANTICITY(style.POLYSEMANTICITY_RANGE(value)) for value in (0.0, 1.0))
_EDGE: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 0.4, "linestyle": ""}
_MARKS: dict[str, dict[str, Any]] = {
    "first": {"marker": "o", "markersize": 2.9, "markerfacecolor": _ALONE, **_EDGE},
    "shared": {"marker": "D", "markersize": 2.7, "markerfacecolor": _SHARED, **_EDGE},
    "second": {"marker": "s", "markersize": 2.8, "markerfacecolor": "white", **_EDGE},
    "aligned": {"marker": "x", "markersize": 3.0, **_EDGE, "markeredgewidth": 0.8},
    "neither": {"marker": "+", "markersize": 3.4, **_EDGE, "markeredgewidth": 0.8},
}
_LINES: dict[str, Any] = {"second absent": "-", "first absent": (0, (4, 1.5))}
_APART = 0.2
"""Between the toy models of one pair, as a share of the distance between pairs."""
# Inches.
_LEFT, _TOP, _GAP, _LEGEND, _AXIS = 0.42, 0.24, 0.22, 0.54, 0.42
_MOST_PANELS = 3


def draw(paths: Mapping[str, Path]) -> Figure:
    """A panel a ratio of importances: fill is the optimum, lines the matching's boundaries, marks toy models.

    Args:
        paths: `phases`, `boundaries` and `models`.
    """
    phases = rows.read(paths["phases"], ["importance_ratio", "p_1", "p_2", "optimum"])
    boundaries = rows.read(paths["boundaries"], ["importance_ratio", "boundary", "p_1", "p_2"])
    models = rows.read(paths["models"], ["importance_ratio", "p_1", "p_2", "seed", "phase"])
    ratios = list(dict.fromkeys(phases["importance_ratio"]))[:_MOST_PANELS]
    side = (style.WIDTH - _LEFT - 0.08 - _GAP * (_MOST_PANELS - 1)) / _MOST_PANELS
    canvas = Canvas(_TOP + side + _AXIS + _LEGEND)
    for number, ratio in enumerate(ratios):
        axes = canvas.axes(_LEFT + number * (side + _GAP), _TOP, side, side)
        _fill(axes, phases[phases["importance_ratio"] == ratio])
        for name, line in boundaries[boundaries["importance_ratio"] == ratio].groupby("boundary"):
            axes.plot(line["p_1"], line["p_2"], color=style.INK, linewidth=1.1, linestyle=_LINES[str(name)])
        _marks(axes, models[models["importance_ratio"] == ratio])
        axes.set_title("equal importance" if ratio == 1 else f"$I_2 = {style.short(ratio)}\\,I_1$")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if number == 0 else [])
        axes.spines[:].set_visible(True)
        axes.set_xlabel("$p_1$")
        if number == 0:
            axes.set_ylabel("$p_2$")
    canvas.figure.legend(
        handles=_handles(set(phases["optimum"]), set(models["phase"])), loc="lower center", ncols=3
    )
    return canvas.figure


def _fill(axes: Axes, phases: pd.DataFrame) -> None:
    """The optimum's phase of each cell."""
    numbers = {name: number for number, name in enumerate(_FILLS)}
    grid = phases.sort_values(["p_2", "p_1"])["optimum"].map(numbers).to_numpy()
    cells = grid.reshape(len(set(phases["p_2"])), -1)
    edges = [np.linspace(0, 1, n + 1) for n in cells.shape[::-1]]
    colours = ListedColormap(list(_FILLS.values()))
    axes.pcolormesh(*edges, cells, cmap=colours, vmin=-0.5, vmax=len(numbers) - 0.5)


def _marks(axes: Axes, models: pd.DataFrame) -> None:
    """The toy models of each pair of probabilities, side by side around it."""
    number = models.groupby(["p_1", "p_2"]).cumcount().to_numpy()
    across = int(np.ceil(np.sqrt(number.max() + 1)))
    step = _APART / max(len(set(models["p_1"])), 1)
    offset = np.stack(np.divmod(number, across), axis=1) - (across - 1) / 2
    for phase, look in _MARKS.items():
        own = (models["phase"] == phase).to_numpy()
        if own.any():
            x, y = (models[name].to_numpy()[own] for name in ("p_1", "p_2"))
            axes.plot(x + step * offset[own, 1], y - step * offset[own, 0], **look)


def _handles(filled: set[str], marked: set[str]) -> list[Patch | Line2D]:
    fills = [
        Patch(facecolor=colour, edgecolor=style.MUTED, linewidth=0.4, label=f"best: {_NAMES[phase]}")
        for phase, colour in _FILLS.items()
        if phase in filled
    ]
    marks = [
        Line2D([], [], label=f"trained: {_NAMES[phase]}", **look)
        for phase, look in _MARKS.items()
        if phase in marked
    ]
    lines = [
        Line2D([], [], color=style.INK, linewidth=1.1, linestyle=_LINES[name], label=label)
        for name, label in (
            ("second absent", "matching: $p_1^*$, left of it 2 joins 1"),
            ("first absent", "matching: $p_2^*$, below it 1 joins 2"),
        )
    ]
    return [*fills, *marks, *lines]
