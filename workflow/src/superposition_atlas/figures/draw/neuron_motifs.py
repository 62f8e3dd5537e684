"""Neurons that represent two features: how much each goes in and how much comes out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas, columns_of
from superposition_atlas.storage.experiment_files import read_experiment

_LEFT, _GAP, _HEIGHT, _ABOVE, _BELOW = 0.5, 0.32, 1.15, 0.24, 0.42
_LARGEST = 20.0
_STRONG = 2.0
_TICKS = {0.1: "0.1", 0.5: "½", 1: "1", 2: "2", 10: "10"}


def draw(paths: Mapping[str, Path]) -> Figure:
    """A panel a case, a point for each neuron and pair of features; ratios beyond 20 stand at the edge.

    Args:
        paths: `motifs` of an experiment, and its `schedules`.
    """
    experiment = read_experiment(paths["schedules"])
    table = rows.read(paths["motifs"], ["case", "input_ratio", "output_ratio", "inhibited"])
    cases = [case for case in experiment.cases.values() if (table["case"] == case.name).any()]
    n_columns = columns_of(max(len(cases), 1))
    n_rows = max(-(-len(cases) // n_columns), 1)
    canvas = Canvas(n_rows * (_ABOVE + _HEIGHT + _BELOW) + 0.24)
    width = (style.WIDTH - _LEFT - 0.05) / n_columns - _GAP
    for place, case in enumerate(cases):
        row, column = divmod(place, n_columns)
        top = row * (_ABOVE + _HEIGHT + _BELOW) + _ABOVE
        axes = canvas.axes(_LEFT + column * (width + _GAP), top, width, _HEIGHT)
        own = table[table["case"] == case.name]
        is_inhibited = own["inhibited"].to_numpy(dtype=bool)
        _frame(axes)
        for index, (chosen, label) in enumerate(
            ((is_inhibited, "inhibited by others"), (~is_inhibited, "not inhibited"))
        ):
            look = style.series(index)
            axes.plot(
                own["input_ratio"].clip(1, _LARGEST)[chosen],
                own["output_ratio"].clip(1 / _LARGEST, _LARGEST)[chosen],
                linestyle="none",
                marker=look["marker"],
                color=look["color"],
                markersize=2.2,
                markeredgewidth=0,
                alpha=0.5,
                label=label if place == 0 else None,
                clip_on=False,
            )
        axes.set_title(f"{style.literal(case.title)}, {len(own)} pairs")
        axes.set_xlabel("input ratio")
        if column == 0:
            axes.set_ylabel("output ratio")
    canvas.figure.legend(loc="lower right", ncols=2, borderaxespad=0.1, markerscale=1.6)
    return canvas.figure


def _frame(axes: Axes) -> None:
    axes.set(xscale="log", yscale="log", xlim=(0.95, _LARGEST * 1.1), ylim=(0.9 / _LARGEST, _LARGEST * 1.1))
    corner = (_STRONG, _STRONG)
    axes.add_patch(Rectangle(corner, 100, 100, facecolor=style.SHADE, linewidth=0, zorder=0))
    axes.axhline(1, color=style.FAINT, linewidth=0.6, zorder=0.5)
    axes.set_yticks(list(_TICKS), list(_TICKS.values()))
    axes.set_xticks([1, 2, 10], ["1", "2", "10"])
    axes.minorticks_off()
    axes.plot(*np.array([[1, _LARGEST], [1, _LARGEST]]), color=style.FAINT, linewidth=0.6, zorder=0.5)
