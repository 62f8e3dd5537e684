"""Simple rules that the matching must beat: represent the first features of an order.

The number of features is given to these rules; the matching computes it.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from superposition_atlas.theory.structures import PerFeature, drop_costs

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
"""By what features are ordered, and the rule that takes the first."""


def _first(key: PerFeature, n_kept: int) -> Chosen:
    chosen = np.zeros(len(key), dtype=bool)
    chosen[np.argsort(key, kind="stable")[:n_kept]] = True
    return chosen
