"""The basic results: WᵀW and feature norms over density, for a linear output and a ReLU."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from superposition_atlas.figures.parts import bar_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MOST = 7
_COLUMNS = (*rows.PLANE_COLUMNS, "probability", "norm", "polysemanticity", "dedicated")
# Inches.
_LEFT, _TITLE, _HEADING, _BARS, _BETWEEN = 0.42, 0.2, 0.16, 0.86, 0.05
_COUNTS, _AXIS, _SCALE, _APART = 1.15, 0.42, 0.52, 0.16


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """For each case a row of WᵀW and a row of bars, a density a column; below, counts of features by density.

    Args:
        paths: `features.{case}`, one a case.
        titles: of the cases, by name.
    """
    tables = {case: rows.read(paths[f"features.{case}"], _COLUMNS) for case in titles}
    models = {case: rows.one_a_density(rows.toy_models(own), _MOST) for case, own in tables.items()}
    every = [model for own in models.values() for model in own]
    longest = max(float(model.values("norm").max()) for model in every)
    n_features, n_drawn = len(every[0].weights), bar_panels.n_worth_drawing(every)
    cell = (style.WIDTH - _LEFT) / _MOST
    side = cell - _BETWEEN
    block = _TITLE + _HEADING + side + _BETWEEN + _BARS + _APART
    canvas = Canvas(len(models) * block + _SCALE + _TITLE + _COUNTS + _AXIS)
    for number, (case, own) in enumerate(models.items()):
        top = number * block
        canvas.text(_LEFT, top + 0.02, style.literal(titles[case]), va="top", fontsize=8.5, fontweight="bold")
        canvas.text(_LEFT - 0.05, top + _TITLE + _HEADING - 0.04, "$1-S$", ha="right", fontsize=style.SMALL)
        for column, model in enumerate(own):
            place = (_LEFT + column * cell, top + _TITLE + _HEADING)
            _column(canvas, place, side, model, longest, n_drawn)
        first = canvas.figure.axes[-2 * len(own) + 1]
        bar_panels.name_features(first, n_drawn)
        first.set_ylabel("feature")
    top = len(models) * block
    _scales(canvas, top, longest, n_drawn < n_features and (n_drawn, n_features))
    _counts(canvas.axes(_LEFT, top + _SCALE + _TITLE, style.WIDTH - _LEFT - 1.72, _COUNTS), tables, titles)
    return canvas.figure


def _column(
    canvas: Canvas,
    place: tuple[float, float],
    side: float,
    model: rows.ToyModelRows,
    longest: float,
    n_drawn: int,
) -> None:
    """WᵀW above, bars below."""
    left, top = place
    heading = f"{model.values('probability')[0]:g}"
    canvas.text(left + side / 2, top - 0.04, heading, ha="center", fontsize=style.SMALL)
    bar_panels.draw_products(canvas.axes(left, top, side, side), model, longest**2, n_drawn)
    axes = canvas.axes(left, top + side + _BETWEEN, side, _BARS)
    bar_panels.draw_bars(axes, model, longest)
    axes.set_ylim(n_drawn - 0.5, -0.5)


def _scales(canvas: Canvas, top: float, longest: float, left_out: tuple[int, int] | bool) -> None:
    half = (style.WIDTH - _LEFT - 0.4) / 2
    bar_panels.scale(
        canvas.axes(_LEFT, top, half, 0.07),
        ScalarMappable(Normalize(-(longest**2), longest**2), style.SIGNED),
        r"heat maps: $W^\top W$",
        [-1, 0, 1] if longest > 1 else [0],
    )
    bar_panels.scale(
        canvas.axes(_LEFT + half + 0.3, top, half, 0.07),
        ScalarMappable(style.POLYSEMANTICITY_RANGE, style.POLYSEMANTICITY),
        f"bars: length {style.NORM}, colour {style.SUPERPOSITION}",
        [0, 0.5, 1],
    )
    if isinstance(left_out, tuple):
        text = f"features {left_out[0]} to {left_out[1] - 1}: not represented in any of these"
        canvas.text(_LEFT, top + 0.5, text, fontsize=style.SMALL)


def _counts(axes: Axes, tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> None:
    """Means over all toy models of a density; the shade is from the least to the most."""
    number = 0
    for case, table in tables.items():
        by_model = table.groupby(["probability", "seed"])[["represented", "dedicated"]].sum()
        for column in ("represented", "dedicated"):
            counts = by_model[column].groupby(level="probability").agg(["mean", "min", "max"]).sort_index()
            look = style.series(number)
            density = counts.index.to_numpy(dtype=float)
            axes.fill_between(density, counts["min"], counts["max"], color=look["color"], alpha=0.15, lw=0)
            name = f"{style.literal(titles[case])}: {column}"
            axes.plot(density, counts["mean"], markersize=3.2, label=name, **look)
            number += 1
    axes.set_xscale("log")
    densities = np.unique(np.concatenate([table["probability"].unique() for table in tables.values()]))
    axes.set_xticks(densities, [f"{value:g}" for value in densities])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([], minor=True)
    axes.invert_xaxis()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("density, $1-S$")
    axes.set_ylabel("features")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0)
