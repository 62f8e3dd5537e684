"""Schedules at which the full predictor is wrong: the best solutions there, with their weights and biases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import planes, rows, structure_style, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.features import REPRESENTED_NORM

_COLUMNS = (
    "importance",
    "probability",
    "best_shape",
    "best_W",
    "best_b",
    "predicted_structure",
    "predicted_excess",
    "agrees",
)
_MOST_FEATURES = 8
"""Number of features that a table of numbers has room for."""
_ROWS = {"importance": "$I_i$", "probability": "$p_i$", "best_norm": r"$\|W_i\|$", "best_b": "$b_i$"}
# Inches.
_COLUMNS_OF_PLANES, _GAP, _TITLE, _HEADING, _LINE, _LABELS = 4, 0.14, 0.34, 0.24, 0.115, 0.3


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row for each kind of structure that was missed: the schedules at which being wrong costs most.

    Args:
        paths: `predictions`.
    """
    table = rows.read(paths["predictions"], _COLUMNS)
    wrong = table[~table["agrees"].astype(bool)].sort_values("predicted_excess", ascending=False)
    kinds = wrong["best_shape"].map(structure_style.kind_of)
    groups = {kind: wrong[kinds == kind] for kind in structure_style.KINDS if (kinds == kind).any()}
    width = (style.WIDTH - _LABELS) / _COLUMNS_OF_PLANES
    plane = width - _GAP
    row = _HEADING + _TITLE + plane + (len(_ROWS) + 1) * _LINE + 0.16
    canvas = Canvas(max(row * len(groups), 1.1))
    if not groups:
        said = f"The full predictor is right at all {len(table)} schedules."
        canvas.text(style.WIDTH / 2, 0.55, said, ha="center", va="center")
        return canvas.figure
    examples = {kind: own.head(_COLUMNS_OF_PLANES) for kind, own in groups.items()}
    weights = {index: _weights(best) for own in examples.values() for index, best in own.iterrows()}
    limit = planes.common_limit(weights.values())
    for number, (kind, own) in enumerate(examples.items()):
        top = number * row
        share = f"{len(groups[kind])} of {len(wrong)} wrong predictions"
        said = f"The best has {structure_style.WORDS[kind]}: {share}"
        canvas.text(0.02, top + 0.02, said, fontsize=7, fontweight="bold", va="top")
        for column, (index, best) in enumerate(own.iterrows()):
            left = _LABELS + column * width
            axes = canvas.axes(left, top + _HEADING + _TITLE, plane, plane)
            _plane(axes, weights[index], best, limit)
            _numbers(
                canvas, left, top + _HEADING + _TITLE + plane + 0.1, plane, weights[index], best, column == 0
            )
    return canvas.figure


def _weights(best: "pd.Series[Any]") -> np.ndarray:
    """[feature, hidden], as planes take it."""
    return np.asarray(best["best_W"]).reshape(-1, len(best["best_b"])).T


def _plane(axes: Axes, weights: np.ndarray, best: "pd.Series[Any]", limit: float) -> None:
    planes.frame_plane(axes, limit)
    planes.draw_features(axes, weights, np.linalg.norm(weights, axis=1) > REPRESENTED_NORM)
    excess = 100 * best["predicted_excess"]
    axes.set_title(
        f"best: {structure_style.named(best['best_shape'])}\npredicted: {best['predicted_structure']}\n"
        f"loses {style.short(excess)} % more",
        fontsize=style.SMALL,
        linespacing=1.25,
    )


def _numbers(
    canvas: Canvas,
    left: float,
    top: float,
    width: float,
    weights: np.ndarray,
    best: "pd.Series[Any]",
    is_first: bool,
) -> None:
    """Under a plane: what the schedule says of each feature, and what the best solution makes of it."""
    n_features = min(len(weights), _MOST_FEATURES)
    values = {
        "importance": best["importance"],
        "probability": best["probability"],
        "best_norm": np.linalg.norm(weights, axis=1),
        "best_b": best["best_b"],
    }
    colours = style.feature_colours(len(weights))
    for line, label in enumerate(_ROWS.values(), start=1):
        if is_first:
            canvas.text(0.02, top + line * _LINE, label, fontsize=style.SMALL, va="center_baseline")
    for feature in range(n_features):
        place = left + (feature + 0.5) * width / n_features
        canvas.text(
            place, top, str(feature), fontsize=style.SMALL, ha="center", va="center_baseline",
            color=colours[feature], fontweight="bold",
        )  # fmt: skip
        for line, name in enumerate(_ROWS, start=1):
            text = _short(float(values[name][feature]))
            canvas.text(
                place, top + line * _LINE, text, fontsize=style.SMALL, ha="center", va="center_baseline"
            )


def _short(value: float) -> str:
    """The value to two decimals, or three below 0.1, without the zero in front."""
    text = f"{value:.3f}" if 0 < abs(value) < 0.1 else f"{value:.2f}"
    short = text.replace("0.", ".", 1) if abs(value) < 1 else text
    return short.replace("-", "−")
