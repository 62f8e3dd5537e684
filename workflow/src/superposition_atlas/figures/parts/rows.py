"""Rows of the tables as the figures need them: one object a toy model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import style
from superposition_atlas.storage.parquet import read_table

PLANE_COLUMNS = ("case", "seed", "shown", "feature", "weights", "represented")
"""Columns that `toy_models` needs."""


@dataclass(frozen=True)
class Directions:
    """Feature directions of a solution."""

    weights: Float[np.ndarray, "feature hidden"]
    """The columns of W."""
    represented: Bool[np.ndarray, " feature"]

    @property
    def n_represented(self) -> int:
        """Their number."""
        return int(self.represented.sum())


@dataclass(frozen=True)
class ToyModelRows:
    """One toy model's features, in order."""

    seed: int
    table: pd.DataFrame
    """Its rows of features.parquet, one a feature."""

    @property
    def weights(self) -> Float[np.ndarray, "feature hidden"]:
        """The columns of W."""
        return stacked(self.table["weights"])

    @property
    def represented(self) -> Bool[np.ndarray, " feature"]:
        """The table's column of represented features."""
        return self.values("represented").astype(bool)

    @property
    def n_represented(self) -> int:
        """Their number."""
        return int(self.represented.sum())

    @property
    def directions(self) -> Directions:
        """The columns of W, and which are represented."""
        return Directions(self.weights, self.represented)

    def values(self, column: str) -> Float[np.ndarray, " feature"]:
        """Another column of the table."""
        return self.table[column].to_numpy()


def stacked(weights: Iterable[Float[np.ndarray, " hidden"]]) -> Float[np.ndarray, "feature hidden"]:
    """Columns of W, a vector a feature, as one array."""
    return np.stack(list(weights)).astype(np.float64)


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of a table.

    Raises:
        ArtefactError: as `storage.read_table`, or if the table has no rows.
    """
    table = read_table(path, list(dict.fromkeys(columns)))
    if table.empty:
        raise ArtefactError(f"{path}: has no rows, so there is nothing to draw")
    return table


def names(roles: Iterable[str], kind: str) -> list[str]:
    """The names of all roles `{kind}.{name}`, in order."""
    return [role.partition(".")[2] for role in roles if role.startswith(f"{kind}.")]


def toy_models(features: pd.DataFrame, only_shown: bool = True) -> list[ToyModelRows]:
    """The toy models of one case, in the order of the table."""
    rows = features[features["shown"]] if only_shown else features
    return [
        ToyModelRows(int(group["seed"].iloc[0]), group.sort_values("feature"))
        for _, group in rows.groupby("seed", sort=False)
    ]


def one_a_density(models: Sequence[ToyModelRows], most: int) -> list[ToyModelRows]:
    """The first toy model of each mean density, dense to sparse; of more than `most`, evenly chosen ones."""
    first: dict[float, ToyModelRows] = {}
    for model in models:
        first.setdefault(float(model.values("probability").mean()), model)
    ordered = [first[density] for density in sorted(first, reverse=True)]
    if len(ordered) <= most:
        return ordered
    return [ordered[round(k * (len(ordered) - 1) / (most - 1))] for k in range(most)]


def schedules_of(models: Sequence[ToyModelRows], column: str) -> Float[np.ndarray, "variant feature"]:
    """The distinct importances or probabilities of these toy models, in order of appearance."""
    return np.stack(list({tuple(model.values(column)): model.values(column) for model in models}.values()))


def case_label(name: str, title: str, width: int = 30) -> str:
    """A case as rows of figures name it: its name, and its title below in lines of at most `width`."""
    shown = spaced(name)
    return style.literal(f"{shown}\n{fill(title, width)}" if title and title != name else shown)


def spaced(name: str) -> str:
    """A name of the configuration as figures write it."""
    return name.replace("_", " ")
