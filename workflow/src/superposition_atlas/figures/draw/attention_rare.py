"""Losses of rare features: their direction, their row of the planted rule, or the attention itself."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import exact_interval, t_interval

_COLUMNS = (
    *("setting", "n_heads", "seed", "dictionary", "query_probability", "key_probability"),
    *("query_represented", "query_recovered", "read", "attention", "n_keys"),
)
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
# Inches.
_PANEL, _LEFT, _GAP = 2.45, 0.62, 0.75
_TOP, _HEIGHT, _ROW = 0.44, 1.25, 2.0


def draw(paths: Mapping[str, Path], setting: str, control: str = "") -> Figure:
    """Shares and mean attention by feature probability, over the seeds.

    Args:
        paths: `rules`.
        setting: name of the one whose features are not equally frequent.
        control: name of the one whose features are, drawn beside; empty for none.
    """
    table = rows.read(paths["rules"], _COLUMNS)
    own, other = (table[table["setting"] == name] for name in (setting, control))
    if own.empty:
        raise ArtefactError(f"{paths['rules']}: has no rows of setting {setting!r}")
    canvas = Canvas(_TOP + 2 * _ROW + (-0.2 if other.empty else -0.04))
    panels = [
        canvas.axes(_LEFT + column * (_PANEL + _GAP), _TOP + row * _ROW, _PANEL, _HEIGHT)
        for row in (0, 1)
        for column in (0, 1)
    ]
    heads = sorted(own["n_heads"].unique())
    _directions(panels[0], own[own["n_heads"] == heads[0]], other[other["n_heads"] == heads[0]])
    for axes, by in ((panels[1], "query_probability"), (panels[2], "key_probability")):
        _rows_read(axes, own, other, heads, by)
    _attention(panels[3], own, other, heads)
    titles = (
        "is the direction there?",
        "rows of the rule read off",
        "rows of the rule read off",
        "attention to the planted key",
    )
    for axes, title, letter in zip(panels, titles, "abcd", strict=True):
        axes.set_title(f"{letter}  {title}", loc="left", fontsize=7.5, pad=15)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=style.SMALL, borderaxespad=0.1)
        axes.set_xscale("log")
        axes.minorticks_off()
        _probability_ticks(axes, table)
        axes.grid(axis="y")
    for axes, by in zip(panels, ("feature", "query feature", "key feature", "query feature"), strict=True):
        axes.set_xlabel(f"probability of the {by}")
    if not other.empty:
        mark = Line2D([], [], **_control({"color": style.INK, "marker": "o"}))
        mark.set_label("hollow: all features equally frequent")
        canvas.figure.legend(handles=[mark], loc="lower center", borderaxespad=0.2)
    return canvas.figure


def _probability_ticks(axes: Axes, table: pd.DataFrame) -> None:
    values = table[["query_probability", "key_probability"]].to_numpy()
    ends = np.array([values.min(), values.max()])
    inside = [tick for tick in _TICKS if ends[0] * 0.99 <= tick <= ends[1] * 1.01]
    axes.set_xticks(inside, [f"{tick:g}" for tick in inside])
    axes.set_xlim(ends[0] / 1.15, ends[1] * 1.15)


def _directions(axes: Axes, own: pd.DataFrame, other: pd.DataFrame) -> None:
    for index, (column, dictionary, label) in enumerate(
        (
            ("query_represented", "true", "represented"),
            ("query_recovered", "sae", "recovered by the SAE"),
        )
    ):
        chosen, beside = (part[part["dictionary"] == dictionary] for part in (own, other))
        _shares(axes, chosen, beside, "query_probability", column, index, 2, label)
    _share_axis(axes, "share of features")


def _rows_read(axes: Axes, own: pd.DataFrame, other: pd.DataFrame, heads: Sequence[int], by: str) -> None:
    for index, n_heads in enumerate(heads):
        chosen, beside = (
            part[(part["n_heads"] == n_heads) & (part["dictionary"] == "true")] for part in (own, other)
        )
        _shares(axes, chosen, beside, by, "read", index, len(heads), _heads(n_heads))
    _share_axis(axes, "share of rows")


def _attention(axes: Axes, own: pd.DataFrame, other: pd.DataFrame, heads: Sequence[int]) -> None:
    for index, n_heads in enumerate(heads):
        chosen, beside = (
            part[(part["n_heads"] == n_heads) & (part["dictionary"] == "true") & part["attention"].notna()]
            for part in (own, other)
        )
        look = _look(index)
        groups = list(chosen.groupby("query_probability"))
        places = _aside([place for place, _ in groups], index, len(heads))
        means = [group["attention"].mean() for _, group in groups]
        for place, (_, group) in zip(places, groups, strict=True):
            interval = t_interval(group["attention"].to_numpy())
            axes.plot([place] * 2, interval, color=look["color"], linewidth=0.7, alpha=0.6)
        axes.plot(places, means, label=_heads(n_heads), **look)
        if not beside.empty:
            axes.plot(
                _aside([beside["query_probability"].iloc[0]], index, len(heads)),
                beside["attention"].mean(),
                **_control(look),
            )
    level = 1 / (own["n_keys"].iloc[0] + 1)
    axes.axhline(level, color=style.MUTED, linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
    axes.set_ylim(0, None)
    axes.set_ylabel("mean attention")


def _shares(
    axes: Axes,
    own: pd.DataFrame,
    other: pd.DataFrame,
    by: str,
    column: str,
    index: int,
    n_series: int,
    label: str,
) -> None:
    """Shares by probability with exact intervals; the control is one hollow mark over all its features."""
    look = _look(index)
    groups = list(own.groupby(by))
    places = _aside([place for place, _ in groups], index, n_series)
    for place, (_, group) in zip(places, groups, strict=True):
        interval = exact_interval(int(group[column].sum()), len(group))
        axes.plot([place] * 2, interval, color=look["color"], linewidth=0.7, alpha=0.6)
    axes.plot(places, [group[column].mean() for _, group in groups], label=label, **look)
    if not other.empty:
        axes.plot(_aside([other[by].iloc[0]], index, n_series), other[column].mean(), **_control(look))


def _look(index: int) -> dict[str, Any]:
    return {**style.series(index), "markersize": 3.2}


def _control(look: Mapping[str, Any]) -> dict[str, Any]:
    hollow = {"markersize": 6.5, "markerfacecolor": "white", "markeredgewidth": 1.2}
    return {**look, "linestyle": "", **hollow, "zorder": 5}


def _aside(places: Iterable[Any], index: int, n_series: int) -> list[float]:
    """Places side by side, so that equal values don't hide one another."""
    factor = 1.05 ** (index - (n_series - 1) / 2)
    return [float(place) * factor for place in places]


def _heads(n_heads: int) -> str:
    return f"{n_heads} head" if n_heads == 1 else f"{n_heads} heads"


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_ylabel(label)
