"""Schedules on one axis: the logarithm of steepness, negative where important features are the denser ones.

`aligned` schedules stand left of 0, `reversed` ones right of it, uniform sparsity at 0. The other axis is the
mean density.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patheffects import withStroke

from superposition_atlas.figures.parts import style
from superposition_atlas.figures.parts.atlas_grid import edges
from superposition_atlas.figures.parts.atlas_panel import BOUNDARY, Look

DOT: dict[str, Any] = {
    "marker": "o",
    "markersize": 4.5,
    "markerfacecolor": "white",
    "markeredgecolor": style.ACCENT,
    "markeredgewidth": 1.2,
    "linestyle": "",
}
_HALO = [withStroke(linewidth=1.8, foreground="white")]

_TICK = 0.115
"""Inches from one label of the vertical axis to the next."""

Row = Float[np.ndarray, " schedule"]


@dataclass(frozen=True)
class Ordered:
    """Schedules that have a place on the axis."""

    table: pd.DataFrame
    """Their rows, with the columns place (signed log10 of steepness) and mean_density."""

    @property
    def places(self) -> Float[np.ndarray, " place"]:
        """Places on the axis, ascending."""
        return np.sort(self.table["place"].unique())

    @property
    def densities(self) -> Float[np.ndarray, " density"]:
        """Mean densities, ascending."""
        return np.sort(self.table["mean_density"].unique())


def ordered(points: pd.DataFrame) -> Ordered:
    """The aligned and reversed schedules of a table of points.

    With equally important features both orders are one schedule: it stands on either side.
    """
    equal = points["importance_ratio"] == 1
    parts = []
    for sign, order in ((-1, "aligned"), (1, "reversed")):
        # Of equal importance a map has the first order only.
        own = points[equal | (points["order"].astype(str) == order)]
        # Plain arrays: an empty table would take the rows of a series that it is assigned.
        place = sign * np.log10(own["steepness"].to_numpy())
        is_mirrored = (own["importance_ratio"] == 1).to_numpy() & (sign == 1)
        parts.append(own.assign(place=place, is_mirrored=is_mirrored))
    coordinates = ["family", "importance_ratio", "place", "mean_density"]
    table = pd.concat(parts, ignore_index=True)
    table["place"] = table["place"].round(9) + 0.0
    return Ordered(table.drop_duplicates(coordinates))


def draw_values(axes: Axes, schedules: Ordered, rows: pd.DataFrame, values: Row, look: Look) -> None:
    """A coloured cell a schedule.

    Args:
        axes: a panel.
        schedules: all that share the axes.
        rows: those that are drawn.
        values: of each; none where they are NaN.
        look: how values become colours.
    """
    x, y = place_edges(schedules.places), edges(schedules.densities)
    there = np.isfinite(values)
    column = np.searchsorted(schedules.places, rows["place"].to_numpy()[there])
    row = np.searchsorted(schedules.densities, rows["mean_density"].to_numpy()[there])
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    cells = np.stack([np.stack([x[column + right], y[row + up]], axis=1) for right, up in corners], axis=1)
    mesh = PolyCollection(list(cells), cmap=look.colours, norm=look.norm, linewidths=0.3, edgecolors="face")
    mesh.set_array(values[there])
    axes.patch.set(facecolor="white", edgecolor=style.FAINT, hatch="/////")  # where no schedule is
    axes.add_collection(mesh)
    axes.set(yscale="log", xlim=x[[0, -1]], ylim=y[[0, -1]])
    axes.minorticks_off()
    axes.spines[:].set(visible=True, linewidth=0.4)


def draw_changes(axes: Axes, schedules: Ordered, rows: pd.DataFrame, values: Row) -> None:
    """Lines between neighbouring schedules whose values differ."""
    x, y = place_edges(schedules.places), edges(schedules.densities)
    grid = np.full((len(schedules.densities), len(schedules.places)), np.nan)
    row = np.searchsorted(schedules.densities, rows["mean_density"])
    grid[row, np.searchsorted(schedules.places, rows["place"])] = values

    def differ(these: np.ndarray, those: np.ndarray) -> np.ndarray:
        return np.argwhere((these != those) & np.isfinite(these) & np.isfinite(those))

    upright = [[(x[k + 1], y[j]), (x[k + 1], y[j + 1])] for j, k in differ(grid[:, 1:], grid[:, :-1])]
    level = [[(x[k], y[j + 1]), (x[k + 1], y[j + 1])] for j, k in differ(grid[1:], grid[:-1])]
    axes.add_collection(LineCollection([*upright, *level], capstyle="round", **BOUNDARY))


def mark(axes: Axes, place: float, density: float, label: str = "") -> None:
    """A dot at a schedule, and its label beside it, on the side of the panel's middle."""
    axes.plot(place, density, zorder=4, **DOT)
    if label:
        axes.annotate(
            label,
            (place, density),
            xytext=(-5 if place > 0 else 5, 0),
            textcoords="offset points",
            ha="right" if place > 0 else "left",
            va="center_baseline",
            fontsize=style.SMALL,
            path_effects=_HALO,
            zorder=5,
        )


def name_axes(axes: Axes, schedules: Ordered, most: int = 7) -> None:
    """Ticks at the schedules' steepness and mean densities; at some where there is no room for all."""
    places = schedules.places
    chosen = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))
    axes.set_xticks(places[chosen], [style.short(10 ** abs(place)) for place in places[chosen]])
    figure = axes.get_figure(root=True)
    assert figure is not None
    ends = np.log(edges(schedules.densities)[[0, -1]])
    inches = axes.get_position().height * figure.get_size_inches()[1] / np.ptp(ends)
    named: list[float] = []
    for density in schedules.densities[::-1]:
        if not named or inches * np.log(named[-1] / density) >= _TICK:
            named.append(float(density))
    axes.set_yticks(named, [style.short(value).removeprefix("0") for value in named])
    axes.tick_params(length=1.8, pad=1.2, labelsize=style.SMALL)


def place_edges(places: Float[np.ndarray, " place"]) -> Float[np.ndarray, " edge"]:
    """Ends of cells around ascending places: midway between them."""
    if len(places) == 1:
        return places[0] + np.array([-0.5, 0.5])
    inner = (places[1:] + places[:-1]) / 2
    return np.array([2 * places[0] - inner[0], *inner, 2 * places[-1] - inner[-1]])
