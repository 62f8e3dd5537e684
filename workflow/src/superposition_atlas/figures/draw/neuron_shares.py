"""How many neurons are monosemantic, and how many features are computed, over the density of features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_WIDTH, _HEIGHT, _TOP, _LEFT, _GAP = 2.6, 1.35, 0.28, 0.52, 0.66


def draw(paths: Mapping[str, Path]) -> Figure:
    """Two panels over the mean probability of the cases: monosemantic neurons, computed features.

    Args:
        paths: `models`, the table `neuron_models` of an experiment.
    """
    columns = ["probability", "kept", "n_neurons", "n_monosemantic", "monosemantic_by_chance", "n_computed"]
    table = rows.read(paths["models"], columns)
    table["share"] = table["n_monosemantic"] / table["n_neurons"].where(table["n_neurons"] > 0)
    canvas = Canvas(_TOP + _HEIGHT + 0.4)
    panels = [canvas.axes(_LEFT + place * (_WIDTH + _GAP), _TOP, _WIDTH, _HEIGHT) for place in range(2)]
    kept = table[table["kept"].to_numpy(dtype=bool)]
    _lines(panels[0], {"all": table, "kept": kept}, "share")
    chance = table.groupby("probability")["monosemantic_by_chance"].mean()
    panels[0].plot(
        chance.index, chance, color=style.MUTED, linewidth=1, linestyle=(0, (1, 1)), label="random basis"
    )
    panels[0].set(ylabel="monosemantic neurons", ylim=(-0.03, 1.05))
    _lines(panels[1], {"all": table, "kept": kept}, "n_computed")
    panels[1].set(ylabel="features computed")
    panels[1].set_ylim(bottom=0)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    return canvas.figure


def _lines(axes: Axes, tables: Mapping[str, pd.DataFrame], column: str) -> None:
    """Means of all toy models, with the middle half of them, and the values of those kept."""
    labels = {"all": "mean of all toy models", "kept": "the one kept"}
    for index, (name, table) in enumerate(tables.items()):
        groups = table.groupby("probability")[column]
        mean = groups.mean()
        look = style.series(index)
        axes.plot(mean.index, mean, **look, markersize=3.5, linewidth=1.1, label=labels[name])
        if name == "all":
            low, high = groups.quantile(0.25), groups.quantile(0.75)
            axes.fill_between(np.asarray(mean.index), low, high, color=look["color"], alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("feature probability $p$ (log; rarer to the right)")
