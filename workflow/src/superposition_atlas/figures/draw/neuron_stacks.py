"""The neurons of the toy model that is kept of each case: a column a neuron, a block a feature."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas, columns_of
from superposition_atlas.storage.experiment_files import read_experiment

_LEFT, _GAP, _HEIGHT, _ABOVE, _BELOW = 0.5, 0.3, 1.0, 0.24, 0.26
_MONOSEMANTIC, _POLYSEMANTIC = style.POLYSEMANTICITY([0.12, 0.85])
_NOTHING = to_rgba(style.FAINT)
_THRESHOLD = 0.9
_FEW = 12  # neurons, whose blocks have room for wide seams
_LEAST = 0.1  # smaller weights are one block together


class _Neurons(NamedTuple):
    weights: Float[np.ndarray, "neuron feature"]
    monosemanticity: Float[np.ndarray, " neuron"]


def draw(paths: Mapping[str, Path]) -> Figure:
    """Panels by case: input weights of each neuron, stacked from the largest, those below 0 downwards.

    Args:
        paths: `neurons` of an experiment, and its `schedules`.
    """
    experiment = read_experiment(paths["schedules"])
    columns = ["case", "seed", "kept", "neuron", "monosemanticity", "best_feature", "weights"]
    table = rows.read(paths["neurons"], columns)
    kept = table[table["kept"].to_numpy(dtype=bool)]
    found = {case: _of_case(kept[kept["case"] == case]) for case in experiment.cases}
    n_columns = columns_of(len(found))
    n_rows = -(-len(found) // n_columns)
    height = _ABOVE + _HEIGHT + _BELOW
    canvas = Canvas(n_rows * height + 0.12)
    width = (style.WIDTH - _LEFT - 0.05) / n_columns - _GAP
    for place, (case, neurons) in enumerate(found.items()):
        row, column = divmod(place, n_columns)
        axes = canvas.axes(_LEFT + column * (width + _GAP), row * height + _ABOVE, width, _HEIGHT)
        _stack(axes, neurons, experiment.cases[case].title)
        if column == 0:
            axes.set_ylabel(r"input weights $W_{ki}$")
    handles = [
        Patch(color=_MONOSEMANTIC, label="monosemantic"),
        Patch(color=_POLYSEMANTIC, label="polysemantic"),
        Patch(color=_NOTHING, label="represents nothing"),
    ]
    canvas.figure.legend(handles=handles, ncols=3, loc="lower right", borderaxespad=0.1)
    return canvas.figure


def _of_case(table: pd.DataFrame) -> _Neurons:
    """Neurons by the feature that they add most for, those without one last."""
    first = table["best_feature"].to_numpy()
    order = np.argsort(np.where(first < 0, np.iinfo(first.dtype).max, first), kind="stable")
    weights = np.stack(table["weights"].to_list())[order]
    return _Neurons(weights, table["monosemanticity"].to_numpy()[order])


def _stack(axes: Axes, neurons: _Neurons, title: str) -> None:
    place = np.arange(len(neurons.weights))
    colours = [
        _NOTHING if np.isnan(share) else _MONOSEMANTIC if share >= _THRESHOLD else _POLYSEMANTIC
        for share in neurons.monosemanticity
    ]
    line = 0.5 if len(place) <= _FEW else 0.15
    for sign in (1.0, -1.0):
        size = -np.sort(-np.maximum(sign * neurons.weights, 0.0), axis=1)
        is_small = size < _LEAST
        rest = np.where(is_small, size, 0.0).sum(axis=1)
        n_blocks = int((~is_small).sum(axis=1).max(initial=0))
        height = np.zeros(len(place))
        for block in (*np.where(is_small, 0.0, size).T[:n_blocks], rest):
            there = block > 0
            drawn = [colour for colour, is_there in zip(colours, there, strict=True) if is_there]
            axes.bar(
                place[there], sign * block[there], 0.86, bottom=sign * height[there], color=drawn,
                edgecolor="white", linewidth=line,
            )  # fmt: skip
            height += block
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_xlim(-0.7, len(place) - 0.3)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(f"{len(place)} neurons")
    axes.set_title(style.literal(title))
