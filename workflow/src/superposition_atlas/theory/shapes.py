"""The shape of a solution, told from its weights: how represented features share the hidden dimensions.

Features that are not orthogonal belong together. Such groups are dedicated features, antipodal pairs,
polygons, and what the predictor has no structure for: stacks, in which two features have one direction.
"""

import numpy as np
from jaxtyping import Bool, Float

from superposition_atlas.metrics.features import norms, represented

ORTHOGONAL = 0.2
"""Largest |cos| of orthogonal features: in a regular polygon of up to five corners none is as small."""
ALIGNED = 0.9
"""Least |cos| of features on one line."""

_POLYGONS = {3: "triangle", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}


def shape_of(W: Float[np.ndarray, "hidden feature"]) -> str:
    """Its groups, the largest first: `pentagon`, `pair, pair`, `stack of 3, pair`, `dedicated, dedicated`.

    Pairs and polygons are told from stacks by their angles alone, so they need not be regular.
    """
    kept = represented(W[None])[0]
    directions = W[:, kept] / norms(W[None])[0, kept]
    cosines = directions.T @ directions
    groups = _joined(np.abs(cosines) > ORTHOGONAL)
    groups.sort(key=len, reverse=True)
    names = [_name(cosines[np.ix_(group, group)], len(W)) for group in groups]
    return ", ".join(names) or "nothing"


def _joined(joined: Bool[np.ndarray, "feature feature"]) -> list[list[int]]:
    """Groups of features that are joined, directly or by others."""
    groups: list[list[int]] = []
    waiting = set(range(len(joined)))
    while waiting:
        reached, frontier = set(), {min(waiting)}
        while frontier:
            reached |= frontier
            frontier = {int(j) for i in frontier for j in np.flatnonzero(joined[i])} - reached
        groups.append(sorted(reached))
        waiting -= reached
    return groups


def _name(cosines: Float[np.ndarray, "feature feature"], n_hidden: int) -> str:
    n = len(cosines)
    if n == 1:
        return "dedicated"
    if (cosines[~np.eye(n, dtype=bool)] > ALIGNED).any():
        return f"stack of {n}"
    if n == 2 and cosines[0, 1] < -ALIGNED:
        return "pair"
    return _POLYGONS[n] if n_hidden == 2 and n in _POLYGONS else f"group of {n}"
