"""Slide 4: every data set, with what one network makes of it, and how all seeds fare on the test data."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import playground_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

N_COLUMNS = 4
# Inches.
_SIDE, _APART = 1.42, 0.17
_LEFT = 0.14
_LINE, _STRIP, _BELOW = 0.12, 0.3, 0.42
_LEGEND = 0.42
_WRAPPED: dict[str, Any] = {"width": 27, "max_lines": 2, "placeholder": " …"}
_PER_CENT = 50.0
_SOLVED = ("threshold", "solved")


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A panel a name: the decision surface of the first seed with its data, below it the errors of all seeds.

    Args:
        paths: `runs`, `units` and `points`.
        titles: of the networks, by their names in the configuration, in the order of the panels; at most 12.
    """
    runs = rows.read(paths["runs"], ["network", "seed", "is_regression", "test_error", "test_fvu", *_SOLVED])
    units = rows.read(paths["units"], ["network", "seed", "layer", "response"])
    points = rows.read(paths["points"], ["network", "seed", "x1", "x2", "label", "is_training"])
    wrapped = {name: fill(title, **_WRAPPED) for name, title in titles.items()}
    above = 0.08 + _LINE * max(title.count("\n") + 1 for title in wrapped.values())
    n_rows = -(-len(titles) // N_COLUMNS)
    height = above + _SIDE + _STRIP + _BELOW
    canvas = Canvas(n_rows * height + _LEGEND)
    for place, (name, title) in enumerate(wrapped.items()):
        own = runs[runs["network"] == name]
        if own.empty:
            raise ArtefactError(f"{paths['runs']}: has no rows of the network {name!r}")
        row, column = divmod(place, N_COLUMNS)
        left, top = _LEFT + column * (_SIDE + _APART), row * height + above
        axes = canvas.axes(left, top, _SIDE, _SIDE)
        _surface(axes, units[units["network"] == name], points[points["network"] == name])
        axes.set_title(style.literal(title), fontsize=7, pad=3)
        _errors(canvas.axes(left + 0.04, top + _SIDE + 0.04, _SIDE - 0.08, _STRIP), own)
    canvas.figure.legend(
        handles=[
            *playground_panels.point_handles(),
            Line2D([], [], linestyle="", marker="|", color=style.INK, label="a seed"),
            Line2D([], [], linestyle=(0, (2, 1.5)), color=style.MUTED, label="solved below"),
        ],
        loc="lower center",
        ncols=3,
        borderaxespad=0.2,
        labelspacing=0.3,
    )
    return canvas.figure


def _surface(axes: Axes, units: pd.DataFrame, points: pd.DataFrame) -> None:
    output = units[units["layer"] == units["layer"].max()].iloc[0]
    playground_panels.draw_response(axes, output["response"], playground_panels.BEHIND_POINTS)
    playground_panels.draw_points(axes, points, size=5.0)


def _errors(axes: Axes, runs: pd.DataFrame) -> None:
    """A mark a seed: the share of the test data that is wrong, or of its variance that is unexplained."""
    is_regression = bool(runs["is_regression"].iloc[0])
    errors = 100 * runs["test_fvu" if is_regression else "test_error"].to_numpy()
    spread = np.linspace(0.85, 0.15, len(errors)) if len(errors) > 1 else np.array([0.5])
    axes.plot(errors.clip(max=_PER_CENT), spread, linestyle="", marker="|", markersize=3.5, color=style.INK)
    threshold = 100 * float(runs["threshold"].iloc[0])
    axes.axvline(threshold, color=style.MUTED, linewidth=0.8, linestyle=(0, (2, 1.5)), zorder=0)
    axes.set_xlim(-1.0, _PER_CENT)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([0, threshold, 25, 50], ["0", f"{threshold:g}", "25", "50 %"])
    axes.tick_params(labelsize=style.SMALL, pad=1.5)
    axes.spines["left"].set_visible(False)
    what = "unexplained" if is_regression else "wrong"
    axes.set_xlabel(f"{what}; {runs['solved'].sum()}/{len(runs)} solved", fontsize=style.SMALL, labelpad=1)
