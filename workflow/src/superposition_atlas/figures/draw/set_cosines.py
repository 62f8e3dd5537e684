"""Two sets of correlated features: products of directions, and cosines within a set and across sets."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import bar_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.storage.experiment_files import ExperimentDescription, read_experiment

_SETS = ("case", "instance", "probability", "step", "within", "across")
_LOOKS: dict[str, dict[str, Any]] = {
    "within": {"color": "#20639b", "marker": "o", "label": "within a set"},
    "across": {"color": "#d1681c", "marker": "s", "label": "across sets"},
}
# Inches.
_LABELS, _GAP, _TITLE, _BELOW, _PANEL, _AXIS, _LEGEND = 0.5, 0.12, 0.44, 0.24, 1.35, 0.36, 0.22


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a case: the heat map of one toy model, and below it mean |cosines| by probability.

    Args:
        paths: `sets`, `features` and `schedules`, the experiment's.
    """
    table = rows.read(paths["sets"], _SETS)
    last = table[table["step"] == table.groupby("case")["step"].transform("max")]
    features = rows.read(paths["features"], [*rows.PLANE_COLUMNS, "probability"])
    experiment = read_experiment(paths["schedules"])
    cases = list(dict.fromkeys(last["case"]))
    width = (style.WIDTH - _LABELS) / len(cases)
    side = width - _GAP
    bottom = _TITLE + side + _BELOW
    canvas = Canvas(bottom + _PANEL + _AXIS + _LEGEND)
    highest = float(last[["within", "across"]].to_numpy().max())
    for place, case in enumerate(cases):
        left = _LABELS + place * width
        label = style.literal(fill(experiment.case(case).title, 24))
        canvas.text(left + side / 2, _TITLE - 0.06, label, ha="center", va="bottom", fontsize=style.SMALL)
        axes = canvas.axes(left, _TITLE, side, side)
        _products(axes, _middle_model(features[features["case"] == case]), experiment, case)
        if place == 0:
            canvas.text(0.03, _TITLE + side / 2, r"$W^\top W$", va="center", fontsize=style.SMALL)
        panel = canvas.axes(left, bottom, side, _PANEL)
        _cosines(panel, last[last["case"] == case], highest)
        panel.tick_params(labelleft=place == 0)
        if place == 0:
            panel.set_ylabel("mean |cosine|")
    canvas.figure.legend(
        handles=[Line2D([], [], linestyle="", markersize=4, **look) for look in _LOOKS.values()],
        loc="lower center",
        ncols=2,
        borderaxespad=0.1,
    )
    return canvas.figure


def _middle_model(features: pd.DataFrame) -> rows.ToyModelRows:
    """The first toy model of the middle one of the probabilities."""
    models = rows.one_a_density(rows.toy_models(features), 99)
    return models[len(models) // 2]


def _products(axes: Axes, model: rows.ToyModelRows, experiment: ExperimentDescription, case: str) -> None:
    """WᵀW, with lines between the sets of the experiment's first case that has some."""
    bar_panels.draw_products(axes, model, 1.0)
    structures = (own.structure for own in experiment.cases.values() if own.structure is not None)
    structure = experiment.case(case).structure
    structure = next(structures) if structure is None else structure
    ends = np.flatnonzero(np.diff(structure[0, :, 0].astype(np.int64))) + 0.5
    for end in ends:
        axes.axhline(float(end), color=style.INK, linewidth=0.6)
        axes.axvline(float(end), color=style.INK, linewidth=0.6)


def _cosines(axes: Axes, table: pd.DataFrame, highest: float) -> None:
    """Means over toy models with 95 % intervals, and the toy models behind them."""
    of_probability = list(reversed(list(table.groupby(table["probability"].round(6)))))
    for place, (_, one) in enumerate(of_probability):
        for aside, (name, look) in zip((-0.16, 0.16), _LOOKS.items(), strict=True):
            values = one[name].to_numpy()
            spread = np.linspace(-0.09, 0.09, len(values))
            axes.plot(
                place + aside + spread,
                values,
                ".",
                color=look["color"],
                alpha=0.35,
                markersize=2,
                markeredgewidth=0,
            )
            low, high = t_interval(values)
            mean = float(values.mean())
            axes.errorbar(
                place + aside,
                mean,
                yerr=[[mean - low], [high - mean]],
                color=look["color"],
                marker=look["marker"],
                markersize=4,
                linestyle="",
            )
    axes.set_xlim(-0.5, len(of_probability) - 0.5)
    axes.set_ylim(0, highest * 1.08)
    axes.set_xticks(
        range(len(of_probability)), [f"{float(str(p)):.2g}".lstrip("0") for p, _ in of_probability]
    )
    axes.set_xlabel("mean probability")
    axes.grid(axis="y")
