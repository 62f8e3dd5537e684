"""Slide 12: every case, every seed that is shown, in the plane."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.storage.experiment_files import read_experiment

_LABELS = 1.32  # inches, left of the grid
_GAP = 0.015
_MOST_SEEDS = 10


def draw(paths: Mapping[str, Path]) -> Figure:
    """A grid of planes, cases by seeds, each with its count; behind it the counts over all seeds.

    Args:
        paths: `features` and `schedules`, the experiment's.
    """
    features = rows.read(paths["features"], rows.PLANE_COLUMNS)
    experiment = read_experiment(paths["schedules"])
    models = {
        case: rows.toy_models(group)[:_MOST_SEEDS] for case, group in features.groupby("case", sort=False)
    }
    has_more = len(experiment.seeds) > experiment.shown_seeds
    n_columns = max(len(shown) for shown in models.values())
    counts_width = 0.85 if has_more else 0.0
    cell = min(0.62, (style.WIDTH - _LABELS - counts_width) / n_columns)
    top, bottom = 0.22, 0.3
    height = top + cell * len(models) + bottom
    canvas = Canvas(height)

    limit = planes.common_limit((model.weights for shown in models.values() for model in shown), labels=False)
    for row, (case, shown) in enumerate(models.items()):
        above = top + row * cell
        canvas.text(
            0.03,
            above + cell / 2,
            rows.case_label(str(case), experiment.case(str(case)).title, 25),
            va="center",
            fontsize=style.SMALL,
            linespacing=1.1,
        )
        for column, model in enumerate(shown):
            axes = canvas.axes(_LABELS + column * cell + _GAP, above + _GAP, cell - 2 * _GAP, cell - 2 * _GAP)
            planes.frame_plane(axes, limit)
            planes.draw_features(axes, model.weights, model.represented, labels=False, size=0.7)
            axes.text(
                0.02, 0.98, str(model.n_represented), transform=axes.transAxes, va="top", fontweight="bold"
            )
            if row == 0:
                axes.set_title(f"seed {model.seed}", fontsize=7, pad=3)
        if has_more:
            axes = canvas.axes(
                _LABELS + n_columns * cell + 0.12, above + 0.1, counts_width - 0.17, cell - 0.22
            )
            _counts(axes, features[features["case"] == case], experiment.n_features)
            if row == 0:
                axes.set_title(f"{len(experiment.seeds)} seeds", fontsize=7, pad=3 + 0.08 * 72)
    canvas.figure.legend(
        handles=style.feature_handles(experiment.n_features),
        loc="lower center",
        ncols=experiment.n_features,
        bbox_to_anchor=(0.5, 0.0),
        borderaxespad=0.1,
    )
    return canvas.figure


def _counts(axes: Axes, features: pd.DataFrame, n_features: int) -> None:
    """How many seeds have how many features represented, as shares."""
    per_seed = features.groupby("seed")["represented"].sum()
    shares = np.bincount(per_seed, minlength=n_features + 1) / len(per_seed)
    few = n_features <= 6
    counts = np.arange(n_features + 1)
    axes.bar(counts, shares, width=0.82, color=style.MUTED)
    axes.set_ylim(0, 1.0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    first = 1 if few else 0
    axes.set_xlim(first - 0.6, n_features + 0.6)
    axes.set_xticks(counts[first:] if few else [0, n_features])
    axes.tick_params(axis="x", labelsize=5.5, length=0, pad=1.5)
