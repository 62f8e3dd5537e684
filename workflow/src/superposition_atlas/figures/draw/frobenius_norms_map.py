"""Which schedules have the published norms: maps over the ends of a family, one a family and importance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from superposition_atlas.figures.parts import rows, style

_DIFFERENCE = Normalize(0.0, 1.0)
_COLUMNS = (
    "variant",
    "family",
    "first",
    "last",
    "importance_ratio",
    "n_compared",
    "n_within",
    "largest_difference",
    "uniform_density",
    "as_pictured",
)
_CASES = 4
_PICTURED: dict[str, Any] = {"marker": "^", "markersize": 2.8, "color": style.INK, "linestyle": ""}
# Inches.
_CELL, _GAP = 0.21, 0.62


def draw(paths: Mapping[str, Path], variant: str) -> Figure:
    """A panel a family and importance ratio, a cell a schedule: its largest difference, how many it meets.

    Args:
        paths: `norm_schedules`, of all maps whose norms are compared.
        variant: way of training that is shown.
    """
    table = rows.read(paths["norm_schedules"], _COLUMNS)
    table = table[table["variant"] == variant]
    # What lacks a case would look nearer than it is.
    table = table[table["n_compared"] == table["n_compared"].max()]
    families = list(table["family"].unique())
    ratios = sorted(table["importance_ratio"].unique(), reverse=True)
    firsts = {family: sorted(part["first"].unique()) for family, part in table.groupby("family")}
    lasts = {family: sorted(part["last"].unique(), reverse=True) for family, part in table.groupby("family")}

    heights = [len(firsts[family]) * _CELL for family in families]
    figure = Figure(figsize=(style.WIDTH, sum(heights) + _GAP * len(families) + 1.0), layout="constrained")
    panels = figure.subplots(
        len(families), len(ratios), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for row, family in enumerate(families):
        leftmost = ratios.index(table.loc[table["family"] == family, "importance_ratio"].max())
        for column, ratio in enumerate(ratios):
            axes = panels[row, column]
            of_panel = table[(table["family"] == family) & (table["importance_ratio"] == ratio)]
            if of_panel.empty:
                axes.set_axis_off()
            else:
                _panel(axes, of_panel, firsts[family], lasts[family])
            if row == 0:
                axes.set_title(_heading(ratio, table), fontsize=7, linespacing=1.35)
            if column == leftmost:
                axes.set_ylabel(f"{family}\nfirst probability")
            else:
                axes.tick_params(labelleft=False)
            if row == len(families) - 1:
                axes.set_xlabel("last probability")
    _key(figure, panels)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, firsts: list[float], lasts: list[float]) -> None:
    for cell in table.to_dict("records"):
        x, y = lasts.index(cell["last"]), firsts.index(cell["first"])
        colour = style.AMOUNT(_DIFFERENCE(cell["largest_difference"]))
        dark = _DIFFERENCE(cell["largest_difference"]) > 0.6
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.5)
        )
        met = cell["n_compared"] == cell["n_within"] == _CASES
        if met:
            frame = Rectangle(
                (x - 0.44, y - 0.44), 0.88, 0.88, fill=False, edgecolor=style.ACCENT, linewidth=1.4
            )
            axes.add_patch(frame)
        if cell["as_pictured"]:
            light = {"color": "white"} if dark else {}
            axes.plot(x, y + 0.33, **{**_PICTURED, **light})
        if cell["n_compared"]:
            axes.text(
                x,
                y,
                f"{cell['n_within']}",
                ha="center",
                va="center_baseline",
                fontsize=style.SMALL,
                fontweight="bold" if met else "normal",
                color="white" if dark else style.INK,
            )
    axes.set_xlim(-0.5, len(lasts) - 0.5)
    axes.set_ylim(-0.5, len(firsts) - 0.5)
    axes.set_xticks(range(len(lasts)), [_probability(value) for value in lasts], rotation=90)
    axes.set_yticks(range(len(firsts)), [_probability(value) for value in firsts])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _probability(value: float) -> str:
    return f"{value:.3g}".removeprefix("0")


def _heading(ratio: float, table: pd.DataFrame) -> str:
    """The importance, and where uniform sparsity has its published norm with it."""
    density = table.loc[table["importance_ratio"] == ratio, "uniform_density"].to_numpy()
    known = density[np.isfinite(density)]
    where = f"\nuniform: p = {_probability(float(f'{known[0]:.2g}'))}" if known.size else ""
    return f"$I_i = {ratio:g}^i${where}"


def _key(figure: Figure, panels: np.ndarray) -> None:
    bar = figure.colorbar(
        ScalarMappable(_DIFFERENCE, style.AMOUNT),
        ax=panels.ravel().tolist(),
        location="bottom",
        shrink=0.5,
        aspect=45,
        pad=0.03,
        extend="max",
    )
    bar.set_label("largest difference from the published norms, in ‖W‖$_F$")
    bar.outline.set_visible(False)
    frame: dict[str, Any] = {
        "marker": "s",
        "markersize": 8,
        "markerfacecolor": "none",
        "markeredgewidth": 1.4,
    }
    figure.legend(
        handles=[
            Line2D([], [], linestyle="", color=style.ACCENT, label="meets all four norms", **frame),
            Line2D([], [], linestyle="", color=style.INK, marker="$3$", label="meets so many of the four"),
            Line2D([], [], label="shows what the post's pictures show", **_PICTURED),
        ],
        loc="outside lower center",
        ncols=3,
    )
