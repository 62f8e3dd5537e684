"""Pairs of dependent features: toy models in the plane, and how often their pairs lie how."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.dependence import by_probability, pair_summary
from superposition_atlas.metrics.intervals import exact_interval

_PAIRS = (
    *("case", "instance", "seed", "probability", "other_probability", "cosine", "arrangement"),
    *("best", "matched"),
)
_LOOKS: dict[str, dict[str, Any]] = {
    "orthogonal": {"color": "#20639b", "marker": "o"},
    "side by side": {"color": "#d1681c", "marker": "s"},
    "antipodal": {"color": "#3c8d5a", "marker": "^"},
    "between": {"color": "#7b4f9d", "marker": "D"},
    "mixed": {"color": "#8a8a8a", "marker": "P"},
    "incomplete": {"color": "#8a8a8a", "marker": "x"},
}
"""Arrangements of all pairs of a toy model."""
_MATCHED = {"shared": "shared", "apart": "apart", "incomplete": "in part", "mixed": "in part"}
_MOST_COLUMNS = 6
"""Schedules side by side; more of them take several rows."""
Column = tuple[str, pd.DataFrame]
"""A case, and the summary of its toy models of one schedule."""
# Inches.
_LABELS, _HEADER, _LINE, _SHARES, _LEGEND, _WIDEST, _BETWEEN = 0.82, 0.34, 0.16, 1.2, 0.22, 0.86, 0.12


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a schedule: toy models, what the theory says, and shares of toy models with intervals.

    Args:
        paths: `pairs` and `features`, the experiment's.
    """
    summary = pair_summary(rows.read(paths["pairs"], _PAIRS))
    features = rows.read(paths["features"], rows.PLANE_COLUMNS)
    columns = [
        (str(case), one)
        for case, of_case in summary.groupby("case", sort=False)
        for one in by_probability(of_case)
    ]
    blocks = _blocks(columns)
    n_shown = 2 if len(blocks) == 1 else 1
    room = style.WIDTH - _LABELS
    cell = min(_WIDEST, *((room - _BETWEEN * _breaks(own)[-1]) / len(own) for own in blocks))
    height = _HEADER + n_shown * cell + 2 * _LINE + 0.12 + _SHARES + 0.1
    canvas = Canvas(len(blocks) * height + _LEGEND)
    kinds = [kind for kind in _LOOKS if (summary["arrangement"] == kind).any()]
    drawn = [[_models(features, case, one, n_shown) for case, one in own] for own in blocks]
    weights = (model.weights for own in drawn for models in own for model in models)
    limit = planes.common_limit(weights, labels=True)
    for place, (own, models) in enumerate(zip(blocks, drawn, strict=True)):
        _block(canvas, place * height, cell, own, models, limit, kinds)
    canvas.figure.legend(
        handles=[Line2D([], [], linestyle="", markersize=4, label=kind, **_LOOKS[kind]) for kind in kinds],
        loc="lower center",
        ncols=len(kinds),
        borderaxespad=0.1,
    )
    return canvas.figure


def _blocks(columns: Sequence[Column]) -> list[list[Column]]:
    """Columns that stand side by side: those of several cases, if there is room for them all."""
    blocks: list[list[Column]] = [[]]
    for _, group in groupby(columns, key=lambda column: column[0]):
        own = list(group)
        if blocks[-1] and len(blocks[-1]) + len(own) > _MOST_COLUMNS:
            blocks.append([])
        blocks[-1] += own
    return blocks


def _breaks(columns: Sequence[Column]) -> np.ndarray:
    """How many times the case has changed before each column."""
    return np.cumsum([0, *(a[0] != b[0] for a, b in pairwise(columns))])


def _block(
    canvas: Canvas,
    top: float,
    cell: float,
    columns: Sequence[Column],
    drawn: Sequence[Sequence[rows.ToyModelRows]],
    limit: float,
    kinds: Sequence[str],
) -> None:
    """Some schedules side by side: planes of toy models, two lines of words, a panel of shares."""
    lefts = _LABELS + cell * np.arange(len(columns)) + _BETWEEN * _breaks(columns)
    planes_end = top + _HEADER + len(drawn[0]) * cell
    shares_top = planes_end + 2 * _LINE + 0.12
    for left, (_, one), models in zip(lefts, columns, drawn, strict=True):
        middle = left + cell / 2
        title = _title(one["probabilities"].iloc[0])
        canvas.text(middle, top + _HEADER - 0.04, title, ha="center", fontsize=style.SMALL)
        for place, model in enumerate(models):
            plane = top + _HEADER + place * cell
            axes = canvas.axes(left + 0.01, plane + 0.01, cell - 0.02, cell - 0.02)
            planes.frame_plane(axes, limit)
            planes.draw_features(axes, model.weights, model.represented, size=0.7, label_gap=0.3)
        said = [str(one[name].iloc[0]) if name in one else "–" for name in ("best", "matched")]
        for line, text in enumerate((said[0], _MATCHED.get(said[1], said[1]))):
            canvas.text(middle, planes_end + (line + 0.75) * _LINE, text, ha="center", fontsize=style.SMALL)
    for at, text in (
        (planes_end - len(drawn[0]) * cell / 2, "toy models"),
        (planes_end + 0.75 * _LINE, "best solution"),
        (planes_end + 1.75 * _LINE, "matching"),
        (shares_top + _SHARES / 2, "share of\ntoy models,\nall pairs alike"),
    ):
        canvas.text(0.03, at, text, fontsize=style.SMALL, va="center" if "\n" in text else "baseline")
    width = lefts[-1] + cell - _LABELS
    axes = canvas.axes(_LABELS, shares_top, width, _SHARES)
    _shares(axes, lefts + cell / 2 - _LABELS, [one for _, one in columns], kinds)
    axes.set_xlim(0, width)


def _models(features: pd.DataFrame, case: str, one: pd.DataFrame, n_shown: int) -> list[rows.ToyModelRows]:
    """The first toy models of a schedule."""
    seeds = one["seed"].iloc[:n_shown]
    mine = features[(features["case"] == case) & features["seed"].isin(seeds)]
    return rows.toy_models(mine, only_shown=False)


def _title(probabilities: Sequence[float]) -> str:
    numbers = [f"{p:.2g}".replace("0.", ".", 1) for p in probabilities]
    return "\n".join(["p = " + numbers[0], *(f"and {number}" for number in numbers[1:])])


def _shares(axes: Axes, middles: np.ndarray, columns: Sequence[pd.DataFrame], kinds: Sequence[str]) -> None:
    """Each arrangement's share of the toy models of each schedule, with its exact 95 % interval."""
    for place, (middle, one) in enumerate(zip(middles, columns, strict=True)):
        for order, kind in enumerate(kinds):
            n_holding, n = int((one["arrangement"] == kind).sum()), len(one)
            low, high = exact_interval(n_holding, n)
            share = n_holding / n
            axes.errorbar(
                middle + (order - (len(kinds) - 1) / 2) * 0.09,
                share,
                yerr=[[share - low], [high - share]],
                linestyle="",
                markersize=3.6,
                elinewidth=0.8,
                **_LOOKS[kind],
            )
        if place:
            axes.axvline((middle + middles[place - 1]) / 2, color=style.FAINT, linewidth=0.5)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_xticks([])
    axes.grid(axis="y")
