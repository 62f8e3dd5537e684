"""Probabilities of the supports of x where features depend on one another, and the states of an exact loss.

The features of a group are active together as the word that they share wants it: its values fall into pieces,
between the ends of the intervals, and on each piece the same features are active. k features make at most
2k + 1 pieces, so there are fewer supports than the 2^k of independent features.
"""

import numpy as np
from jaxtyping import Bool, Float

from superposition_atlas.errors import TheoryError
from superposition_atlas.sampling.stream import thresholds
from superposition_atlas.sampling.structure import ALL, Intervals, is_shared
from superposition_atlas.theory.moments import States, frequent_supports, states, states_of_supports


def support_probabilities(
    probability: Float[np.ndarray, "instance feature"], structure: Intervals
) -> Float[np.ndarray, "instance support"]:
    """P(support) of all 2^n supports; the number of a support has the bit 2^i where feature i is active."""
    n_instances, n_features = probability.shape
    if np.any(probability <= 0.0):
        raise TheoryError("probability is 0 somewhere: must be above 0 where features depend on one another")
    both = np.concatenate([probability.view(np.uint64), structure.reshape(n_instances, -1)], axis=1)
    _, first, row_of = np.unique(both, axis=0, return_index=True, return_inverse=True)
    found = np.array([_supports_of(probability[row], structure[row]) for row in first])
    return np.asarray(found.reshape(-1, 2**n_features)[row_of.reshape(-1)])


def _supports_of(
    probability: Float[np.ndarray, " feature"], structure: Intervals
) -> Float[np.ndarray, " support"]:
    """P(support) of one schedule: groups are independent of one another."""
    numbers, weights = np.zeros(1, dtype=np.int64), np.ones(1)
    for word in np.unique(structure[:, 0]):
        features = np.flatnonzero(structure[:, 0] == word)
        if is_shared(structure[features[:1]])[0]:
            own_numbers, own_weights = _pieces(features, probability[features], structure[features, 1])
        else:
            (p,) = probability[features]
            own_numbers, own_weights = np.array([0, 1 << features[0]]), np.array([1.0 - p, p])
        numbers = np.add.outer(numbers, own_numbers).reshape(-1)
        weights = np.multiply.outer(weights, own_weights).reshape(-1)
    return np.bincount(numbers, weights, minlength=2 ** len(probability))


def _pieces(
    features: np.ndarray, probability: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The supports of one group, and the share of all values of its word that each has."""
    begins = starts.astype(np.int64)
    ends = begins + thresholds(probability) + 1
    edges = np.unique(np.concatenate([[0, ALL], begins, ends]))
    is_active = (begins <= edges[:-1, None]) & (edges[:-1, None] < ends)
    return is_active @ (1 << features), np.diff(edges) / ALL


def exact_probability(
    probability: Float[np.ndarray, "*instance feature"], structure: Intervals | None
) -> Float[np.ndarray, "*instance feature"]:
    """p_i in whole words, as intervals have it: the sum of the probabilities of the supports with i."""
    if structure is None:
        return probability
    return np.where(is_shared(structure), (thresholds(probability) + 1.0) / ALL, probability)


def structured_states(
    probability: Float[np.ndarray, "instance feature"],
    structure: Intervals,
    chosen: Bool[np.ndarray, " support"] | None = None,
) -> States:
    """The states of the supports that occur, or of those chosen of them, with the supports' probabilities."""
    weights = support_probabilities(probability, structure)
    n_features = probability.shape[1]
    occurs = weights.any(axis=0) if chosen is None else chosen
    # A state follows from states with fewer features.
    by_bit = occurs.reshape([2] * n_features)
    for axis in range(n_features):
        absent, present = (np.take(by_bit, bit, axis=axis) for bit in (0, 1))
        by_bit = np.stack([absent | present, present], axis=axis)
    of_supports = states_of_supports(n_features, by_bit.reshape(-1))
    numbers = of_supports.members @ (1 << np.arange(n_features))
    return of_supports._replace(weight=np.ascontiguousarray(weights[:, numbers]))


def states_for(probability: Float[np.ndarray, "instance feature"], structure: Intervals | None) -> States:
    """The states of an exact loss, for independent features and others."""
    return states(probability.shape[1]) if structure is None else structured_states(probability, structure)


def frequent_states(
    importance: Float[np.ndarray, " feature"],
    probability: Float[np.ndarray, " feature"],
    tolerance: float,
    structure: Intervals | None = None,
) -> States:
    """The states of the frequent supports (`moments.frequent_supports`); of all, where no loss counts."""
    n_features, row = len(probability), None if structure is None else structure[None]
    if not importance.any():
        return states_for(probability[None], row)
    if row is None:
        return states_of_supports(n_features, frequent_supports(importance, probability, tolerance))
    weights = support_probabilities(probability[None], row)[0]
    with np.errstate(divide="ignore"):
        rarity = -np.round(np.log(_joint_activity(weights, n_features)), 6)
    frequent = frequent_supports(importance, probability, tolerance, rarity)
    return structured_states(probability[None], row, frequent & np.isfinite(rarity))


def _joint_activity(weights: Float[np.ndarray, " support"], n_features: int) -> Float[np.ndarray, " support"]:
    """P(all features of a support are active, and whatever others): falls as the support grows."""
    by_bit = weights.reshape([2] * n_features)
    for axis in range(n_features):
        absent, present = (np.take(by_bit, bit, axis=axis) for bit in (0, 1))
        by_bit = np.stack([absent + present, present], axis=axis)
    return by_bit.reshape(-1)
