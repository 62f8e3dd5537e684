"""E z₊² for z = b + Σ_j g_j u_j with independent u_j ~ U[0, 1], and its slopes: compiled, eight at once.

Integration by parts in each u_j gives, for any s with b = -Σ_j g_j s_j,

    (2 + k) E z₊² = Σ_j (1 - s_j) E[z₊² | u_j = 1] + s_j E[z₊² | u_j = 0],      k the number of the u_j.

Where z can have either sign, an s in [0, 1]^k exists, so that nothing is subtracted and nothing divided by a
coupling: couplings may be as small as they like, or 0. (The closed form with 2^k signed terms over Π g_j
loses all digits there. The recursion is in the manner of de Boor and Höllig 1982, *B-splines from
parallelepipeds*: z's distribution is a box spline.) Where z has one sign only, E z₊² is a polynomial, or 0.

A state says of each feature whether it is absent, at 1, or random, and each state follows from smaller ones.
States without a feature at 1 are the supports of the input. A pass upwards computes E z₊² and E z₊ of every
state; a pass downwards carries the loss's slopes from the supports to b and the g_j, since the slope through
s is (1 - s_j) or s_j times 2 E z₊ / (2 + k).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.backends.numba_cache import compile_function
from superposition_atlas.theory.vectors import is_any_around_zero, load, spread, store, where_positive

_HEAD = 6
_STATES_KEPT = 64
"""Tables that stay in memory: one for each number of features and set of supports."""


class States(NamedTuple):
    """The states of n features, or those of some supports, for kernels."""

    program: Integer[np.ndarray, " entry"]
    """For each state, int32: the numbers of its random features and of those at 1; its parent, which has one
    present feature less; that feature; whether it is at 1; the state's place in `members`, or -1. Then for
    each random feature j: j, the state with u_j = 1, the state with u_j = 0. Then the features at 1."""
    starts: Integer[np.ndarray, " state_and_end"]
    """Where each state's entries start; states follow from earlier ones."""
    members: Bool[np.ndarray, "support feature"]
    """Which features are in each support."""
    weight: Float[np.ndarray, "instance support"]
    """P(support) where features depend on one another; [0, support] where it is a product."""


def states(n_features: int) -> States:
    """All 3^n states of so many features."""
    return _states_of(n_features, None)


def states_of_supports(n_features: int, supports: Bool[np.ndarray, " support"]) -> States:
    """The states of some of the 2^n supports; all subsets of a support must be among them."""
    return _states_of(n_features, None if supports.all() else supports.tobytes())


def frequent_supports(
    importance: Float[np.ndarray, " feature"],
    probability: Float[np.ndarray, " feature"],
    tolerance: float,
    rarity: Float[np.ndarray, " support"] | None = None,
) -> Bool[np.ndarray, " support"]:
    """The frequent supports: the rare ones hold no more of the loss than a tolerance.

    A support S is as rare as at most Π p_j over S, which falls as S grows; so those that are left out have no
    part in the states of the others. Each output's error in S counts as |S|², which is generous unless
    weights are far above 1.

    Args:
        importance: I_i.
        probability: p_i > 0.
        tolerance: what all rare supports may hold, as a share of the loss of representing nothing.
        rarity: minus the logarithm of the probability that all features of a support are active; None where
            features are independent.
    """
    n_features = len(probability)
    supports = (np.arange(2**n_features)[:, None] >> np.arange(n_features)) & 1
    sizes = supports.sum(axis=1)
    if rarity is None:
        rarity = -(supports @ np.round(np.log(probability), 6))
    rarest_first = np.lexsort((-sizes, -rarity))
    held = np.cumsum((np.exp(-rarity) * sizes**2)[rarest_first]) * importance.sum()
    nothing = (importance * (probability / 3 - probability**2 / 4)).sum()
    is_frequent = np.ones(2**n_features, bool)
    is_frequent[rarest_first[held <= tolerance * nothing]] = False
    is_frequent[0] = True
    return is_frequent


@lru_cache(maxsize=_STATES_KEPT)
def _states_of(n_features: int, supports: bytes | None) -> States:
    """States whose present features are one of the supports: true or false for each binary number."""
    powers = 3 ** np.arange(n_features)
    digits = (np.arange(3**n_features)[:, None] // powers) % 3  # 0 absent, 1 at one, 2 random
    if supports is not None:
        present = (digits > 0) @ 2 ** np.arange(n_features)
        digits = digits[np.frombuffer(supports, bool)[present]]
    numbers = digits @ powers
    place = np.full(3**n_features, -1)
    place[numbers] = np.arange(len(numbers))
    random, at_one = digits == 2, digits == 1
    is_support = ~at_one.any(axis=1)
    last = n_features - 1 - (digits[:, ::-1] > 0).argmax(axis=1)
    head = np.stack(
        [
            random.sum(axis=1),
            at_one.sum(axis=1),
            place[numbers - digits[np.arange(len(digits)), last] * powers[last]],
            last,
            at_one[np.arange(len(digits)), last],
            np.where(is_support, np.cumsum(is_support) - 1, -1),
        ],
        axis=1,
    )
    starts = np.concatenate([[0], np.cumsum(_HEAD + 3 * head[:, 0] + head[:, 1])])
    program = np.empty(starts[-1], np.int32)
    for entry in range(_HEAD):
        program[starts[:-1] + entry] = head[:, entry]
    rows, features = np.nonzero(random)
    entries = starts[rows] + _HEAD + 3 * (np.cumsum(random, axis=1)[rows, features] - 1)
    program[entries] = features
    program[entries + 1] = place[numbers[rows] - powers[features]]
    program[entries + 2] = place[numbers[rows] - 2 * powers[features]]
    rows, features = np.nonzero(at_one)
    entries = starts[rows] + _HEAD + 3 * head[rows, 0] + np.cumsum(at_one, axis=1)[rows, features] - 1
    program[entries] = features
    members = random[is_support]
    return States(program, starts, members, np.empty((0, len(members))))


@compile_function(fastmath={"contract"})
def go_up(states, g, b, squares, firsts, lows, highs):  # type: ignore[no-untyped-def]
    """Fill E z₊², E z₊ and the least and the largest z of every state, a lane each output.

    Args:
        states: the States.
        g: rows [feature]: the couplings of each output.
        b: row [1]: their biases.
        squares: rows [state], to be filled, as are the others.
        firsts: E z₊.
        lows: least z.
        highs: largest z.
    """
    program, starts, _, _ = states
    nothing, one = spread(0.0), spread(1.0)
    for state in range(len(starts) - 1):
        at = starts[state]
        k = program[at]
        low = high = load(b, 0)
        if state > 0:
            parent, coupling = program[at + 2], load(g, program[at + 3])
            low, high = load(lows, parent), load(highs, parent)
            if program[at + 4]:
                low, high = low + coupling, high + coupling
            else:
                low = low + where_positive(coupling, nothing, coupling)
                high = high + where_positive(coupling, coupling, nothing)
        store(lows, state, low)
        store(highs, state, high)
        mean, variance = (low + high) * 0.5, nothing
        for entry in range(at + _HEAD, at + _HEAD + 3 * k, 3):
            coupling = load(g, program[entry])
            variance = variance + coupling * coupling
        square, first = mean * mean + variance * (1.0 / 12.0), mean
        if is_any_around_zero(low, high):
            width = high - low
            share = (nothing - low) / width
            other_share = one - share
            total, slope = nothing, nothing
            for entry in range(at + _HEAD, at + _HEAD + 3 * k, 3):
                coupling = load(g, program[entry])
                at_one, at_zero = load(squares, program[entry + 1]), load(squares, program[entry + 2])
                rise = at_one - at_zero
                s = where_positive(coupling, share, other_share)
                total = total + (at_one - s * rise)
                slope = slope + where_positive(coupling, rise, nothing - rise)
            below = nothing - low
            square = where_positive(below, total * (1.0 / (k + 2.0)), square)
            first = where_positive(below, slope / (width * 2.0), first)
        store(squares, state, where_positive(high, square, nothing))
        store(firsts, state, where_positive(high, first, nothing))


@compile_function(fastmath={"contract"})
def go_down(states, g, firsts, lows, highs, slopes, dg, db):  # type: ignore[no-untyped-def]
    """Add to dg and db the slopes of Σ slopes · E z₊² over the states; slopes are used up.

    Args:
        states: the States.
        g: rows [feature], as in `go_up`.
        firsts: rows [state], as filled by `go_up`, as are lows and highs.
        lows: least z.
        highs: largest z.
        slopes: rows [state]: of the loss with respect to E z₊².
        dg: rows [feature].
        db: row [1].
    """
    program, starts, _, _ = states
    nothing, one, half = spread(0.0), spread(1.0), spread(0.5)
    for state in range(len(starts) - 2, -1, -1):
        at = starts[state]
        k, n_ones = program[at], program[at + 1]
        low, high, slope = load(lows, state), load(highs, state), load(slopes, state)
        below = nothing - low
        slope = where_positive(high, slope, nothing)
        around = where_positive(below, slope * (1.0 / (k + 2.0)), nothing)
        above = where_positive(below, nothing, slope)
        moved = (around + above) * load(firsts, state) * 2.0
        share = where_positive(high, where_positive(below, below / (high - low), half), half)
        other_share = one - share
        above = above * (1.0 / 6.0)
        store(db, 0, load(db, 0) + moved)
        for entry in range(at + _HEAD, at + _HEAD + 3 * k, 3):
            j, at_one, at_zero = program[entry], program[entry + 1], program[entry + 2]
            coupling = load(g, j)
            s = where_positive(coupling, share, other_share)
            store(dg, j, load(dg, j) + (moved * s + above * coupling))
            to_zero = around * s
            store(slopes, at_zero, load(slopes, at_zero) + to_zero)
            store(slopes, at_one, load(slopes, at_one) + (around - to_zero))
        for entry in range(at + _HEAD + 3 * k, at + _HEAD + 3 * k + n_ones):
            j = program[entry]
            store(dg, j, load(dg, j) + moved)
