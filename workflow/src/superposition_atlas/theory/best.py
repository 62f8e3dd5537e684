"""The best known solutions for a schedule: minima of the exact loss, from many starts.

Starts are the cheapest structures of the predictor, slightly disturbed, and random weights. Each goes
downhill with scipy's BFGS on the exact gradient; then the best one does so again with features exchanged.
Minima are told apart up to rotation (by WᵀW) and up to permutation of features that are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from superposition_atlas import arguments, stream
from superposition_atlas.theory.exact_loss import TheoryError, checked_schedule, objective_of
from superposition_atlas.theory.predictor import ranked_axes, ranked_polygons
from superposition_atlas.theory.structures import PerFeature, drop_costs

N_AXES, N_POLYGONS = 8, 4
"""Structures that starts are made of: of dedicated features and pairs, and polygons."""
_DISTURBANCE = 0.05
_SCALES = (0.2, 0.6, 1.0)
_SAME_LOSS, _SAME_COUPLINGS = 1e-5, 1e-2
_NOTHING_LOST = 1e-10
"""As a share of the loss of representing nothing: rounding, and what a descent leaves."""
_ITERATIONS, _GRADIENT = 500, 1e-5
_SILENT_NORM = 0.1


@dataclass(frozen=True)
class Minimum:
    """A local minimum of the exact loss."""

    loss: float
    """Mean over the features of I_i E(x_i - x'_i)², comparable with a training loss."""
    W: Float[np.ndarray, "hidden feature"]
    b: PerFeature
    n_starts: int
    """Starts that ended here."""


def best_solutions(
    importance: PerFeature | Sequence[float],
    probability: PerFeature | Sequence[float],
    n_hidden: int,
    n_starts: int = 8,
    seed: int = 0,
    bias: PerFeature | Sequence[float] | None = None,
) -> list[Minimum]:
    """All minima that were found, the best first.

    Args:
        importance: I_i ≥ 0.
        probability: 0 < p_i ≤ 1.
        n_hidden: m ≥ 1.
        n_starts: random starts, beside those of the predictor's structures.
        seed: of the random starts.
        bias: held at these values, or None where it is free.

    Raises:
        TheoryError: if the schedule is out of its range or has too many features for an exact loss, or if
            a bias is not finite.
        TrainingError: if n_hidden, n_starts or seed is no such integer.
    """
    importance, probability, n_hidden = checked_schedule(importance, probability, n_hidden)
    arguments.integer("n_starts", n_starts, least=0)
    arguments.integer("seed", seed, least=0, most=2**62)
    held = None if bias is None else np.asarray(bias, np.float64)
    if held is not None and (held.shape != probability.shape or not np.isfinite(held).all()):
        raise TheoryError("bias must have a finite value a feature")
    ends = [
        descend(W, b, importance, probability, held)
        for W, b in _starts(importance, probability, n_hidden, n_starts, seed)
    ]
    ends += _exchanged(min(ends, key=lambda end: end.loss), importance, probability, held)
    return _distinct(sorted(ends, key=lambda end: end.loss), importance, probability)


def _exchanged(
    best: Minimum, importance: PerFeature, probability: PerFeature, held: PerFeature | None
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
            found.append(descend(best.W[:, order], best.b[order], importance, probability, held))
        ends += found
        challenger = min(found, key=lambda end: end.loss, default=best)
        if best.loss - challenger.loss <= _slack(best, importance, probability):
            return ends
        best = challenger


def descend(
    W: Float[np.ndarray, "hidden feature"],
    b: PerFeature,
    importance: PerFeature,
    probability: PerFeature,
    held: PerFeature | None = None,
) -> Minimum:
    """The minimum downhill from W and b; b stays at `held` unless that is None."""
    shape, n_weights = W.shape, W.size
    losses = objective_of(importance, probability)

    def objective(flat: Float[np.ndarray, " parameter"]) -> tuple[float, Any]:
        bias = flat[n_weights:] if held is None else held
        loss, dW, db = losses(flat[:n_weights].reshape(shape), bias)
        slope = dW.ravel() if held is not None else np.concatenate([dW.ravel(), db])
        return loss / scale, slope / scale

    # In units of the loss of representing nothing, tolerances mean the same for rare features.
    scale = float(drop_costs(importance, probability).sum()) or 1.0
    options = {"gtol": _GRADIENT, "maxiter": _ITERATIONS}

    def end_of(W: Float[np.ndarray, "hidden feature"], b: PerFeature) -> Minimum:
        start = W.ravel() if held is not None else np.concatenate([W.ravel(), b])
        end = minimize(objective, start, jac=True, method="BFGS", options=options)
        bias = end.x[n_weights:].copy() if held is None else held.copy()
        return Minimum(float(end.fun) * scale / shape[1], end.x[:n_weights].reshape(shape), bias, n_starts=1)

    reached = end_of(W, b)
    never_positive = reached.b + np.maximum(reached.W.T @ reached.W, 0.0).sum(axis=0) <= 0.0
    barely = (np.linalg.norm(reached.W, axis=0) < _SILENT_NORM) & (reached.b < probability / 4)
    silent = never_positive | barely
    if held is not None or not silent.any():
        return reached
    # An output that is never positive has no slope: it can't find the bias p_i / 2 by itself.
    return min(
        reached,
        end_of(reached.W, np.where(silent, probability / 2, reached.b)),
        key=lambda minimum: minimum.loss,
    )


def _starts(
    importance: PerFeature, probability: PerFeature, n_hidden: int, n_starts: int, seed: int
) -> list[tuple[Float[np.ndarray, "hidden feature"], PerFeature]]:
    n_features = len(probability)
    structures = ranked_axes(importance, probability, n_hidden)[:N_AXES]
    if n_hidden == 2:
        structures += ranked_polygons(importance, probability, closely=False)[:N_POLYGONS]
    n_all = len(structures) + n_starts
    normal = stream.standard_normal(
        seed + np.arange(n_all), 0, n_hidden + 1, n_features, stream.Purpose.INITIAL_WEIGHTS
    )
    starts = []
    for k, noise in enumerate(normal):
        if k < len(structures):
            W, b = structures[k].W + _DISTURBANCE * noise[1:], structures[k].b + _DISTURBANCE * noise[0]
        else:
            W, b = _SCALES[k % len(_SCALES)] * noise[1:], 0.1 * noise[0]
        starts.append((W, b))
    return starts


def _distinct(ends: list[Minimum], importance: PerFeature, probability: PerFeature) -> list[Minimum]:
    """One of each kind, with the number of starts that ended there. `ends` go from best to worst."""
    found: list[tuple[Minimum, Float[np.ndarray, " number"]]] = []
    for end in ends:
        look = _look(end, importance, probability)
        for k, (minimum, known) in enumerate(found):
            same_loss = end.loss - minimum.loss <= _slack(minimum, importance, probability)
            if same_loss and np.abs(look - known).max() <= _SAME_COUPLINGS:
                found[k] = (Minimum(minimum.loss, minimum.W, minimum.b, minimum.n_starts + 1), known)
                break
        else:
            found.append((end, look))
    return [minimum for minimum, _ in found]


def _slack(minimum: Minimum, importance: PerFeature, probability: PerFeature) -> float:
    """Losses that differ by no more are the same; the loss itself may be 0."""
    nothing = float(drop_costs(importance, probability).mean())
    return _SAME_LOSS * minimum.loss + _NOTHING_LOST * nothing


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
