"""Slide 11: the cases, as importance and probability of each feature."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.storage.experiment_files import read_experiment

_VALUES_UP_TO = 10  # features
_LEAST_PROBABILITY = 0.01


def draw(paths: Mapping[str, Path]) -> Figure:
    """Two heat maps, a row a case; a case whose toy models differ has a band for each.

    Args:
        paths: `schedules`, the experiment's.
    """
    experiment = read_experiment(paths["schedules"])
    cases = list(experiment.cases.values())
    figure = Figure(figsize=(style.WIDTH, 0.75 + 0.33 * len(cases)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    importance = [case.importance for case in cases]
    probability = [case.probability for case in cases]
    highest = max(float(values.max()) for values in importance)
    least = min(_LEAST_PROBABILITY, *(float(values.min()) for values in probability))
    _heat_map(left, importance, Normalize(0, highest), "importance")
    _heat_map(right, probability, LogNorm(least, 1.0), "feature probability (1 − sparsity)")
    left.set_yticks(
        np.arange(len(cases)),
        [rows.case_label(case.name, case.title, 46) for case in cases],
        fontsize=style.SMALL,
        linespacing=1.15,
    )
    return figure


def _heat_map(
    axes: Axes, cases: list[Float[np.ndarray, "variant feature"]], norm: Normalize, title: str
) -> None:
    n_features = cases[0].shape[1]
    for row, variants in enumerate(cases):
        values = variants[:1] if (variants == variants[0]).all() else variants
        # A line of white between cases, none between the toy models of one.
        edges = np.linspace(row - 0.46, row + 0.46, len(values) + 1)
        mesh = axes.pcolormesh(
            np.arange(n_features + 1) - 0.5, edges, values, cmap=style.AMOUNT, norm=norm, linewidth=0
        )
        mesh.set_rasterized(False)
        if len(values) == 1 and n_features <= _VALUES_UP_TO:
            for feature, value in enumerate(values[0]):
                _write(axes, feature, row, style.short(value), float(norm(value)))
        elif len(values) > 1:
            text = f"{style.short(values[0].mean())} to {style.short(values[-1].mean())}, by toy model"
            axes.text(
                (n_features - 1) / 2,
                row,
                text,
                ha="center",
                va="center",
                fontsize=style.SMALL,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85},
            )
    axes.set_xlim(-0.5, n_features - 0.5)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xticks(style.feature_ticks(n_features))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("feature")
    axes.set_title(title)


def _write(axes: Axes, x: float, y: float, text: str, darkness: float) -> None:
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center_baseline",
        fontsize=style.SMALL,
        color="white" if darkness > 0.55 else style.INK,
    )
