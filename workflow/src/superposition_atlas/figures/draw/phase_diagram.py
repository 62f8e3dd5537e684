"""A phase diagram: what becomes of the last feature, in training and at the optimum."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from superposition_atlas.figures.parts import bar_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table

_AXES = ("density", "relative_importance")
_PHASES = (
    *_AXES,
    *("variant", "phase", "mean_norm", "mean_superposition"),
    *("best_phase", "best_norm", "best_superposition"),
)
_BORDERS = ("below", "above", *_AXES)

# Inches.
_LEFT, _TOP, _GAP, _SIDE = 0.5, 0.26, 0.32, 2.78
_AXIS, _SCALE = 0.5, 0.62


def draw(paths: Mapping[str, Path], variant: str) -> Figure:
    """Two panels: means of toy models, and the best solution; lines are the borders in closed form.

    Args:
        paths: `phases` and `borders`.
        variant: way of training of the toy models.
    """
    phases = of_variant(rows.read(paths["phases"], _PHASES), variant, paths["phases"])
    borders = read_table(paths["borders"], _BORDERS)
    canvas = Canvas(_TOP + _SIDE + _AXIS + _SCALE)
    panels = [canvas.axes(_LEFT + k * (_SIDE + _GAP), _TOP, _SIDE, _SIDE) for k in range(2)]
    for axes, title, norm, superposition in (
        (panels[0], "trained, mean of toy models", "mean_norm", "mean_superposition"),
        (panels[1], "best solution", "best_norm", "best_superposition"),
    ):
        _fill(axes, phases, norm, superposition)
        for _, line in borders.groupby(["below", "above"], sort=False):
            axes.plot(line["density"], line["relative_importance"], color=style.INK, linewidth=1.3)
        _frame(axes, phases)
        axes.set_title(title)
    differs = phases[phases["phase"] != phases["best_phase"]]
    panels[0].plot(
        differs["density"],
        differs["relative_importance"],
        linestyle="",
        marker="x",
        markersize=3.0,
        markeredgewidth=0.8,
        color=style.ACCENT,
    )
    _name_phases(panels[1], phases)
    panels[0].set_ylabel("importance of the last feature")
    panels[1].tick_params(labelleft=False)
    _legend(canvas, has_borders=not borders.empty)
    return canvas.figure


def _edges(values: Float[np.ndarray, " value"]) -> Float[np.ndarray, " edge"]:
    """Edges of cells around ascending values, halfway between their logarithms."""
    place = np.log(values)
    gaps = np.diff(place) if len(place) > 1 else np.array([0.2])
    inner = (place[1:] + place[:-1]) / 2
    return np.exp(np.concatenate([[place[0] - gaps[0] / 2], inner, [place[-1] + gaps[-1] / 2]]))


def _fill(axes: Axes, phases: pd.DataFrame, norm: str, superposition: str) -> None:
    """Cells in the colours of the bars: white without a norm, then by superposition."""
    grids = {
        name: phases.pivot_table(index="relative_importance", columns="density", values=name)
        for name in (norm, superposition)
    }
    colours = style.POLYSEMANTICITY(style.POLYSEMANTICITY_RANGE(np.sqrt(grids[superposition].to_numpy())))
    strength = np.clip(grids[norm].to_numpy(), 0.0, 1.0)[..., None]
    cells = strength * colours[..., :3] + (1 - strength)
    across, upwards = (
        _edges(index.to_numpy(dtype=float)) for index in (grids[norm].columns, grids[norm].index)
    )
    # With edges, or viewers show hairlines between cells.
    axes.pcolormesh(across, upwards, cells, edgecolors="face", linewidth=0.3)
    axes.set_xlim(across[-1], across[0])
    axes.set_ylim(upwards[0], upwards[-1])


def _frame(axes: Axes, phases: pd.DataFrame) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.spines[:].set_visible(True)
    axes.set_xlabel("density of all features, $1-S$")
    for axis, name in ((axes.xaxis, "density"), (axes.yaxis, "relative_importance")):
        low, high = phases[name].min() * 0.999, phases[name].max() * 1.001
        ticks = [value for k in range(-6, 7) for value in (10.0**k, 3 * 10.0**k) if low <= value <= high]
        axis.set_ticks(ticks or [phases[name].median()])
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
        axis.set_ticks([], minor=True)


def _name_phases(axes: Axes, phases: pd.DataFrame) -> None:
    """The name of each phase over the middle of its cells."""
    for phase, own in phases.groupby("best_phase"):
        middle = np.log(own[list(_AXES)].to_numpy())
        near = ((middle - middle.mean(axis=0)) ** 2).sum(axis=1).argmin()
        cell = own.iloc[near]
        is_dark = cell["best_norm"] > 0.5 and cell["best_superposition"] < 0.3
        axes.text(
            cell["density"],
            cell["relative_importance"],
            str(phase).replace(" ", "\n"),
            ha="center",
            va="center",
            fontsize=style.SMALL + 0.5,
            color="white" if is_dark else style.INK,
        )


def _legend(canvas: Canvas, has_borders: bool) -> None:
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="x",
            markersize=3.4,
            markeredgewidth=0.8,
            color=style.ACCENT,
            label="another phase than the best",
        )
    ]
    if has_borders:
        handles.insert(0, Line2D([], [], color=style.INK, linewidth=1.3, label="theory's borders"))
    bottom = (0.09 / style.WIDTH, 0.02)
    canvas.figure.legend(handles=handles, loc="lower left", bbox_to_anchor=bottom, borderaxespad=0.3)
    bar_panels.scale(
        canvas.axes(_LEFT + _SIDE + _GAP, _TOP + _SIDE + _AXIS + 0.1, _SIDE, 0.07),
        ScalarMappable(style.POLYSEMANTICITY_RANGE, style.POLYSEMANTICITY),
        f"colour {style.SUPERPOSITION} of the last feature, paler where {style.NORM} < 1",
        [0, 0.5, 1],
    )
