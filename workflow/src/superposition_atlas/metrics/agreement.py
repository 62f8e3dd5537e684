"""How much two sets of represented features have in common."""

import numpy as np
from jaxtyping import Bool, Float


def jaccard(
    one: Bool[np.ndarray, "*any feature"], other: Bool[np.ndarray, "*any feature"]
) -> Float[np.ndarray, "*any"]:
    """Features in both sets over features in either, 0 to 1; 1 for two empty sets. Leading axes broadcast."""
    both = np.logical_and(one, other).sum(axis=-1)
    either = np.logical_or(one, other).sum(axis=-1)
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def mean_jaccard_with_others(
    represented: Bool[np.ndarray, "instance feature"],
) -> Float[np.ndarray, " instance"]:
    """Each toy model's mean Jaccard overlap with all others on its schedule; NaN for a single one.

    It is the ceiling of any rule: what a second trained toy model knows about the first.
    """
    n_models = len(represented)
    if n_models == 1:
        return np.full(1, np.nan)
    between = jaccard(represented[:, None], represented[None])
    return (between.sum(axis=1) - np.diag(between)) / (n_models - 1)
