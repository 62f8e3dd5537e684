"""The best known solutions for a schedule: minima of the exact loss, from many starts.

Starts are the cheapest structures of the predictor, slightly disturbed, and random weights. Each goes
downhill by BFGS on the exact gradient; then the best one does so again with features exchanged, and
what is found to be a saddle point goes on from there.
Minima are told apart up to rotation (by WᵀW) and up to permutation of features that are alike.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.errors import TheoryError
from superposition_atlas.sampling import stream
from superposition_atlas.theory.descent import Landscape, Minimum
from superposition_atlas.theory.exact_loss import checked_schedule
from superposition_atlas.theory.predictor import ranked_axes, ranked_polygons
from superposition_atlas.theory.structures import PerFeature

if TYPE_CHECKING:
    from superposition_atlas.schedules import Schedule
    from superposition_atlas.toy_model import ToyModels

_MOST_STARTS = 1_000_000
N_AXES, N_POLYGONS = 8, 4
"""Structures that starts are made of: of dedicated features and pairs, and polygons."""
_DISTURBANCE = 0.05
_SCALES = (0.2, 0.6, 1.0)
_SAME_LOSS, _SAME_COUPLINGS = 1e-5, 1e-2
_NOTHING_LOST = 1e-10
"""As a share of the loss of representing nothing: rounding, and what a descent leaves."""


def best_solutions(
    importance: "PerFeature | Sequence[float] | Schedule | ToyModels",
    probability: PerFeature | Sequence[float] | None = None,
    n_hidden: int | None = None,
    n_starts: int = 12,
    seed: int = 0,
    bias: PerFeature | Sequence[float] | None = None,
) -> list[Minimum]:
    """All minima that were found, the best first.

    Args:
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which brings probability; or `ToyModels` of one
            schedule, which bring n_hidden too.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: m ≥ 1.
        n_starts: random starts, 0 to 1,000,000, beside those of the predictor's structures.
        seed: of the random starts, 0 ≤ seed < 2^64.
        bias: held at these values, [feature], or None where it is free.

    Raises:
        TheoryError: if the schedule is out of its range or has too many features for an exact loss, or if
            a bias is not finite.
        ArgumentError: if n_starts or seed is no such integer.
    """
    importance, probability, n_hidden = checked_schedule(importance, probability, n_hidden)
    n_starts = arguments.integer("n_starts", n_starts, least=0, most=_MOST_STARTS)
    seed = arguments.integer("seed", seed, least=0, most=2**64 - 1)
    held = None if bias is None else arguments.numbers("bias", bias, "one finite number a feature", ndim=(1,))
    if held is not None and held.shape != probability.shape:
        raise TheoryError(f"bias has {len(held)} values: must be one finite number a feature")
    landscape = Landscape(importance, probability, n_hidden, held)
    ends = [landscape.descend(W, b) for W, b in _starts(importance, probability, n_hidden, n_starts, seed)]
    ends += _exchanged(min(ends, key=lambda end: end.loss), importance, probability, landscape)
    minima = [landscape.past_saddles(end) for end in _distinct(ends, importance, probability, landscape)]
    return _distinct(minima, importance, probability, landscape)


def _exchanged(
    best: Minimum, importance: PerFeature, probability: PerFeature, landscape: Landscape
) -> list[Minimum]:
    """Minima downhill from the best with two features exchanged, again while that finds a better one."""
    ends: list[Minimum] = []
    while True:
        found = []
        for i, j in combinations(range(len(probability)), 2):
            if importance[i] == importance[j] and probability[i] == probability[j]:
                continue
            order = np.arange(len(probability))
            order[[i, j]] = j, i
            found.append(landscape.descend(best.W[:, order], best.b[order]))
        ends += found
        challenger = min(found, key=lambda end: end.loss, default=best)
        if best.loss - challenger.loss <= _slack(best, landscape):
            return ends
        best = challenger


def _starts(
    importance: PerFeature, probability: PerFeature, n_hidden: int, n_starts: int, seed: int
) -> list[tuple[Float[np.ndarray, "hidden feature"], PerFeature]]:
    n_features = len(probability)
    structures = ranked_axes(importance, probability, n_hidden)[:N_AXES]
    if n_hidden == 2:
        structures += ranked_polygons(importance, probability, closely=False)[:N_POLYGONS]
    starts = []
    for k, noise in enumerate(_noise(seed, len(structures) + n_starts, n_hidden, n_features)):
        if k < len(structures):
            W, b = structures[k].W + _DISTURBANCE * noise[1:], structures[k].b + _DISTURBANCE * noise[0]
        else:
            W, b = _SCALES[k % len(_SCALES)] * noise[1:], 0.1 * noise[0]
        starts.append((W, b))
    return starts


def _noise(
    seed: int, n_starts: int, n_hidden: int, n_features: int
) -> Float[np.ndarray, "start row feature"]:
    """Standard normals: for each start a row for b, then W."""
    n_rows = n_starts * (n_hidden + 1)
    normal = stream.standard_normal([seed], 0, n_rows, n_features, stream.Purpose.INITIAL_WEIGHTS)
    return normal.reshape(n_starts, n_hidden + 1, n_features)


def _distinct(
    ends: list[Minimum], importance: PerFeature, probability: PerFeature, landscape: Landscape
) -> list[Minimum]:
    """One of each kind, the best first, with the number of starts that ended there."""
    found: list[tuple[Minimum, Float[np.ndarray, " number"]]] = []
    for end in sorted(ends, key=lambda end: end.loss):
        look = _look(end, importance, probability)
        for k, (minimum, known) in enumerate(found):
            same_loss = end.loss - minimum.loss <= _slack(minimum, landscape)
            if same_loss and np.abs(look - known).max() <= _SAME_COUPLINGS:
                found[k] = (replace(minimum, n_starts=minimum.n_starts + end.n_starts), known)
                break
        else:
            found.append((end, look))
    return [minimum for minimum, _ in found]


def _slack(minimum: Minimum, landscape: Landscape) -> float:
    """Losses that differ by no more are the same; the loss itself may be 0."""
    return _SAME_LOSS * minimum.loss + _NOTHING_LOST * landscape.nothing


def _look(end: Minimum, importance: PerFeature, probability: PerFeature) -> Float[np.ndarray, " number"]:
    """Numbers that neither rotations nor permutations of like features change; continuous."""
    G = end.W.T @ end.W
    kinds = np.unique(np.stack([importance, probability]), axis=1, return_inverse=True)[1].reshape(-1)
    every = range(kinds.max() + 1)
    b = end.b * (importance > 0)  # an output that does not count has any bias
    own = [np.sort(values[kinds == kind]) for values in (np.diag(G), b) for kind in every]
    np.fill_diagonal(G, 0.0)
    between = [
        np.sort(G[np.ix_(kinds == first, kinds == second)], axis=None)
        for first in every
        for second in every[first:]
    ]
    return np.concatenate([*own, *between])
