"""Fractions of a dimension, and the polytopes that equally frequent features form.

Elhage et al. (2022) find D* = m / ‖W‖²_F to stay at 1/2, and the features' D_i to cluster at fractions that
belong to regular arrangements in orthogonal subspaces. Whether values cluster is a question about their
surroundings too: `by_chance` counts what lies in windows as wide, beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer
from scipy.sparse.csgraph import connected_components

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN, require_settings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.features import dimensionality, norms, represented
from superposition_atlas.toy_model import ToyModels


@dataclass(frozen=True)
class Polytope:
    """A regular arrangement of features in a subspace of their own."""

    name: str
    n_features: int
    n_dimensions: int

    @property
    def fraction(self) -> float:
        """D_i of its features: dimensions over features, by symmetry."""
        return self.n_dimensions / self.n_features

    @property
    def written(self) -> str:
        """The fraction as the figures of the paper write it."""
        return "1" if self.n_features == 1 else f"{self.n_dimensions}/{self.n_features}"


POLYTOPES = (
    Polytope("alone", 1, 1),
    Polytope("tetrahedron", 4, 3),
    Polytope("triangle", 3, 2),
    Polytope("digon", 2, 1),
    Polytope("pentagon", 5, 2),
    Polytope("square antiprism", 8, 3),
)
"""The arrangements that the paper names, by falling fraction."""
Window = tuple[float, float]
"""Lower and upper end of a range of values."""
OTHER, ABSENT = "other", "absent"
"""What stands in place of a name: for other arrangements, and for features that are not represented."""

CONNECTED_COSINE = 0.2
"""Two represented features are connected if the absolute cosine of their weights is above this."""
_SPANNED = 0.5
"""A component spans the directions whose singular value is above this share of the largest."""
NEAR_FRACTION = 0.02
"""A feature is near a fraction if its D_i is within this of it, and nearer to no other;"""
LINE_FRACTION = 0.005
"""it is on the fraction's line within this;"""
NEAR_LEVEL = 0.03
"""and a toy model is near a fraction if its D* is within this of it."""
LEAST_DIMENSIONALITY = 0.1
"""Features below are not counted,"""
DENSE_LEVEL = 0.95
"""nor those of toy models whose D* is not below this: superposition has not begun."""
FARTHEST_MOVE = 5.0
"""`by_chance` moves windows by at most so many half widths,"""
_MOVES_A_HALF_WIDTH = 8
"""in steps of this part of one."""
_TOUCHES = 1e-9
"""Windows that overlap by no more only touch."""
EVERY = "any"
"""Stands in place of a fraction for all of them together."""


def dimensions_per_feature(W: Float[np.ndarray, "instance hidden feature"]) -> Float[np.ndarray, " instance"]:
    """D* = m / ‖W‖²_F (Elhage et al. 2022); infinite where W is 0."""
    squared = (norms(W) ** 2).sum(axis=1)
    return np.divide(W.shape[1], squared, out=np.full(len(W), np.inf), where=squared > 0)


def windows(fractions: Sequence[float], within: float) -> list[Window]:
    """Window of each fraction: all that is within so much of it, and not nearer to another one."""
    return [
        (
            max([fraction - within, *((fraction + other) / 2 for other in fractions if other < fraction)]),
            min([fraction + within, *((fraction + other) / 2 for other in fractions if other > fraction)]),
        )
        for fraction in fractions
    ]


def inside(values: Float[np.ndarray, " value"], window: Window) -> Bool[np.ndarray, " value"]:
    """Whether a value is in a window: above its lower end, or at most at its upper end."""
    return np.asarray((values > window[0]) & (values <= window[1]))


def by_chance(values: Float[np.ndarray, " value"], index: int, places: Sequence[Window]) -> float:
    """How many values lie in a window of the same width where nothing is expected.

    The window is moved up and down by at most FARTHEST_MOVE half widths, to all places between 0 and 1 that
    meet none of the windows, the one at home included. The count is the mean over places above and that over
    places below, halved: where the density of the values has no bend, as many are in the window. Where only
    one side has places it counts alone; 0 where none has.

    Args:
        values: of any number.
        index: which window.
        places: the windows that mean something.
    """
    low, high = places[index]
    width = high - low
    steps = np.arange(1, int(FARTHEST_MOVE * _MOVES_A_HALF_WIDTH) + 1) / _MOVES_A_HALF_WIDTH * width / 2
    sides = []
    for moves in (steps, -steps):
        moved = [(low + move, high + move) for move in moves]
        free = [own for own in moved if own[0] >= 0 and own[1] <= 1 and not _meets(own, places)]
        if free:
            sides.append(float(np.mean([inside(values, own).sum() for own in free])))
    return float(np.mean(sides)) if sides else 0.0


def components(
    W: Float[np.ndarray, "hidden feature"],
) -> tuple[Integer[np.ndarray, " feature"], Integer[np.ndarray, " feature"]]:
    """Number of features, and of dimensions, of the group that a feature is connected to; 0 if not
    represented.

    The graph is that of Elhage et al. (2022), cut at CONNECTED_COSINE. A group spans the directions in which
    its unit vectors have a singular value above half the largest: in a regular arrangement all are equal.
    """
    there = np.flatnonzero(represented(W[None])[0])
    size, rank = np.zeros(W.shape[1], int), np.zeros(W.shape[1], int)
    unit = W[:, there] / np.linalg.norm(W[:, there], axis=0)
    n_groups, group = connected_components(np.abs(unit.T @ unit) > CONNECTED_COSINE, directed=False)
    for number in range(n_groups):
        members = group == number
        values = np.linalg.svd(unit[:, members], compute_uv=False)
        size[there[members]] = members.sum()
        rank[there[members]] = (values > _SPANNED * values[0]).sum()
    return size, rank


def polytope_table(models: ToyModels) -> pd.DataFrame:
    """One row a feature of a toy model: its fraction of a dimension, and what it is connected to.

    instance: number of the toy model, from 0. seed: of its training. run: which of the toy models of this
    density, from 0. probability: p_i, the same for all its features. dimensions_per_feature: D* of the toy
    model, m / ‖W‖²_F. feature: index i. dimensionality: D_i in [0, 1]. component_size, component_dimensions:
    features and dimensions of the group that it is connected to, 0 if it is not represented. polytope: name
    of the polytope with as many of both, other where none has, absent if the feature is not represented.

    Raises:
        ArgumentError: if the features of a toy model are not equally important and frequent, or its outputs
            are not those of Wᵀ W.
    """
    probability = _uniform(models)
    W = models.W.astype(np.float64)
    n_instances, _, n_features = W.shape
    found = [components(own) for own in W]
    size, rank = (np.concatenate([own[part] for own in found] or [np.zeros(0, int)]) for part in (0, 1))
    per_model = {
        "instance": np.arange(n_instances),
        "seed": models.seeds,
        "run": pd.Series(probability).groupby(probability).cumcount().to_numpy(),
        "probability": probability,
        "dimensions_per_feature": dimensions_per_feature(W),
    }
    return pd.DataFrame(
        {
            **{name: np.repeat(values, n_features) for name, values in per_model.items()},
            "feature": np.tile(np.arange(n_features), n_instances),
            "dimensionality": dimensionality(W).reshape(-1),
            "component_size": size,
            "component_dimensions": rank,
            "polytope": _names(size, rank),
        }
    )


def fraction_table(polytopes: pd.DataFrame) -> pd.DataFrame:
    """One row a run and fraction, or any of them: how many are near it, and how many would be by chance.

    Counted are features with D_i ≥ LEAST_DIMENSIONALITY of toy models with D* < DENSE_LEVEL, and toy models,
    one a density, by their D*. What is by chance is told at `by_chance`: features move beside all windows,
    toy models beside that of the fraction alone.

    run: number of the toy model among those of its density. fraction: as it is written, or any of them: there
    features are summed, and what is of one fraction is missing. n_levels: densities. n_levels_near: toy
    models whose D* is within 0.03 of the fraction. n_levels_by_chance: the same by chance. n_features:
    counted features. n_near: those within 0.02 of the fraction, and nearer to no other. n_near_by_chance: the
    same by chance. n_on_line: those within 0.005. n_on_line_by_chance: the same by chance. n_in_polytope:
    features on the line that are in the polytope of the fraction. polytope_on_line: what most of those on the
    line are in, empty where there are none. n_of_polytope: counted features that are in the polytope of the
    fraction, wherever their D_i is. mean_of_polytope: their mean D_i.

    Args:
        polytopes: as `polytope_table` returns it.
    """
    return pd.concat([_fractions(int(str(run)), own) for run, own in polytopes.groupby("run")])


def _fractions(run: int, own: pd.DataFrame) -> pd.DataFrame:
    levels = own.groupby("instance")["dimensions_per_feature"].first().to_numpy()
    is_counted = own["dimensionality"] >= LEAST_DIMENSIONALITY
    counted = own[is_counted & (own["dimensions_per_feature"] < DENSE_LEVEL)]
    values, named = counted["dimensionality"].to_numpy(), counted["polytope"].to_numpy()
    fractions = [polytope.fraction for polytope in POLYTOPES]
    near, line = windows(fractions, NEAR_FRACTION), windows(fractions, LINE_FRACTION)
    rows = []
    for index, polytope in enumerate(POLYTOPES):
        level = windows([polytope.fraction], NEAR_LEVEL)
        on_line, of_it = inside(values, line[index]), named == polytope.name
        rows.append(
            {
                "fraction": polytope.written,
                "n_levels_near": float(inside(levels, level[0]).sum()),
                "n_levels_by_chance": by_chance(levels, 0, level),
                "n_near": int(inside(values, near[index]).sum()),
                "n_near_by_chance": by_chance(values, index, near),
                "n_on_line": int(on_line.sum()),
                "n_on_line_by_chance": by_chance(values, index, line),
                "n_in_polytope": int((on_line & of_it).sum()),
                "polytope_on_line": _most(named[on_line]),
                "n_of_polytope": int(of_it.sum()),
                "mean_of_polytope": float(values[of_it].mean()) if of_it.any() else np.nan,
            }
        )
    table = pd.DataFrame(rows)
    numbers = [name for name in table if str(name).startswith(("n_near", "n_on", "n_in", "n_of"))]
    every = table[numbers].sum().to_dict() | {"fraction": EVERY}
    table = pd.concat([table, pd.DataFrame([every])], ignore_index=True)
    table.insert(0, "run", run)
    return table.assign(n_levels=len(levels), n_features=len(values))


def _most(names: np.ndarray) -> str:
    """The most frequent of some names, the first of equal ones in the alphabet."""
    distinct, counts = np.unique(names.astype(str), return_counts=True)
    return str(distinct[counts.argmax()]) if len(distinct) else ""


def _meets(window: Window, places: Sequence[Window]) -> bool:
    return any(window[0] < high - _TOUCHES and low < window[1] - _TOUCHES for low, high in places)


def _names(size: Integer[np.ndarray, " feature"], rank: Integer[np.ndarray, " feature"]) -> np.ndarray:
    is_named = [(size == one.n_features) & (rank == one.n_dimensions) for one in POLYTOPES]
    return np.select([size == 0, *is_named], [ABSENT, *(one.name for one in POLYTOPES)], OTHER)


def _uniform(models: ToyModels) -> Float[np.ndarray, " instance"]:
    """The probability of the features of each toy model."""
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "fractions of a dimension", PLAIN)
    for name in ("importance", "probability"):
        values = getattr(models, name)
        if len(values) and np.ptp(values, axis=1).max() > 0:
            raise ArgumentError(f"{name} differs among the features of a toy model: must be the same for all")
    return np.asarray(models.probability[:, 0], dtype=np.float64)
