"""How many features the toy models of each case represent, by schedule family and size."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.bar_panels import scale
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.storage.experiment_files import ExperimentDescription, read_experiment

_VALUES_UP_TO = 10  # features
_MOST_BINS = 30
_PANELS_A_ROW = 3
_NONE = "#f4f4f4"
_PERCENT = Normalize(0.0, 100.0)
# Inches.
_LABELS, _ABOVE, _BELOW, _GAP = 1.95, 0.5, 0.42, 0.14


def draw(paths: Mapping[str, Path]) -> Figure:
    """A heat map an experiment: cases by number of represented features; dark is a large share of seeds.

    Args:
        paths: `models.NAME` and `schedules.NAME` of each experiment.
    """
    experiments = [
        (
            read_experiment(paths[f"schedules.{name}"]),
            rows.read(paths[f"models.{name}"], ["case", "seed", "n_represented"]),
        )
        for name in rows.names(paths, "models")
    ]
    titles = {case.name: case.title for experiment, _ in experiments for case in experiment.cases.values()}
    cases = list(titles)
    n_columns = min(_PANELS_A_ROW, len(experiments))
    n_rows = -(-len(experiments) // n_columns)
    width = (style.WIDTH - _LABELS) / n_columns - _GAP
    # As tall as a page holds, but no taller than reads well.
    cell = min(0.34, max(0.16, (7.6 / n_rows - _ABOVE - _BELOW) / len(cases)))
    height = _ABOVE + cell * len(cases) + _BELOW
    canvas = Canvas(n_rows * height + 0.42)
    for index, (experiment, models) in enumerate(experiments):
        row, column = divmod(index, n_columns)
        axes = canvas.axes(_LABELS + column * (width + _GAP), row * height + _ABOVE, width, cell * len(cases))
        _heat_map(axes, experiment, models, cases)
        for line, case in enumerate(cases if column == 0 else ()):
            canvas.text(
                0.03,
                row * height + _ABOVE + (line + 0.5) * cell,
                rows.case_label(case, titles[case], 34),
                va="center",
                fontsize=style.SMALL,
                linespacing=1.05,
            )
    scale(
        canvas.axes(_LABELS, n_rows * height + 0.05, style.WIDTH - _LABELS - _GAP, 0.08),
        ScalarMappable(_PERCENT, style.AMOUNT),
        "share of seeds, %",
        [0, 25, 50, 75, 100],
    )
    return canvas.figure


def _heat_map(axes: Axes, experiment: ExperimentDescription, models: pd.DataFrame, cases: list[str]) -> None:
    edges = _edges(models["n_represented"], experiment.n_features)
    for row, case in enumerate(cases):
        counts = models.loc[models["case"] == case, "n_represented"].to_numpy()
        if counts.size == 0:
            continue
        shares = 100 * np.histogram(counts, edges)[0] / counts.size
        axes.add_patch(
            Rectangle((edges[0], row - 0.46), edges[-1] - edges[0], 0.92, facecolor=_NONE, linewidth=0)
        )
        some = np.ma.masked_equal(shares[None], 0)
        axes.pcolormesh(edges, [row - 0.46, row + 0.46], some, cmap=style.AMOUNT, norm=_PERCENT, linewidth=0)
        if experiment.n_features <= _VALUES_UP_TO:
            for k in np.flatnonzero(shares):
                axes.text(
                    (edges[k] + edges[k + 1]) / 2,
                    row,
                    f"{shares[k]:.0f}" if shares[k] >= 0.5 else "<1",
                    ha="center",
                    va="center_baseline",
                    fontsize=style.SMALL,
                    color="white" if shares[k] > 70 else style.INK,
                )
        else:
            axes.plot(counts.mean(), row, marker="|", markersize=8, color=style.ACCENT, markeredgewidth=1.2)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    if experiment.n_features <= _VALUES_UP_TO:
        axes.set_xticks((edges[:-1] + edges[1:]) / 2)
        axes.xaxis.set_major_formatter("{x:.0f}")
    axes.tick_params(axis="x", length=0 if experiment.n_features <= _VALUES_UP_TO else 2.5)
    axes.set_xlabel("features represented")
    size = f"{experiment.n_features} → {experiment.n_hidden}, {style.literal(experiment.family)}"
    axes.set_title(
        f"{rows.spaced(experiment.name)}\n{size}, {len(experiment.seeds)} seeds",
        fontsize=7,
        linespacing=1.3,
    )


def _edges(counts: pd.Series, n_features: int) -> Float[np.ndarray, " edge"]:
    """Between numbers of represented features; many numbers go together into bins of the same width."""
    low, high = int(counts.min()), int(counts.max())
    if n_features <= _VALUES_UP_TO:
        low, high = min(low, 1), n_features
    step = -(-(high - low + 1) // _MOST_BINS)
    return np.arange(low, high + step + 1, step) - 0.5
