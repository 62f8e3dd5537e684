"""Slide 12: every case in the plane: its best solution, where it was sought, and every seed that is shown."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.rows import Directions
from superposition_atlas.storage.experiment_files import read_experiment

_SOLUTIONS = ("case", "key", "kind", "rank", "weights", "represented")
# Inches.
_LABELS, _COUNTS, _WIDEST = 1.12, 0.8, 0.62
_TOP, _BOTTOM, _GAP, _AFTER_BEST = 0.22, 0.26, 0.01, 0.08
_MOST_SEEDS = 10


def draw(paths: Mapping[str, Path]) -> Figure:
    """A grid of planes, cases by seeds, each with its count; behind it the counts over all seeds.

    Args:
        paths: `features` and `schedules`, the experiment's; `solutions` for a first column with the best
            solution of each case of one schedule.
    """
    features = rows.read(paths["features"], rows.PLANE_COLUMNS)
    experiment = read_experiment(paths["schedules"])
    best = _best(rows.read(paths["solutions"], _SOLUTIONS)) if "solutions" in paths else {}
    shown = {
        str(case): {model.seed: model.directions for model in rows.toy_models(group)[:_MOST_SEEDS]}
        for case, group in features.groupby("case", sort=False)
    }
    has_more = len(experiment.seeds) > experiment.shown_seeds
    n_seeds = max(map(len, shown.values()))
    before = 1 if best else 0
    room = style.WIDTH - _LABELS - has_more * _COUNTS - before * _AFTER_BEST
    cell = min(_WIDEST, room / (n_seeds + before))
    canvas = Canvas(_TOP + cell * len(shown) + _BOTTOM)
    lefts = [
        _LABELS + column * cell + (_AFTER_BEST if best and column else 0)
        for column in range(before + n_seeds)
    ]
    drawn = [*best.values(), *(one for models in shown.values() for one in models.values())]
    limit = planes.common_limit((one.weights for one in drawn), labels=True)

    for row, (case, models) in enumerate(shown.items()):
        above = _TOP + row * cell
        label = rows.case_label(case, experiment.case(case).title, 22)
        canvas.text(0.03, above + cell / 2, label, va="center", fontsize=style.SMALL, linespacing=1.0)
        titled: list[tuple[str, Directions | None]] = [("best", best.get(case))] if best else []
        titled += [(f"seed {seed}", one) for seed, one in models.items()]
        for left, (title, one) in zip(lefts, titled, strict=False):
            axes = canvas.axes(left + _GAP, above + _GAP, cell - 2 * _GAP, cell - 2 * _GAP)
            if row == 0:
                axes.set_title(
                    title, fontsize=style.SMALL, pad=2, fontweight="bold" if title == "best" else "normal"
                )
            if one is None:
                style.bare(axes)
                continue
            planes.frame_plane(axes, limit)
            planes.draw_features(axes, one.weights, one.represented, size=0.6, label_gap=0.34)
            axes.text(0.0, 1.0, str(one.n_represented), transform=axes.transAxes, va="top", fontweight="bold")
        if has_more:
            axes = canvas.axes(lefts[-1] + cell + 0.1, above + 0.07, _COUNTS - 0.14, cell - 0.22)
            _counts(axes, features[features["case"] == case], experiment.n_features)
            if row == 0:
                axes.set_title(f"{len(experiment.seeds)} seeds", fontsize=style.SMALL, pad=2 + 0.06 * 72)
    canvas.figure.legend(
        handles=style.feature_handles(experiment.n_features),
        loc="lower center",
        ncols=experiment.n_features,
        bbox_to_anchor=(0.5, 0.0),
        borderaxespad=0.1,
    )
    return canvas.figure


def _best(solutions: pd.DataFrame) -> dict[str, Directions]:
    """The best solution of each case that has one schedule."""
    best = solutions[(solutions["kind"] == "minimum") & (solutions["rank"] == 0)]
    return {
        str(case): Directions(
            rows.stacked(found["weights"].iloc[0]), np.asarray(found["represented"].iloc[0])
        )
        for case, found in best.groupby("case")
        if len(found) == 1
    }


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
    axes.tick_params(axis="x", labelsize=style.SMALL, length=0, pad=1.5)
