"""What the best solution keeps, predicted without a search: the cheapest of a list of structures.

The matching (`theory/matching.py`) compares V_i and c_ij alone, at any size. `predict` knows triangles and
pentagons too and lets structures breathe: every output takes the best bias of a grid (given the weights,
outputs do not depend on each other), pairs and triangles the best scale, pentagons also the best of some
deformations; their costs are exact losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from superposition_atlas.objects.ensemble import html
from superposition_atlas.theory.exact_loss import checked_schedule, exact_loss
from superposition_atlas.theory.structures import (
    PerFeature,
    Structure,
    axis_cost,
    axis_structures,
    axis_weights,
    drop_costs,
    pair_costs,
    polygon_weights,
    polygons,
)

if TYPE_CHECKING:
    from superposition_atlas.schedules import Schedule
    from superposition_atlas.toy_model import ToyModels

BIASES = (-0.4, -0.3, -0.2, -0.12, -0.06, 0.0, 0.04, 0.1, 0.2, 0.3, 0.45)
PENTAGON_BIASES = (-0.7, -0.5, -0.4, -0.33, -0.27, -0.22, -0.18, -0.14, -0.1, -0.06, -0.03, 0.0)
PAIR_NORMS = (0.8, 0.88, 0.94, 1.0, 1.06)
TRIANGLE_NORMS = (0.8, 0.88, 0.95, 1.05)
PENTAGON_NORMS = (1.04, 1.08, 1.12)
PENTAGON_TILT = 0.03
PENTAGON_SPREADS = (0.0, 0.05, 0.1)
_ORDERS = 2
"""Pentagons whose deformations are all compared: those that come first at one of them."""


@dataclass(frozen=True, repr=False, eq=False)
class Prediction:
    """A structure, its weights and its cost, the mean over the features of I_i E(x_i - x'_i)²."""

    structure: Structure
    cost: float
    W: Float[np.ndarray, "hidden feature"]
    b: PerFeature

    @property
    def loss(self) -> float:
        """`cost`, under the name that a `Minimum` has for it."""
        return self.cost

    @property
    def kept(self) -> tuple[int, ...]:
        """The features represented, ascending."""
        return tuple(sorted(self.structure.kept))

    def __repr__(self) -> str:
        return f"Prediction({self.structure}; loss {self.cost:.6g})"

    def _repr_html_(self) -> str:
        return html("result", self)


def ranked_axes(importance: PerFeature, probability: PerFeature, n_hidden: int) -> list[Prediction]:
    """All structures of dedicated features and pairs at unit weights, the cheapest first."""
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    return _ranked_axes(probability, n_hidden, dropped, paired)


def _ranked_axes(
    probability: PerFeature, n_hidden: int, dropped: PerFeature, paired: Float[np.ndarray, "feature feature"]
) -> list[Prediction]:
    n_features = len(probability)
    found = []
    for structure in axis_structures(n_features, n_hidden):
        b = probability / 2
        b[list(structure.kept)] = 0.0
        W = axis_weights(structure, n_features, n_hidden)
        found.append(Prediction(structure, axis_cost(structure, dropped, paired) / n_features, W, b))
    return sorted(found, key=lambda prediction: prediction.cost)


def predict(
    importance: "PerFeature | Schedule | ToyModels",
    probability: PerFeature | None = None,
    n_hidden: int | None = None,
) -> Prediction:
    """The cheapest of all structures at their best scales and biases.

    Polygons are known in two dimensions only.

    Args:
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which brings probability; or `ToyModels` of one
            schedule, which bring n_hidden too.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: m ≥ 1.

    Raises:
        TheoryError: if an argument is not as above, or there are too many features for an exact loss.
    """
    importance, probability, n_hidden = checked_schedule(importance, probability, n_hidden)
    pairs = _best_pairs(importance, probability)
    paired = np.zeros((len(probability), len(probability)))
    for pair, (cost, _, _) in pairs.items():
        paired[pair] = paired[pair[::-1]] = cost
    axes = _ranked_axes(probability, n_hidden, drop_costs(importance, probability), paired)[0]
    for axis, group in enumerate(axes.structure.groups):
        if group in pairs:
            _, axes.W[axis, group], axes.b[list(group)] = pairs[group]
    polygon = ranked_polygons(importance, probability)[:1] if n_hidden == 2 else []
    return min([axes, *polygon], key=lambda prediction: prediction.cost)


def _best_pairs(
    importance: PerFeature, probability: PerFeature
) -> dict[tuple[int, ...], tuple[float, PerFeature, PerFeature]]:
    """Cost, weights and biases of any two features in one dimension, in the best of the scales."""
    pairs = list(combinations(range(len(probability)), 2))
    if not pairs:
        return {}
    scales = np.array([[[first, -second]] for first, second in product(PAIR_NORMS, repeat=2)])
    rows = np.array(pairs)[:, None]
    W = np.broadcast_to(scales, (len(pairs), *scales.shape))
    losses, b = with_best_biases(W, importance[rows], probability[rows])
    found: dict[tuple[int, ...], tuple[float, PerFeature, PerFeature]] = {}
    for k, best in enumerate(losses.sum(axis=-1).argmin(axis=1)):
        found[pairs[k]] = float(losses[k, best].sum()), scales[best, 0], b[k, best]
    return found


def ranked_polygons(
    importance: PerFeature, probability: PerFeature, closely: bool = True
) -> list[Prediction]:
    """Triangles and pentagons (m = 2) at their best scale and deformation, the cheapest first.

    Of the pentagons the two that are cheapest at one deformation are looked at closely, if at all.
    """
    n_features = len(probability)
    shapes = list(product(TRIANGLE_NORMS, (0.0,), (0.0,)))
    triangles = _cheapest_each(importance, probability, polygons(n_features, 3), shapes, BIASES)
    pentagons = _cheapest_each(
        importance, probability, polygons(n_features, 5), [(1.12, PENTAGON_TILT, 0.05)], PENTAGON_BIASES
    )
    if closely:
        close = [prediction.structure for prediction in pentagons[:_ORDERS]]
        shapes = list(product(PENTAGON_NORMS, (PENTAGON_TILT,), PENTAGON_SPREADS))
        pentagons[:_ORDERS] = _cheapest_each(importance, probability, close, shapes, PENTAGON_BIASES)
    return sorted(triangles + pentagons, key=lambda prediction: prediction.cost)


def _cheapest_each(
    importance: PerFeature,
    probability: PerFeature,
    structures: Sequence[Structure],
    shapes: Sequence[tuple[float, float, float]],
    biases: Sequence[float],
) -> list[Prediction]:
    """Each structure in the best of its shapes (norm, tilt, spread), the cheapest first."""
    if not structures:
        return []
    W = np.array(
        [[polygon_weights(structure, probability, *shape) for shape in shapes] for structure in structures]
    )
    # Dropped features touch nothing: the rest is a toy model of its own, with fewer supports.
    corners = np.array([sorted(structure.kept) for structure in structures])[:, None]
    losses, biased = with_best_biases(
        np.take_along_axis(W, corners[:, :, None], axis=-1), importance[corners], probability[corners], biases
    )
    dropped = drop_costs(importance, probability)
    total = (losses.sum(axis=-1) + dropped.sum() - dropped[corners].sum(axis=-1)) / len(probability)
    found = []
    for k, best in enumerate(total.argmin(axis=1)):
        b = probability / 2
        b[corners[k, 0]] = biased[k, best]
        found.append(Prediction(structures[k], float(total[k, best]), W[k, best], b))
    return sorted(found, key=lambda prediction: prediction.cost)


def with_best_biases(
    W: Float[np.ndarray, "*instance hidden feature"],
    importance: Float[np.ndarray, "*#instance feature"],
    probability: Float[np.ndarray, "*#instance feature"],
    biases: Sequence[float] = BIASES,
) -> tuple[Float[np.ndarray, "*instance feature"], Float[np.ndarray, "*instance feature"]]:
    """Each output's loss at its best bias, and that bias: of `biases`, or a dropped feature's p_i / 2."""
    shape = (*W.shape[:-2], W.shape[-1])
    losses, best = np.full(shape, np.inf), np.empty(shape)
    for b in [np.asarray(bias) for bias in biases] + [probability / 2]:
        tried = np.broadcast_to(b, shape)
        loss = exact_loss(W, tried, importance, probability)
        better = loss < losses
        losses, best = np.where(better, loss, losses), np.where(better, tried, best)
    return losses, best
