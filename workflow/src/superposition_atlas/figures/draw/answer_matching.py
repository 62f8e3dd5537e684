"""What the matching says of each feature, and below it what trained toy models do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.published import published_norms

PUBLISHED_SIZE = (80, 20)
"""Features and dimensions of the toy models whose norms were published."""

_COLUMNS = (
    "case",
    "schedule",
    "n_features",
    "n_hidden",
    "importance",
    "probability",
    "label",
    "share_alone",
    "share_shared",
    "n_kept_rule",
    "n_alone_rule",
    "n_kept_trained",
    "n_alone_trained",
    "jaccard_rule",
    "jaccard_ceiling",
    "squared_norm_largest",
)
_ALONE, _SHARED = (style.POLYSEMANTICITY(style.POLYSEMANTICITY_RANGE(value)) for value in (0.0, 1.0))
_LABELS = {"alone": _ALONE, "shared": _SHARED, "absent": (1.0, 1.0, 1.0, 1.0)}
_EDGE = "#c4ae00"
_EDGES = {"alone": _ALONE, "shared": _EDGE, "absent": style.MUTED}
_HALO = [patheffects.withStroke(linewidth=1.9, foreground="white")]
_PROBABILITY: dict[str, Any] = {"color": style.INK, "linewidth": 0.8}
_IMPORTANCE: dict[str, Any] = {"color": style.INK, "linewidth": 1.0, "linestyle": (0, (1, 1.4))}
# Inches.
_LEFT, _WIDTH = 0.58, 4.12
_LEGEND, _TITLE, _STRIP, _BETWEEN, _BARS, _GAP = 0.3, 0.2, 0.13, 0.035, 0.62, 0.13
_AXIS = 0.36
_NUMBERS = (5.66, 6.09, 6.46)
"""Right ends of the columns of numbers: rule, trained, post."""
_LINE = 0.15
_NAME = 0.16
"""Between the names of strip and bars and their frame."""
_MOST_SEPARATE = 120
"""Features that have room for a gap between them."""


def draw(paths: Mapping[str, Path], cases: Sequence[Mapping[str, str]]) -> Figure:
    """A row a case, all on one axis of features.

    Args:
        paths: `matching`, the experiment's table; at the post's size also `published`, its norms as CSV.
        cases: name and title of each row's case. Equally important features stand by falling density.
    """
    table = rows.read(paths["matching"], _COLUMNS)
    published = published_norms(paths["published"]) if "published" in paths else {}
    height = _TITLE + _STRIP + _BETWEEN + _BARS + _GAP
    canvas = Canvas(_LEGEND + height * len(cases) + _AXIS)
    bars: list[Axes] = []
    for number, case in enumerate(cases):
        row = _row(table, case["name"], paths["matching"])
        order = np.arange(len(row["label"]))
        by_density = bool(np.ptp(row["importance"]) == 0 and np.ptp(row["probability"]) > 0)
        if by_density:
            order = np.argsort(-np.asarray(row["probability"]), kind="stable")
        top = _LEGEND + height * number
        title = style.literal(case["title"]) + (" (features by density)" if by_density else "")
        canvas.text(_LEFT, top + _TITLE - 0.05, title, va="baseline", fontsize=8.0, fontweight="bold")
        strip = canvas.axes(_LEFT, top + _TITLE, _WIDTH, _STRIP)
        _strip(strip, np.asarray(row["label"])[order])
        bars.append(canvas.axes(_LEFT, top + _TITLE + _STRIP + _BETWEEN, _WIDTH, _BARS))
        _bars(bars[-1], row, order)
        for axes, y, name in ((strip, 0.5, "rule"), (bars[-1], 0.5, "trained")):
            axes.text(
                -_NAME / _WIDTH, y, name, transform=axes.transAxes, ha="right", va="center", fontsize=7.0
            )
        is_published = (row["n_features"], row["n_hidden"]) == PUBLISHED_SIZE and case["name"] in published
        _numbers(canvas, top + _TITLE, row, published[case["name"]] ** 2 if is_published else None)
    _axis(bars, table)
    corner = (_LEFT / style.WIDTH, 1.0)
    canvas.figure.legend(
        handles=_handles(),
        loc="upper left",
        ncols=5,
        bbox_to_anchor=corner,
        borderaxespad=0.6,
        borderpad=0.0,
    )
    return canvas.figure


def _row(table: pd.DataFrame, case: str, path: Path) -> pd.Series:
    """The case's first schedule."""
    found = table[(table["case"] == case) & (table["schedule"] == 0)]
    if found.empty:
        raise ArtefactError(f"{path}: has no rows of case {case!r}")
    row: pd.Series = found.iloc[0]
    return row


def _thickness(n_features: int) -> float:
    return 0.84 if n_features <= _MOST_SEPARATE else 1.0


def _strip(axes: Axes, labels: np.ndarray) -> None:
    """A box a feature: alone, shared, or white where it is absent."""
    colours = [_LABELS[label] for label in labels]
    edges = [_EDGES[label] for label in labels]
    width = _thickness(len(labels))
    axes.bar(np.arange(len(labels)), 1.0, width, color=colours, edgecolor=edges, linewidth=0.35)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(-0.7, len(labels) - 0.3)
    style.bare(axes)


def _bars(axes: Axes, row: pd.Series, order: np.ndarray) -> None:
    """Shares of toy models in which each feature is alone and shared, on top of each other; p_i and I_i."""
    alone, shared, probability, importance = (
        np.asarray(row[name], dtype=np.float64)[order]
        for name in ("share_alone", "share_shared", "probability", "importance")
    )
    place, width = np.arange(len(order)), _thickness(len(order))
    axes.bar(place, alone, width, color=[_ALONE])
    # Yellow is nearly white in grey: an edge holds it.
    axes.bar(place, shared, width, alone, color=[_SHARED], edgecolor=_EDGE, linewidth=0.25)
    axes.plot(
        place, importance / max(importance.max(), np.finfo(float).tiny), path_effects=_HALO, **_IMPORTANCE
    )
    axes.plot(place, probability, path_effects=_HALO, **_PROBABILITY)
    axes.set_xlim(-0.7, len(order) - 0.3)
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0, 1], ["0", "1"])
    axes.tick_params(axis="y", length=1.5, pad=1.5)
    axes.tick_params(axis="x", labelbottom=False, length=1.5)


def _numbers(canvas: Canvas, top: float, row: pd.Series, published: float | None) -> None:
    """Numbers of the rule, of trained toy models and of the post, one below the other."""
    lines: list[tuple[str, Sequence[str]]] = [
        ("", ("rule", "trained", "post" if published is not None else "")),
        ("represented", (f"{row['n_kept_rule']}", f"{row['n_kept_trained']:.1f}")),
        ("alone", (f"{row['n_alone_rule']}", f"{row['n_alone_trained']:.1f}")),
        (
            "‖W‖²",
            (
                f"{row['n_kept_rule']}",
                f"{row['squared_norm_largest']:.1f}",
                "" if published is None else f"{published:.1f}",
            ),
        ),
        ("overlap", (_share(row["jaccard_rule"]), _share(row["jaccard_ceiling"]))),
    ]
    for number, (name, values) in enumerate(lines):
        y = top + 0.09 + number * _LINE
        muted = {"color": "#666666"} if number == 0 else {}
        canvas.text(_LEFT + _WIDTH + 0.09, y, name, va="baseline", fontsize=7.0)
        for right, value in zip(_NUMBERS, values, strict=False):
            canvas.text(right, y, value, ha="right", va="baseline", fontsize=7.0, **muted)


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _axis(bars: Sequence[Axes], table: pd.DataFrame) -> None:
    """Features by number below the last row."""
    ticks = style.feature_ticks(int(table["n_features"].iloc[0]))
    for axes in bars:
        axes.set_xticks(ticks)
    bars[-1].tick_params(axis="x", labelbottom=True)
    bars[-1].set_xlabel("feature, the most important first; of equally important ones, the densest")


def _handles() -> list[Patch | Line2D]:
    absent: dict[str, Any] = {"facecolor": "white", "edgecolor": style.MUTED, "linewidth": 0.5}
    return [
        Patch(color=_ALONE, label="a dimension alone"),
        Patch(color=_SHARED, label="a dimension shared"),
        Patch(label="absent", **absent),
        Line2D([], [], label="probability $p_i$", **_PROBABILITY),
        Line2D([], [], label="importance $I_i$", **_IMPORTANCE),
    ]
