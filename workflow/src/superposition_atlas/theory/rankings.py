"""Simple rules that the matching must beat: represent the first features of an order.

The number of features is given to these rules; the matching computes it.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from superposition_atlas.theory.structures import PerFeature, Structure, drop_costs, pair_costs

Chosen = Bool[np.ndarray, " feature"]


def most_important(importance: PerFeature, probability: PerFeature, n_kept: int) -> Chosen:
    """The `n_kept` features of largest I_i; of equal ones the first."""
    return _first(-importance, n_kept)


def most_frequent(importance: PerFeature, probability: PerFeature, n_kept: int) -> Chosen:
    """The `n_kept` features of largest p_i; of equal ones the first."""
    return _first(-probability, n_kept)


def rarest(importance: PerFeature, probability: PerFeature, n_kept: int) -> Chosen:
    """The `n_kept` features of smallest p_i; of equal ones the first."""
    return _first(probability, n_kept)


def most_valuable(importance: PerFeature, probability: PerFeature, n_kept: int) -> Chosen:
    """The `n_kept` features of largest V_i = I_i (p_i / 3 - p_i² / 4); of equal ones the first.

    With n_kept = n_hidden this is what a linear model represents: the principal components of diag(V).
    """
    return _first(-drop_costs(importance, probability), n_kept)


RANKINGS: dict[str, Callable[[PerFeature, PerFeature, int], Chosen]] = {
    "importance": most_important,
    "probability": most_frequent,
    "sparsity": rarest,
    "value": most_valuable,
}
"""Quantities that features are ordered by, and the rule that takes the first features of each order."""


def greedy(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Structure:
    """Alone or in pairs, one feature after another by falling V_i, nothing ever revised.

    A feature takes an empty dimension; if none is left it joins the feature that is alone and costs least as
    its partner, if that costs less than V_i, else it is absent. It stands for what training does where early
    features have taken whole dimensions before rarer ones are learned. `matching.match` has the optimum.
    """
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    alone: list[int] = []
    pairs: list[tuple[int, int]] = []
    for feature in map(int, np.argsort(-dropped, kind="stable")):
        if dropped[feature] == 0.0:
            break
        if len(alone) + len(pairs) < n_hidden:
            alone.append(feature)
        elif alone:
            partner = alone[int(paired[feature, alone].argmin())]
            if paired[feature, partner] < dropped[feature]:
                alone.remove(partner)
                pairs.append((min(feature, partner), max(feature, partner)))
    return Structure(tuple(sorted([*((feature,) for feature in alone), *pairs])))


def _first(key: PerFeature, n_kept: int) -> Chosen:
    chosen = np.zeros(len(key), dtype=bool)
    chosen[np.argsort(key, kind="stable")[:n_kept]] = True
    return chosen
