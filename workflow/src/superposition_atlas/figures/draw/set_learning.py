"""Sets of correlated features while toy models learn: the arrangement at each step, and the loss."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.feature_sets import ARRANGEMENTS
from superposition_atlas.storage.experiment_files import read_experiment

_SETS = ("case", "instance", "step", "loss", "arrangement")
_ORDER = ("incomplete", "between", "directions", "bases", "antipodal bases")
_LOOKS: dict[str, tuple[str, str]] = {
    "incomplete": ("#efefef", "not all represented"),
    "between": ("#c9c9c9", "between"),
    "directions": ("#f0b27a", "a direction a set"),
    "bases": ("#7fb3d5", "a basis a set"),
    "antipodal bases": ("#1f4e79", "antipodal bases"),
}
_HATCHES = {"directions": "////", "bases": "....", "antipodal bases": ""}
# Inches.
_LABELS, _GAP, _TITLE, _PANEL, _BETWEEN, _AXIS, _LEGEND = 0.62, 0.14, 0.44, 1.2, 0.1, 0.36, 0.24


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a case: above, shares of toy models by arrangement against steps; below, losses.

    Args:
        paths: `sets` and `schedules`, the experiment's.
    """
    table = rows.read(paths["sets"], _SETS)
    experiment = read_experiment(paths["schedules"])
    cases = list(dict.fromkeys(table["case"]))
    width = (style.WIDTH - _LABELS) / len(cases)
    canvas = Canvas(_TITLE + 2 * _PANEL + _BETWEEN + _AXIS + _LEGEND)
    known = table[table["step"] > 0]
    losses = float(known["loss"].min()), float(known["loss"].max())
    for place, case in enumerate(cases):
        left = _LABELS + place * width
        label = style.literal(fill(experiment.case(case).title, 34))
        canvas.text(
            left + (width - _GAP) / 2, _TITLE - 0.06, label, ha="center", va="bottom", fontsize=style.SMALL
        )
        above = canvas.axes(left, _TITLE, width - _GAP, _PANEL)
        below = canvas.axes(left, _TITLE + _PANEL + _BETWEEN, width - _GAP, _PANEL)
        mine = known[known["case"] == case]
        _shares(above, mine)
        _losses(below, mine)
        steps = (int(mine["step"].min()), int(mine["step"].max()))
        for axes in (above, below):
            axes.set_xscale("log")
            axes.set_xlim(*steps)
            axes.tick_params(labelleft=place == 0)
        above.tick_params(labelbottom=False)
        below.set_ylim(losses[0] / 1.2, losses[1] * 1.2)
        below.set_xlabel("training steps")
        if place == 0:
            above.set_ylabel("share of toy models")
            below.set_ylabel("loss")
    handles, labels = canvas.figure.axes[0].get_legend_handles_labels()
    canvas.figure.legend(handles, labels, loc="lower center", ncols=len(labels), borderaxespad=0.1)
    return canvas.figure


def _shares(axes: Axes, table: pd.DataFrame) -> None:
    """Shares of toy models, one arrangement upon the other."""
    assert set(_ORDER) == set(ARRANGEMENTS)
    counts = pd.crosstab(table["step"], table["arrangement"]).reindex(columns=list(_ORDER), fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0)
    below = np.zeros(len(shares))
    for name in _ORDER:
        colour, label = _LOOKS[name]
        above = below + shares[name].to_numpy()
        axes.fill_between(
            shares.index.to_numpy(),
            below,
            above,
            facecolor=colour,
            edgecolor="white",
            linewidth=0.3,
            hatch=_HATCHES.get(name, ""),
            label=label,
        )
        below = above
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])


def _losses(axes: Axes, table: pd.DataFrame) -> None:
    """Every toy model's loss, and their median."""
    losses = table.pivot_table(index="step", columns="instance", values="loss")
    axes.plot(losses.index, losses.to_numpy(), color=style.MUTED, linewidth=0.3, alpha=0.5)
    axes.plot(losses.index, losses.median(axis=1), color=style.INK, linewidth=1.2)
    axes.set_yscale("log")
