"""How far training is from the best solutions, over schedules: features represented, and loss."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from superposition_atlas.figures.parts.atlas_grid import read_atlas
from superposition_atlas.figures.parts.atlas_page import Line, Strip, by_importance, draw_page
from superposition_atlas.figures.parts.atlas_panel import SHARE, Layers, Look

_TALLEST = 1.0  # inches
_EXCESS = Look(
    LinearSegmentedColormap.from_list("excess", mpl.colormaps["Purples"](np.linspace(0.12, 0.95, 64))),
    LogNorm(1e-4, 1e-1),
    "excess loss, %",
    {1e-4: "0.01", 1e-3: "0.1", 1e-2: "1", 1e-1: "10"},
    lambda value: "<.01" if value < 1e-4 else f"{100 * value:.1g}".removeprefix("0"),
)
"""Colours differ from those of shares, since here a large value is bad."""


def draw(paths: Mapping[str, Path], variant: str, cases: Mapping[str, str]) -> Figure:
    """Rows: seeds that keep what the best keeps, median and least excess; columns: importance and order.

    Args:
        paths: `points`, of a map.
        variant: way of training.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    names = ["keeps_best", "median_excess", "least_excess", "best_n_represented"]
    atlas = read_atlas(paths["points"], variant, cases, names)
    lines = [
        Line("keep the best's", Layers(SHARE, "keeps_best", "best_{}")),
        Line("median excess", Layers(_EXCESS, "median_excess", "best_{}")),
        Line("least excess", Layers(_EXCESS, "least_excess", "best_{}")),
    ]
    strip = Strip(by_importance(atlas, "n_represented"), lines)
    return draw_page(atlas, [strip], _TALLEST, "the best's number represented changes").figure
