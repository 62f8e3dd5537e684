"""Slides 13 and 15 and their like: the toy models of one case in the plane, one a seed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from superposition_atlas.figures.parts import planes, rows, style

_COLUMNS = 4


def draw(paths: Mapping[str, Path], title: str = "") -> Figure:
    """A plane for each seed that is shown, and beside them the case's importance and probability.

    Args:
        paths: `features`, the case's table.
        title: of the case, written above.
    """
    models = rows.toy_models(rows.read(paths["features"], [*rows.PLANE_COLUMNS, "importance", "probability"]))
    limit = planes.common_limit(model.weights for model in models)
    n_rows = -(-len(models) // _COLUMNS)
    figure = Figure(figsize=(style.WIDTH, (0.3 if title else 0.1) + 1.5 * n_rows), layout="constrained")
    grid = GridSpec(2 * n_rows, _COLUMNS + 1, figure=figure, width_ratios=[1] * _COLUMNS + [0.72])
    for index, model in enumerate(models):
        row, column = divmod(index, _COLUMNS)
        axes = figure.add_subplot(grid[2 * row : 2 * row + 2, column])
        planes.frame_plane(axes, limit)
        planes.draw_features(axes, model.weights, model.represented)
        axes.set_title(f"seed {model.seed}: {model.n_represented} represented", fontsize=7.5)
    for part, column_name in ((grid[:n_rows, -1], "importance"), (grid[n_rows:, -1], "probability")):
        _profile(figure.add_subplot(part), rows.schedules_of(models, column_name), column_name)
    if title:
        figure.suptitle(style.literal(title), fontsize=8.5, fontweight="bold")
    return figure


def _profile(axes: Axes, values: np.ndarray, name: str) -> None:
    """A value a feature as bars in the features' colours; where toy models differ, from least to most."""
    low, high = values.min(axis=0), values.max(axis=0)
    features = np.arange(values.shape[1])
    few = len(features) <= 10
    axes.barh(features, high, height=0.7, color=style.feature_colours(len(features)))
    if len(values) > 1:
        axes.barh(features, low, height=0.7, color="white", alpha=0.6)
    axes.set_ylim(len(features) - 0.5, -0.5)
    axes.set_yticks(style.feature_ticks(len(features)))
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, 1.38 * float(high.max()) if few else float(high.max()))
    axes.set_xticks([])
    axes.set_title(name, fontsize=7.5)
    axes.set_ylabel("feature")
    if few:
        for feature in features:
            text = style.span(values[:, feature])
            axes.text(
                float(high[feature]), float(feature), f" {text}", va="center_baseline", fontsize=style.SMALL
            )
    else:
        axes.set_xticks([0, float(high.max())], ["0", style.short(float(high.max()))])
