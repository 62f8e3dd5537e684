"""The best known solutions for a schedule: minima of the exact loss, from many starts.

Starts are structures of every kind and random weights (`starts`). Each goes downhill roughly by BFGS on the
exact gradient, the most promising to the end; then features are moved in the best one, again while that
helps, and what turns out to be a saddle point goes on from there.
Minima are told apart up to rotation (by WᵀW) and up to permutation of features that are alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.errors import TheoryError
from superposition_atlas.schedules.schedule import one_structure
from superposition_atlas.theory.descent import Landscape, Minimum
from superposition_atlas.theory.exact_loss import checked_schedule
from superposition_atlas.theory.starts import random_starts, structured_starts
from superposition_atlas.theory.structures import PerFeature

if TYPE_CHECKING:
    from superposition_atlas.schedules import Schedule
    from superposition_atlas.toy_model import ToyModels

_MOST_STARTS = 1_000_000
N_FOLLOWED, N_MOVES = 8, 4
"""Structures, and moves from the best, that are followed to the end: the most promising."""
MOST_LEADERS, _FEW_STATES = 3, 1000
"""Minima that features are moved from, where rough descents look at so few states."""
MOST_DRAWS = 10
"""Random draws of which one is followed to the end: as many with six features or more, fewer with fewer."""
_SAME_LOSS, _SAME_COUPLINGS, _ROUGHLY_SAME = 1e-5, 1e-2, 5e-2
_NOTHING_LOST = 1e-10
"""Share of the loss of representing nothing that rounding and an unfinished descent can make up."""


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
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which brings probability and structure; or
            `ToyModels` of one schedule, which bring n_hidden too.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: m ≥ 1.
        n_starts: random starts that are followed to the end, 0 to 1,000,000, beside structures: the most
            promising of up to MOST_DRAWS times as many draws.
        seed: of the random starts, 0 ≤ seed < 2^64.
        bias: held at these values, [feature], or None where it is free.

    Raises:
        TheoryError: if the schedule is out of its range or has too many features for an exact loss, or if
            a bias is not finite.
        ArgumentError: if n_starts or seed is no such integer.
    """
    structure = one_structure(importance)
    importance, probability, n_hidden = checked_schedule(importance, probability, n_hidden, True)
    n_starts = arguments.integer("n_starts", n_starts, least=0, most=_MOST_STARTS)
    seed = arguments.integer("seed", seed, least=0, most=2**64 - 1)
    held = None if bias is None else arguments.numbers("bias", bias, "one finite number a feature", ndim=(1,))
    if held is not None and held.shape != probability.shape:
        raise TheoryError(f"bias has {len(held)} values: must be one finite number a feature")
    landscape = Landscape(importance, probability, n_hidden, held, structure)
    ends = _first_ends(importance, probability, n_hidden, n_starts, seed, landscape)
    leaders = _distinct(ends, landscape)[: _n_leaders(landscape)]
    for leader in leaders:
        ends += _moved(leader, landscape)
    minima = [landscape.past_saddles(end) for end in _distinct(ends, landscape)]
    return _distinct(minima, landscape)


def _n_leaders(landscape: Landscape) -> int:
    """How many minima features are moved from: more where that costs little, none with two features."""
    if landscape.n_features <= 2:
        return 0
    return MOST_LEADERS if landscape.n_features > 5 and landscape.n_rough_states <= _FEW_STATES else 1


def _first_ends(
    importance: PerFeature,
    probability: PerFeature,
    n_hidden: int,
    n_starts: int,
    seed: int,
    landscape: Landscape,
) -> list[Minimum]:
    """Minima downhill from the most promising structures and the most promising random weights."""
    schedule = (importance, probability, n_hidden, seed)
    n_draws = min(2 ** max(len(probability) - 2, 0), MOST_DRAWS)
    ends = []
    for starts, n_followed in (
        (structured_starts(*schedule), N_FOLLOWED),
        (random_starts(*schedule, n_starts * n_draws), n_starts),
    ):
        if len(starts) > n_followed:
            rough = sorted((landscape.hurry(W, b) for W, b in starts), key=lambda end: end.loss)
            starts = [(end.W, end.b) for end in rough[:n_followed]]
        ends += [landscape.descend(W, b) for W, b in starts]
    return ends


def _moved(best: Minimum, landscape: Landscape) -> list[Minimum]:
    """Minima downhill from the best with a feature or two moved, again while that finds a better one."""
    ends: list[Minimum] = []
    groups = _groups(landscape.kinds)
    while True:
        rough = [landscape.hurry(W, b) for W, b in moves(best.W, best.b, landscape.kinds)]
        rough.sort(key=lambda end: end.loss)
        known, found = [_numbers(best, landscape.kinds[0], groups)], []
        for end in rough:
            # Most moves lead back: what is worth following leads elsewhere.
            numbers = _numbers(end, landscape.kinds[0], groups)
            if min(np.abs(numbers - others).max() for others in known) > _ROUGHLY_SAME:
                known.append(numbers)
                found.append(replace(landscape.descend(end.W, end.b), n_starts=0))
            if len(found) == N_MOVES:
                break
        ends += found
        challenger = min(found, key=lambda end: end.loss, default=best)
        if best.loss - challenger.loss <= _slack(best, landscape):
            return ends
        best = challenger


def moves(
    W: Float[np.ndarray, "hidden feature"], b: PerFeature, kinds: Float[np.ndarray, "quantity feature"]
) -> Iterator[tuple[Float[np.ndarray, "hidden feature"], PerFeature]]:
    """Two features exchanged, or one dropped, turned round, or stacked on or opposite to another."""
    n_features = len(b)
    for i, j in combinations(range(n_features), 2):
        if np.array_equal(kinds[:, i], kinds[:, j]):
            continue
        order = np.arange(n_features)
        order[[i, j]] = j, i
        yield W[:, order], b[order]
    norms = np.linalg.norm(W, axis=0)
    for i in range(n_features):
        if norms[i] > 0.1:
            dropped, bias = W.copy(), b.copy()
            dropped[:, i], bias[i] = 0.02 * W[:, i], kinds[1, i] / 2
            yield dropped, bias
            turned = W.copy()
            turned[:, i] *= -1
            yield turned, b
        for j in range(n_features):
            if i == j or norms[j] <= 0.5:
                continue
            # A dropped feature may be worth a short column: of rare features many are, on one line.
            for length in (0.9, 0.45, 0.15) if norms[i] <= 0.1 else (0.9,):
                for sign in (length, -length):
                    moved, bias = W.copy(), b.copy()
                    moved[:, i], bias[i] = sign * W[:, j] + 0.05 * norms[j], min(b[i], 0.0)
                    yield moved, bias


def _distinct(ends: list[Minimum], landscape: Landscape) -> list[Minimum]:
    """One of each kind, the best first, with the number of starts that ended there."""
    groups = _groups(landscape.kinds)
    found: list[tuple[Minimum, Float[np.ndarray, " number"]]] = []
    for end in sorted(ends, key=lambda end: end.loss):
        numbers = _numbers(end, landscape.kinds[0], groups)
        for k, (minimum, known) in enumerate(found):
            same_loss = end.loss - minimum.loss <= _slack(minimum, landscape)
            if same_loss and np.abs(numbers - known).max() <= _SAME_COUPLINGS:
                found[k] = (replace(minimum, n_starts=minimum.n_starts + end.n_starts), known)
                break
        else:
            found.append((end, numbers))
    return [minimum for minimum, _ in found]


def _slack(minimum: Minimum, landscape: Landscape) -> float:
    """Losses that differ by no more are the same; the loss itself may be 0."""
    return _SAME_LOSS * minimum.loss + _NOTHING_LOST * landscape.nothing


def _groups(kinds: Float[np.ndarray, "quantity feature"]) -> Integer[np.ndarray, " number"]:
    """Which of `_numbers` may change places: those of like features, or of like pairs of them."""
    kinds = np.unique(kinds, axis=1, return_inverse=True)[1].reshape(-1)
    first, second = _pairs(len(kinds))
    low, high = np.minimum(kinds[first], kinds[second]), np.maximum(kinds[first], kinds[second])
    n_kinds = len(kinds)
    return np.concatenate([kinds, n_kinds + kinds, (2 + low) * n_kinds + high])


@cache
def _pairs(n_features: int) -> tuple[Integer[np.ndarray, " pair"], ...]:
    """The first and the second feature of each pair."""
    return np.triu_indices(n_features, 1)


def _numbers(
    end: Minimum, importance: PerFeature, groups: Integer[np.ndarray, " number"]
) -> Float[np.ndarray, " number"]:
    """What neither rotations nor permutations of like features change: WᵀW and b, sorted in each group."""
    G = end.W.T @ end.W
    b = end.b * (importance > 0)  # an output that does not count has any bias
    numbers = np.concatenate([np.diag(G), b, G[_pairs(len(b))]])
    return numbers[np.lexsort((numbers, groups))]
