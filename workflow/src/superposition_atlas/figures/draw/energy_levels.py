"""Fractions of a dimension while learning, the jumps that the rule finds, and the loss."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.polytopes import POLYTOPES
from superposition_atlas.storage.parquet import read_table

_LEARNING = ("case", "instance", "seed", "step", "loss", "dimensionality", "n_jumps")
_JUMPS = ("case", "instance", "step", "feature", "before", "after")
_COLUMNS = 2
_LOSS_SHOWN = 0.08
"""The loss is drawn from the record on at which this share of the training is over."""
_COLOURS = ("#20639b", "#d1681c", "#3c8d5a", "#7b4f9d", "#b2182b", "#6f6f6f")
# Inches.
_LEFT, _RIGHT, _GAP, _ABOVE, _PATHS, _BETWEEN, _LOSS, _AXIS = 0.52, 0.22, 0.48, 0.26, 2.3, 0.12, 0.9, 0.42


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """Two panels a case, of the toy model in which most features jump.

    Args:
        paths: `learning` and `jumps`.
        titles: of the cases, by name.
    """
    learning = rows.read(paths["learning"], _LEARNING)
    jumps = read_table(paths["jumps"], _JUMPS)
    cases = list(dict.fromkeys(learning["case"]))
    n_columns = min(_COLUMNS, len(cases))
    n_rows = -(-len(cases) // n_columns)
    block = _ABOVE + _PATHS + _BETWEEN + _LOSS + _AXIS
    width = (style.WIDTH - _LEFT - _RIGHT - (n_columns - 1) * _GAP) / n_columns
    canvas = Canvas(n_rows * block)
    for number, case in enumerate(cases):
        row, column = divmod(number, n_columns)
        left, top = _LEFT + column * (width + _GAP), row * block + _ABOVE
        own = learning[learning["case"] == case]
        chosen = own.groupby("instance")["n_jumps"].sum().idxmax()
        own = own[own["instance"] == chosen].sort_values("step")
        found = jumps[(jumps["case"] == case) & (jumps["instance"] == chosen)]
        above = canvas.axes(left, top, width, _PATHS)
        below = canvas.axes(left, top + _PATHS + _BETWEEN, width, _LOSS)
        _paths(above, own, found)
        _loss(below, own)
        for axes in (above, below):
            axes.set_xlim(own["step"].min(), own["step"].max())
        above.tick_params(labelbottom=False)
        below.set_xlabel("training step")
        if column == 0:
            above.set_ylabel("dimensionality $D_i$")
            below.set_ylabel("held-out loss")
        title = style.literal(titles.get(str(case), str(case)))
        above.set_title(f"{title}, seed {own['seed'].iloc[0]}", loc="left")
    return canvas.figure


def _paths(axes: Axes, own: pd.DataFrame, jumps: pd.DataFrame) -> None:
    """A line a feature; those that jump are coloured, with a mark at the step of the jump."""
    for polytope in POLYTOPES:
        axes.axhline(polytope.fraction, color=style.FAINT, linewidth=0.6, zorder=0.5)
    steps, paths = own["step"].to_numpy(), np.stack(own["dimensionality"].to_list())
    jumping = list(dict.fromkeys(jumps["feature"]))
    for feature in range(paths.shape[1]):
        is_jumping = feature in jumping
        colour = _COLOURS[jumping.index(feature) % len(_COLOURS)] if is_jumping else "#bdbdbd"
        axes.plot(
            steps, paths[:, feature], color=colour, linewidth=0.9 if is_jumping else 0.35,
            zorder=2 if is_jumping else 1,
        )  # fmt: skip
    for _, jump in jumps.iterrows():
        colour = _COLOURS[jumping.index(jump["feature"]) % len(_COLOURS)]
        marker = "^" if jump["after"] > jump["before"] else "v"
        axes.plot(
            [jump["step"]], [(jump["before"] + jump["after"]) / 2], color=colour, marker=marker,
            markersize=4.5, markeredgecolor="white", markeredgewidth=0.5, zorder=4,
        )  # fmt: skip
    axes.set_ylim(-0.02, max(0.6, float(np.quantile(paths, 0.999)) + 0.05))


def _loss(axes: Axes, own: pd.DataFrame) -> None:
    """The loss after its first fall, and ticks at the jumps."""
    steps, loss = own["step"].to_numpy(), own["loss"].to_numpy()
    shown = steps >= _LOSS_SHOWN * steps.max()
    axes.plot(steps, loss, color=style.INK, linewidth=1.0)
    low, high = float(loss[shown].min()), float(loss[shown].max())
    margin = 0.08 * (high - low) or 1e-9
    axes.set_ylim(low - 2 * margin, high + margin)
    for step in own.loc[own["n_jumps"] > 0, "step"]:
        axes.axvline(step, ymax=0.12, color=style.ACCENT, linewidth=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.locator_params(axis="y", nbins=4)
