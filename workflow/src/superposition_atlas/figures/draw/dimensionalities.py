"""Fractions of a dimension over the inverse density: one point a feature, and the dimensions per feature."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.polytopes import OTHER, POLYTOPES

_COLUMNS = ("case", "run", "probability", "dimensions_per_feature", "feature", "dimensionality", "polytope")
_MARKS: dict[str, dict[str, Any]] = {
    "alone": {"color": style.INK, "marker": "_"},
    "tetrahedron": {"color": "#7b4f9d", "marker": "D"},
    "triangle": {"color": "#3c8d5a", "marker": "^"},
    "digon": {"color": "#20639b", "marker": "o"},
    "pentagon": {"color": "#d1681c", "marker": "p"},
    "square antiprism": {"color": "#b2182b", "marker": "s"},
}
_WIDTH = 0.7
"""Share of the distance between densities that a level's features are spread over."""
# Inches.
_LEFT, _PANEL, _RIGHT, _HEIGHT, _ABOVE, _AXIS, _LEGEND = 0.5, 5.55, 0.45, 3.4, 0.24, 0.42, 0.36


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A panel a case; points are the features of its first run, the band is over all runs.

    Args:
        paths: `polytopes`.
        titles: of the cases, by name.
    """
    table = rows.read(paths["polytopes"], _COLUMNS)
    cases = list(dict.fromkeys(table["case"]))
    canvas = Canvas(len(cases) * (_ABOVE + _HEIGHT + _AXIS) + _LEGEND)
    for row, case in enumerate(cases):
        top = row * (_ABOVE + _HEIGHT + _AXIS) + _ABOVE
        axes = canvas.axes(_LEFT, top, _PANEL, _HEIGHT)
        own = table[table["case"] == case]
        _fractions(axes)
        _features(axes, own)
        _level(axes, own)
        _frame(axes, own)
        if len(cases) > 1:
            axes.set_title(style.literal(titles.get(str(case), str(case))), loc="left")
    canvas.figure.legend(handles=_handles(), loc="lower center", ncols=4, borderaxespad=0.2)
    return canvas.figure


def _fractions(axes: Axes) -> None:
    """A line at each named fraction, with its name at the right."""
    for polytope in POLYTOPES:
        axes.axhline(polytope.fraction, color=style.FAINT, linewidth=0.7, zorder=0.5)
        axes.annotate(
            polytope.written,
            (1.0, polytope.fraction),
            xycoords=("axes fraction", "data"),
            xytext=(3, -4 if polytope.written == "3/8" else 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )


def _features(axes: Axes, own: pd.DataFrame) -> None:
    """Points of the first run, spread beside their density in the order of their features."""
    first = own[own["run"] == own["run"].min()]
    places = np.unique(np.log(1 / own["probability"]))
    step = float(np.diff(places).min()) if len(places) > 1 else 0.2
    beside = (first["feature"] / max(int(first["feature"].max()), 1) - 0.5) * _WIDTH * step
    x = np.exp(np.log(1 / first["probability"]) + beside)
    pale = ~first["polytope"].isin(list(_MARKS))
    axes.plot(
        x[pale], first["dimensionality"][pale], color="#b9b9b9", marker="o", markersize=1.1,
        markeredgewidth=0, linestyle="", zorder=1,
    )  # fmt: skip
    for name, mark in _MARKS.items():
        chosen = first["polytope"] == name
        axes.plot(
            x[chosen], first["dimensionality"][chosen], markersize=2.6, linestyle="", alpha=0.8,
            markeredgewidth=0.6 if mark["marker"] == "_" else 0, zorder=3, **mark,
        )  # fmt: skip


def _level(axes: Axes, own: pd.DataFrame) -> None:
    """Dimensions per feature: the mean over runs, and their range."""
    levels = own.groupby(["probability", "run"])["dimensions_per_feature"].first()
    by_density = levels.groupby("probability").agg(["mean", "min", "max"])
    x = 1 / by_density.index.to_numpy()
    axes.fill_between(x, by_density["min"], by_density["max"], color=style.MUTED, alpha=0.4, linewidth=0)
    axes.plot(x, by_density["mean"], color=style.INK, linewidth=1.0, zorder=2)


def _frame(axes: Axes, own: pd.DataFrame) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    sparsest = float(1 / own["probability"].min())
    axes.set_xticks([tick for tick in (1, 2, 5, 10, 20, 50, 100, 1000) if tick <= 1.01 * sparsest])
    axes.set_xlim(0.94, 1.06 * sparsest)
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlabel("1 / (1 − S), the inverse density")
    axes.set_ylabel("dimensionality $D_i$, and $m/\\|W\\|_F^2$")


def _handles() -> list[Line2D]:
    line = Line2D([], [], color=style.INK, label="$m/\\|W\\|_F^2$")
    pale = Line2D([], [], color="#b9b9b9", marker="o", markersize=2.2, linestyle="", label=f"{OTHER}, absent")
    marks = [
        Line2D([], [], markersize=3.6, linestyle="", label=name, **mark) for name, mark in _MARKS.items()
    ]
    return [line, *marks, pale]
