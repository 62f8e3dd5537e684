"""What SAEs make of children and parents: absorption and hedging, beside independent features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.children import over_children
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.storage.experiment_files import read_experiment

_MEASURES = {
    "largest_absorption": "absorption, at most",
    "parent_in_child": "parent in child's latent",
    "largest_child_in_parent": "child in parent's, at most",
    "same_latent": "one latent for both",
}
_COLUMNS = (
    *("case", "sae", "toy_model", "seed", "parent", "child", "represented"),
    *("absorption", "parent_in_child", "child_in_parent", "same_latent"),
)
# Inches.
_LABELS, _GAP, _TITLE, _ROW, _AXIS, _LEGEND = 0.95, 0.14, 0.24, 0.33, 0.28, 0.22


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a measure, a row an SAE, a mark a case: means over toy models with 95 % intervals.

    Args:
        paths: `children` and `schedules`, the experiment's.
    """
    table = over_children(rows.read(paths["children"], _COLUMNS))
    experiment = read_experiment(paths["schedules"])
    names, cases = (list(dict.fromkeys(table[column])) for column in ("sae", "case"))
    width = (style.WIDTH - _LABELS) / len(_MEASURES)
    height = _ROW * len(names)
    canvas = Canvas(_TITLE + height + _AXIS + _LEGEND)
    for place, (measure, title) in enumerate(_MEASURES.items()):
        axes = canvas.axes(_LABELS + place * width, _TITLE, width - _GAP, height)
        _means(axes, table, measure, names, cases)
        axes.set_title(title, fontsize=style.SMALL)
        axes.set_yticks(range(len(names)), [rows.spaced(name) for name in names] if place == 0 else [])
        axes.set_ylim(len(names) - 0.5, -0.5)
    canvas.figure.legend(
        handles=[
            Line2D([], [], label=style.literal(experiment.case(case).title), **_look(number))
            for number, case in enumerate(cases)
        ],
        loc="lower center",
        ncols=len(cases),
        borderaxespad=0.1,
    )
    return canvas.figure


def _look(number: int) -> dict[str, Any]:
    look = dict(style.series(number)) | {"linestyle": "", "markersize": 4}
    return look | ({"markerfacecolor": "white"} if number else {})


def _means(axes: Axes, table: pd.DataFrame, measure: str, names: list[str], cases: list[str]) -> None:
    """Means over toy models with 95 % intervals."""
    for row, name in enumerate(names):
        for number, case in enumerate(cases):
            own = table[(table["sae"] == name) & (table["case"] == case)]
            values = own[measure].dropna().to_numpy()
            if not values.size:
                continue
            mean, (low, high) = float(values.mean()), t_interval(values)
            at = row + (number - (len(cases) - 1) / 2) * 0.32
            axes.errorbar(
                mean, at, xerr=np.nan_to_num([[mean - low], [high - mean]]), elinewidth=0.9, **_look(number)
            )
    axes.axvline(0, color=style.MUTED, linewidth=0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    for edge in np.arange(len(names) - 1) + 0.5:
        axes.axhline(edge, color=style.FAINT, linewidth=0.4)
