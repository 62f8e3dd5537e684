"""Trained toy models against the best solution, by number of steps or initial scale."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.maps.point_columns import TRAINED_BESIDE_BEST
from superposition_atlas.metrics.intervals import exact_interval

_COLUMNS = (*TRAINED_BESIDE_BEST, "mean_density", "steepness")
_SCHEDULE = ["family", "mean_density", "steepness", "importance_ratio"]
_AXES = {"steps": "training steps", "init_scale": "initial scale"}
_LEAST_EXCESS = 1e-5
_MOST = 5
"""Schedules side by side."""
_APART = 0.022
# Inches.
_LEFT, _GAP, _TOP, _AXIS, _LEGEND = 0.84, 0.14, 0.42, 0.4, 0.42
_HEIGHTS = {"keeps_best": 1.05, "n_represented": 0.9, "excess": 1.05}


def draw(paths: Mapping[str, Path], against: str, values: Mapping[str, float]) -> Figure:
    """A column a schedule, a line an order: seeds that find the best, number represented, and excess loss.

    Args:
        paths: `points` and `features`.
        against: `steps` or `init_scale`, the setting that varies.
        values: its value by variant; other variants are not drawn.
    """
    table = rows.read(paths["points"], _COLUMNS)
    table = table.assign(value=table["variant"].map(dict(values))).dropna(subset="value")
    densities = rows.read(paths["features"], ["key", "probability"]).groupby("key")["probability"]
    groups = list(table.groupby(_SCHEDULE))[:_MOST]
    orders = sorted(set(table["order"]))
    canvas = Canvas(_TOP + sum(_HEIGHTS.values()) + 2 * _GAP + _AXIS + _LEGEND)
    width = (style.WIDTH - _LEFT - 0.05) / len(groups)
    highest = max(table["n_represented"].max(), table["best_n_represented"].max())
    lowest = min(table["n_represented"].min(), table["best_n_represented"].min())
    for column, (_, own) in enumerate(groups):
        top = _TOP
        title = _title(own.iloc[0], densities.get_group(own["key"].iloc[0]))
        canvas.text(_LEFT + column * width, top - 0.36, title, fontsize=style.SMALL, va="top")
        for measure, height in _HEIGHTS.items():
            axes = canvas.axes(_LEFT + column * width, top, width - _GAP, height)
            for number, order in enumerate(orders):
                series = own[own["order"] == order].sort_values("value")
                aside = 1 + _APART * (number - (len(orders) - 1) / 2) * np.log(1e4)
                _DRAWN[measure](axes, series, series["value"] * aside, style.series(number))
            _frame(axes, sorted(table["value"].unique()))
            axes.tick_params(labelleft=column == 0, labelbottom=measure == "excess")
            top += height + _GAP
            if measure == "keeps_best":
                axes.set_ylim(-0.04, 1.16)
                axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
            elif measure == "n_represented":
                axes.set_ylim(lowest - 0.4, highest + 0.4)
                axes.set_yticks(range(int(np.ceil(lowest - 0.4)), int(highest + 0.4) + 1))
            else:
                axes.set_yscale("log")
                axes.set_ylim(_LEAST_EXCESS * 0.6, max(1.5 * table["median_excess"].max(), 0.1))
                axes.set_yticks([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], ["0.001 %", "0.01 %", "0.1 %", "1 %", "10 %"])
                axes.yaxis.set_minor_locator(NullLocator())
                axes.set_xlabel(_AXES[against])
            axes.grid(axis="y")
            if column == 0:
                canvas.text(
                    0.04,
                    top - _GAP - height / 2,
                    _LABELS[measure],
                    rotation=90,
                    va="center",
                    ha="left",
                    ma="center",
                    fontsize=7,
                )
    canvas.figure.legend(handles=_handles(orders), loc="lower center", ncols=4, borderaxespad=0.2)
    return canvas.figure


def _title(point: "pd.Series[Any]", densities: "pd.Series[float]") -> str:
    ratio = point["importance_ratio"]
    importance = "equal importance" if ratio == 1 else f"importance {ratio:g}$^i$"
    return f"{point['family']}, $p$ {densities.max():.3g} … {densities.min():.3g}\n{importance}"


def _keeps_best(axes: Axes, series: pd.DataFrame, places: pd.Series, look: Mapping[str, Any]) -> None:
    """Shares of seeds with intervals; above them, whether the best of the seeds does."""
    axes.plot(places, series["keeps_best"], markersize=2.8, **look)
    for place, share, n_seeds in zip(places, series["keeps_best"], series["n_seeds"], strict=True):
        low, high = exact_interval(round(share * n_seeds), int(n_seeds))
        axes.plot([place, place], [low, high], color=look["color"], linewidth=0.8)
    for place, finds in zip(places, series["frugal_keeps_best"].astype(bool), strict=True):
        axes.plot(
            place, 1.09, color=look["color"], marker="*" if finds else "x", markersize=4 if finds else 3
        )


def _n_represented(axes: Axes, series: pd.DataFrame, places: pd.Series, look: Mapping[str, Any]) -> None:
    axes.plot(places, series["n_represented"], markersize=2.8, **look)
    axes.axhline(
        series["best_n_represented"].iloc[0], color=look["color"], linewidth=2.2, alpha=0.25, zorder=0.6
    )


def _excess(axes: Axes, series: pd.DataFrame, places: pd.Series, look: Mapping[str, Any]) -> None:
    axes.plot(places, series["median_excess"].clip(lower=_LEAST_EXCESS), markersize=2.8, **look)
    least = {**look, "markerfacecolor": "white", "linewidth": 0.6}
    axes.plot(places, series["least_excess"].clip(lower=_LEAST_EXCESS), markersize=2.8, **least)


_DRAWN = {"keeps_best": _keeps_best, "n_represented": _n_represented, "excess": _excess}
_LABELS = {
    "keeps_best": "keep the best's\nfeatures, share",
    "n_represented": "represented,\nmean",
    "excess": "excess loss",
}


def _frame(axes: Axes, values: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:.2g}" if value < 100 else f"{value / 1000:g}k" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(values[0] / 1.35, values[-1] * 1.35)


def _handles(orders: list[str]) -> list[Line2D]:
    names = {"aligned": "the densest first", "reversed": "the densest last"}
    lines = [
        Line2D([], [], label=names.get(order, f"order {order}"), markersize=2.8, **style.series(number))
        for number, order in enumerate(orders)
    ]
    ink: dict[str, Any] = {"color": style.INK, "linestyle": ""}
    return [
        *lines,
        Line2D([], [], label="in the best solution", color=style.INK, linewidth=2.2, alpha=0.25),
        Line2D(
            [],
            [],
            label="hollow: the best of the seeds",
            marker="o",
            markersize=2.8,
            markerfacecolor="white",
            **ink,
        ),
        Line2D([], [], label="the best of the seeds does", marker="*", markersize=4, **ink),
        Line2D([], [], label="it does not", marker="x", markersize=3, **ink),
    ]
