"""Slide 4: one network as the TensorFlow Playground draws it, every neuron with what it answers to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import playground_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

# Inches.
_HEIGHT = 4.35
_TOP, _BOTTOM = 0.62, 3.78
"""Between which the units stand."""
_INPUTS, _HIDDEN, _OUTPUT = 0.62, (1.55, 3.75), 4.55
"""Inches from the left: the input features, the first and last hidden layer, the output."""
_WIDEST = 0.38
_SIDE = 1.8

_INPUT_LABELS = {
    "x1": "$x_1$",
    "x2": "$x_2$",
    "x1_squared": "$x_1^2$",
    "x2_squared": "$x_2^2$",
    "x1x2": "$x_1 x_2$",
    "sin_x1": r"$\sin x_1$",
    "sin_x2": r"$\sin x_2$",
}
_POSITIVE: dict[str, Any] = {"color": playground_panels.POSITIVE, "linestyle": "-"}
_NEGATIVE: dict[str, Any] = {"color": playground_panels.NEGATIVE, "linestyle": (0, (3, 1.2))}
_UNUSED = 0.25  # strength of the colours
_CHARACTERS = 30  # of the title
_NAMED = 3  # hidden layers, beyond which there is room for their numbers of neurons only


@dataclass(frozen=True)
class _Square:
    """Position of a unit's picture, in inches from the top left corner."""

    left: float
    middle: float
    side: float


_Squares = dict[tuple[int, int], _Square]
"""Squares by layer and unit."""


def draw(paths: Mapping[str, Path], network: str, title: str) -> Figure:
    """Input features, hidden layers, decision surface with the data, and the losses.

    Args:
        paths: `units`, `weights`, `points`, `curves` and `runs`.
        network: name of the networks in the configuration; the first seed is drawn.
        title: of the networks.
    """

    def rows_of(role: str, *columns: str) -> pd.DataFrame:
        table = rows.read(paths[role], ["network", "seed", *columns])
        found = table[table["network"] == network]
        if found.empty:
            raise ArtefactError(f"{paths[role]}: has no rows of the network {network!r}")
        return found

    units = rows_of("units", "layer", "unit", "name", "used", "response")
    weights = rows_of("weights", "layer", "source", "target", "weight")
    points = rows_of("points", "x1", "x2", "label", "is_training")
    curves = rows_of("curves", "shown", "step", "training_loss", "test_loss")
    runs = rows_of("runs", "shown", "is_regression", "steps", "training_error", "test_error", "test_loss")

    canvas = Canvas(_HEIGHT)
    behind = canvas.axes(0, 0, style.WIDTH, _HEIGHT)
    behind.set_xlim(0, style.WIDTH)
    behind.set_ylim(_HEIGHT, 0)
    style.bare(behind)
    sizes = [int(size) for size in units.groupby("layer").size()]
    squares = _squares(sizes)
    _connect(behind, weights, squares)
    for layer, unit, name, used, response in zip(
        *(units[column] for column in ("layer", "unit", "name", "used", "response")), strict=True
    ):
        square, is_output = squares[layer, unit], layer == len(sizes) - 1
        axes = canvas.axes(square.left, square.middle - square.side / 2, square.side, square.side)
        strength = playground_panels.BEHIND_POINTS if is_output else 1.0 if used else _UNUSED
        playground_panels.draw_response(axes, response, strength)
        if layer == 0:
            behind.text(
                square.left - 0.06,
                square.middle,
                _INPUT_LABELS[name],
                ha="right",
                va="center_baseline",
                fontsize=8,
                color=style.INK if used else style.MUTED,
            )
        if is_output:
            playground_panels.draw_points(axes, points, size=7.0)
    _name_layers(behind, sizes, squares)
    _losses(canvas.axes(_OUTPUT + 0.28, 0.42, _SIDE - 0.28, 0.72), curves)
    _head(behind, runs[runs["shown"]].iloc[0], title)
    canvas.figure.legend(
        handles=[
            Line2D([], [], linewidth=1.6, label="weight > 0", **_POSITIVE),
            Line2D([], [], linewidth=1.6, label="weight < 0", **_NEGATIVE),
            *playground_panels.point_handles(),
        ],
        loc="lower center",
        ncols=3,
        labelspacing=0.3,
        borderaxespad=0.3,
    )
    return canvas.figure


def _squares(sizes: list[int]) -> _Squares:
    """Input features and hidden layers as columns of small squares, the output as a large one."""
    *columns, _ = sizes
    n_hidden = len(columns) - 1
    across, down = (_HIDDEN[1] - _HIDDEN[0]) / n_hidden, (_BOTTOM - _TOP) / max(columns)
    side = min(_WIDEST, 0.55 * across, 0.85 * down)
    squares: _Squares = {(n_hidden + 1, 0): _Square(_OUTPUT, _BOTTOM - _SIDE / 2, _SIDE)}
    for layer, size in enumerate(columns):
        left = _INPUTS if layer == 0 else _HIDDEN[0] + (layer - 0.5) * across - side / 2
        for unit in range(size):
            middle = (_TOP + _BOTTOM) / 2 + (unit - (size - 1) / 2) * down
            squares[layer, unit] = _Square(left, middle, side)
    return squares


def _connect(axes: Axes, weights: pd.DataFrame, squares: _Squares) -> None:
    """A line a weight, the wider the larger, from its source's right edge to its target's left edge."""
    size = weights["weight"].abs()
    widths = 0.15 + 2.6 * size / max(float(size.max()), 1e-12)
    for sign, look in ((1, _POSITIVE), (-1, _NEGATIVE)):
        has_sign = np.sign(weights["weight"]) == sign
        of_sign = weights[has_sign]
        segments = []
        for layer, source, target in zip(of_sign["layer"], of_sign["source"], of_sign["target"], strict=True):
            start, end = squares[layer - 1, source], squares[layer, target]
            segments.append([(start.left + start.side, start.middle), (end.left, end.middle)])
        lines = LineCollection(segments, linewidths=widths[has_sign].to_list(), alpha=0.75, zorder=1, **look)
        axes.add_collection(lines)


def _name_layers(axes: Axes, sizes: list[int], squares: _Squares) -> None:
    what = "neuron" if len(sizes) - 2 <= _NAMED else ""
    for layer, size in enumerate(sizes):
        square = squares[layer, 0]
        name, top = f"{size} {what}" + ("s" if what and size > 1 else ""), _TOP - 0.05
        if layer == 0:
            name = "inputs"
        if layer == len(sizes) - 1:
            name, top = "output", square.middle - square.side / 2 - 0.06
        axes.text(square.left + square.side / 2, top, name, ha="center", va="bottom", fontsize=7)


def _losses(axes: Axes, curves: pd.DataFrame) -> None:
    """Losses of the drawn network and, fainter, the test losses of the other seeds."""
    for _, other in curves[~curves["shown"]].groupby("seed"):
        axes.plot(other["step"], other["test_loss"], color=style.FAINT, linewidth=0.5, zorder=1)
    network = curves[curves["shown"]]
    looks: dict[str, dict[str, Any]] = {
        "test": {"color": style.INK, "linestyle": "-"},
        "training": {"color": style.ACCENT, "linestyle": (0, (3, 1))},
    }
    for name, look in looks.items():
        axes.plot(network["step"], network[f"{name}_loss"], linewidth=1.1, label=name, **look)
    last = int(network["step"].max())
    axes.set_xlim(0, last)
    axes.set_ylim(bottom=0)
    axes.set_xticks([0, last])
    axes.set_xlabel("step", labelpad=-4)
    axes.set_ylabel("loss")
    axes.tick_params(labelsize=style.SMALL)
    others = Line2D([], [], color=style.FAINT, label="test, other seeds")
    axes.legend(
        handles=[*axes.get_lines()[-2:], others],
        loc="lower right",
        bbox_to_anchor=(1.03, 1.0),
        ncols=3,
        fontsize=style.SMALL,
        borderaxespad=0.1,
        columnspacing=0.7,
        handlelength=1.4,
    )


def _head(axes: Axes, run: "pd.Series[Any]", title: str) -> None:
    short = shorten(title, _CHARACTERS, placeholder=" …")
    name = f"{style.literal(short)}: seed {run['seed']}, {run['steps']} steps"
    axes.text(0.05, 0.14, name, fontsize=8.5, fontweight="bold", va="center_baseline")
    parts = [f"test loss {run['test_loss']:.3g}"]
    if not run["is_regression"]:
        test, training = (style.percent(run[f"{part}_error"]) for part in ("test", "training"))
        parts += [f"{test} of the test data wrong", f"{training} of those learned from"]
    axes.text(style.WIDTH - 0.1, 0.14, ", ".join(parts), fontsize=7, ha="right", va="center_baseline")
