"""Structures that a schedule can be represented in, and what each costs in closed form.

A hidden dimension can be dedicated to one feature or shared by an antipodal pair; in two dimensions three or
five features can also form a polygon. What is left is dropped. Costs are parts of Σ_i I_i E(x_i - x'_i)².
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Float

PerFeature = Float[np.ndarray, " feature"]

TRIPLE_POINT = 4 / 7
"""Density at which two equal features in one dimension cost the same paired and with one dropped."""


@dataclass(frozen=True)
class Structure:
    """Which features share dimensions: groups of one (dedicated), of two (a pair), or a polygon in order."""

    groups: tuple[tuple[int, ...], ...]

    @property
    def kept(self) -> frozenset[int]:
        """The features that are represented."""
        return frozenset(feature for group in self.groups for feature in group)

    def __str__(self) -> str:
        names = {1: "dedicated", 2: "pair", 3: "triangle", 5: "pentagon"}
        words = [f"{names[len(group)]} {'-'.join(map(str, group))}" for group in sorted(self.groups)]
        return ", ".join(words) or "nothing"


def drop_costs(importance: PerFeature, probability: PerFeature) -> PerFeature:
    """V_i = I_i Var x_i = I_i (p_i / 3 - p_i² / 4): of not representing i, whose bias is then p_i / 2."""
    return np.asarray(importance * (probability / 3 - probability**2 / 4))


def pair_costs(
    importance: PerFeature,
    probability: PerFeature,
    joint: Float[np.ndarray, "feature feature"] | None = None,
) -> Float[np.ndarray, "feature feature"]:
    """c_ij = p_ij (I_i + I_j) / 6: of an antipodal pair, unit weights and no bias. The diagonal is 0.

    p_ij is the joint probability, p_i p_j where features are independent. Only where both are active is an
    error made, x_i - ReLU(x_i - x_j) = min(x_i, x_j), and E min² = 1/6 of two independent U[0, 1].
    """
    both = np.outer(probability, probability) if joint is None else joint
    costs = both * np.add.outer(importance, importance) / 6
    np.fill_diagonal(costs, 0.0)
    return costs


def joins(importance: PerFeature, probability: PerFeature, i: int, j: int) -> bool:
    """Whether i as a pair with j costs less than i dropped and j dedicated: c_ij < V_i.

    The same as I_i / I_j > p_j / (2 - 1.5 p_i - p_j) with a positive denominator: the partner's density
    decides.
    """
    room = 2 - 1.5 * probability[i] - probability[j]
    return bool(importance[i] * room > importance[j] * probability[j])


@cache
def axis_structures(n_features: int, n_hidden: int) -> tuple[Structure, ...]:
    """All ways to give each of at most m dimensions to one feature or to a pair."""
    return tuple(Structure(groups) for groups in _groupings(tuple(range(n_features)), n_hidden))


def _groupings(features: tuple[int, ...], room: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not features or not room:
        yield ()
        return
    first, rest = features[0], features[1:]
    yield from _groupings(rest, room)
    for others in _groupings(rest, room - 1):
        yield ((first,), *others)
    for partner in rest:
        for others in _groupings(tuple(feature for feature in rest if feature != partner), room - 1):
            yield ((first, partner), *others)


@cache
def polygons(n_features: int, n_corners: int) -> tuple[Structure, ...]:
    """All polygons of so many of the features, each cyclic order once."""
    found = []
    for chosen in combinations(range(n_features), n_corners):
        for others in permutations(chosen[1:]):
            if others[0] < others[-1]:  # one of the two senses of rotation
                found.append(Structure(((chosen[0], *others),)))
    return tuple(found)


def axis_cost(
    structure: Structure, dropped: PerFeature, paired: Float[np.ndarray, "feature feature"]
) -> float:
    """Cost of a structure of dedicated features (0) and pairs, from `drop_costs` and `pair_costs`."""
    kept = list(structure.kept)
    pairs = sum(paired[group] for group in structure.groups if len(group) == 2)
    return float(dropped.sum() - dropped[kept].sum() + pairs)


def axis_weights(structure: Structure, n_features: int, n_hidden: int) -> Float[np.ndarray, "hidden feature"]:
    """W with a group on each axis, weights of 1 and -1."""
    W = np.zeros((n_hidden, n_features))
    for axis, group in enumerate(structure.groups):
        for feature, sign in zip(group, (1.0, -1.0), strict=False):
            W[axis, feature] = sign
    return W


def polygon_weights(
    structure: Structure, probability: PerFeature, norm: float, tilt: float = 0.0, spread: float = 0.0
) -> Float[np.ndarray, "hidden feature"]:
    """W (m = 2) of a polygon, regular with columns of length `norm` unless tilted or spread.

    With ratios r_i of the p_i to their geometric mean, columns have lengths norm · r_i^-tilt, and the angle
    between neighbours is proportional to (r_i r_j)^spread: frequent features get room, rare ones length.
    """
    (order,) = structure.groups
    corners = list(order)
    ratio = probability[corners] / np.exp(np.log(probability[corners]).mean())
    gaps = (ratio * np.roll(ratio, -1)) ** spread
    angles = np.concatenate([[0.0], np.cumsum(gaps)[:-1]]) * 2 * np.pi / gaps.sum()
    W = np.zeros((2, len(probability)))
    W[:, corners] = norm * ratio**-tilt * np.stack([np.cos(angles), np.sin(angles)])
    return W
