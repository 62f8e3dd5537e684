"""The atlas as its figures need it: the schedules of each family, importance and order as a grid.

A grid has mean density over steepness. Where there is no such schedule it has NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows

Cells = Float[np.ndarray, "density steepness"]

COORDINATES = ("key", "variant", "family", "mean_density", "steepness", "importance_ratio", "order")
"""Columns that say which schedule and way of training a row is."""


@dataclass(frozen=True)
class Column:
    """Schedules of one importance and order: a column of the figures."""

    importance_ratio: float
    order: str

    @property
    def importance(self) -> str:
        """The importance as a formula."""
        return "$I_i=1$" if self.importance_ratio == 1 else f"$I_i={self.importance_ratio:g}^i$"

    @property
    def order_words(self) -> str:
        """The order as a heading. With equally important features every order is the same."""
        if self.importance_ratio == 1:
            return "any order"
        return self.order if self.order in ("aligned", "reversed") else f"random {self.order}"

    @property
    def rank(self) -> tuple[float, int, int]:
        """Sort key: equal importance first; orders from aligned over random to reversed."""
        place = {"aligned": 0, "reversed": 2}.get(self.order, 1)
        return -self.importance_ratio, place, int(self.order) if place == 1 else 0


@dataclass(frozen=True)
class Atlas:
    """The points of one variant."""

    table: pd.DataFrame
    cases: Mapping[str, str]
    """Names of the talk's cases, by the key of the schedule that they are."""

    @cached_property
    def families(self) -> list[str]:
        """Families of the probabilities."""
        return sorted(self.table["family"].unique())

    @cached_property
    def columns(self) -> list[Column]:
        """Columns in the order of the figures."""
        pairs = self.table[["importance_ratio", "order"]].drop_duplicates()
        columns = [Column(float(ratio), str(order)) for ratio, order in pairs.itertuples(index=False)]
        return sorted(columns, key=lambda column: column.rank)

    @cached_property
    def densities(self) -> Float[np.ndarray, " density"]:
        """Mean densities, ascending."""
        return np.sort(self.table["mean_density"].unique())

    @cached_property
    def steepnesses(self) -> Float[np.ndarray, " steepness"]:
        """Largest over smallest probability, ascending."""
        return np.sort(self.table["steepness"].unique())

    def cells(self, family: str, column: Column, name: str) -> Cells:
        """A column of the table."""
        own = self._own(family, column)
        grid = np.full((len(self.densities), len(self.steepnesses)), np.nan)
        grid[self._places(own)] = own[name].to_numpy(dtype=float, na_value=np.nan)
        return grid

    def case_cells(self, family: str, column: Column) -> list[tuple[int, int]]:
        """Cells of the talk's cases: indices into `densities` and `steepnesses`."""
        own = self._own(family, column)
        return list(zip(*self._places(own[own["key"].isin(self.cases)]), strict=True))

    def case_names(self, column: Column) -> list[str]:
        """The talk's cases among the schedules of a column, of all families."""
        keys = pd.concat([self._own(family, column)["key"] for family in self.families])
        return sorted({name for key in keys for name in self.cases.get(key, "").split()})

    def _places(
        self, points: pd.DataFrame
    ) -> tuple[Integer[np.ndarray, " row"], Integer[np.ndarray, " row"]]:
        densities = np.searchsorted(self.densities, points["mean_density"])
        return densities, np.searchsorted(self.steepnesses, points["steepness"])

    def _own(self, family: str, column: Column) -> pd.DataFrame:
        table = self.table
        same = (table["importance_ratio"] == column.importance_ratio) & (table["order"] == column.order)
        return table[same & (table["family"] == family)]


def read_atlas(path: Path, variant: str, cases: Mapping[str, str], names: Sequence[str]) -> Atlas:
    """The atlas with the named columns of its table of points.

    Raises:
        ArtefactError: as `rows.read`, or if nothing was trained in this way.
    """
    table = rows.read(path, [*COORDINATES, *names])
    own = table[table["variant"] == variant]
    if own.empty:
        raise ArtefactError(f"{path}: has no rows of the variant {variant!r}")
    return Atlas(own, cases)


def edges(values: Float[np.ndarray, " value"]) -> Float[np.ndarray, " edge"]:
    """Ends of cells around ascending positive values: midway on a logarithmic axis, mirrored at both ends."""
    if len(values) == 1:
        return values[0] * np.array([0.5, 2.0])
    inner = np.sqrt(values[1:] * values[:-1])
    return np.array([values[0] ** 2 / inner[0], *inner, values[-1] ** 2 / inner[-1]])
