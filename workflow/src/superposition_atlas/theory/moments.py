"""Moments of ReLU(b + Σ_j g_j u_j) with independent u_j ~ U[0, 1], compiled.

With z the argument, integration by parts in each u_j gives, for any s with b = -Σ_j g_j s_j,

    (q + k) E z₊^q = Σ_j (1 - s_j) E[z₊^q | u_j = 1] + s_j E[z₊^q | u_j = 0],      k the number of the u_j,

and the like for moments with u_i or u_i u_j as a further factor. Where z can have either sign, an s in
[0, 1]^k exists, so that nothing is subtracted and nothing divided by a coupling: couplings may be as small as
they like, or 0. (The closed form with 2^k signed terms over Π g_j loses all digits there. The recursion is in
the manner of de Boor and Höllig 1982, *B-splines from parallelepipeds*: z's distribution is a box spline.)
Where z has one sign only, the moments are polynomials, or 0.

A state says of each feature whether it is absent, at 1, or random: 3^n states, a ternary number each, and
each state follows from smaller ones. Those without a feature at 1 are the supports of the input.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from superposition_atlas.backends.numba_cache import compile_kernel

SQUARE, FIRST, POSITIVE, WITH_OWN = 0, 1, 2, 3
"""Columns of a state's moments: E z₊², E z₊, P(z > 0); from WITH_OWN on, one for each j:"""
KINDS = 3
"""E u_j z₊; E u_j 1[z > 0]; E u_i u_j 1[z > 0] with the target's own u_i."""


class States(NamedTuple):
    """All states of n features, for kernels."""

    digits: Integer[np.ndarray, "state feature"]
    """0 absent, 1 at one, 2 random."""
    n_random: Integer[np.ndarray, " state"]
    random: Integer[np.ndarray, "state feature"]
    """The random features of a state: its first `n_random` numbers."""
    powers: Integer[np.ndarray, " feature"]
    """3^j: a state less powers[j] has u_j = 1 where it was random, less twice that u_j = 0."""


@cache
def states(n_features: int) -> States:
    """The states of so many features, in the order in which they follow from one another."""
    powers = 3 ** np.arange(n_features)
    digits = (np.arange(3**n_features)[:, None] // powers) % 3
    n_random = (digits == 2).sum(axis=1)
    return States(digits, n_random, np.argsort(digits != 2, axis=1, kind="stable"), powers)


@compile_kernel(fastmath={"contract"})
def fill_moments(g, b, i, states, gradient, moments):  # type: ignore[no-untyped-def]
    """Fill moments[state, column] of every state for target i.

    Args:
        g: couplings [feature] of the target.
        b: its bias.
        i: index of the target.
        states: the States.
        gradient: whether all columns are wanted; else the first three, and E u_i z₊.
        moments: float64 [state, WITH_OWN + KINDS · n]; written where the feature of the column is random.
    """
    digits, n_random, random, powers = states
    n = len(g)
    s = np.empty(n)
    for state in range(len(digits)):
        k = n_random[state]
        base = b
        for j in range(n):
            if digits[state, j] == 1:
                base += g[j]
        low, high = base, base
        for a in range(k):
            low += min(g[random[state, a]], 0.0)
            high += max(g[random[state, a]], 0.0)
        if low >= 0.0 and high > 0.0:
            _fill_polynomials(moments, state, base, g, k, random, i)
            continue
        for column in range(WITH_OWN + KINDS * n):
            moments[state, column] = 0.0
        if high > 0.0:
            t = -low / (high - low)
            for a in range(k):
                s[a] = t if g[random[state, a]] > 0.0 else 1.0 - t
            _follow(moments, state, k, i, digits, random, powers, gradient, s)


@compile_kernel(fastmath={"contract"})
def _fill_polynomials(moments, state, base, g, k, random, i):  # type: ignore[no-untyped-def]
    """Where z is positive throughout."""
    n = len(g)
    mean, variance = base, 0.0
    for a in range(k):
        j = random[state, a]
        mean += g[j] / 2
        variance += g[j] * g[j] / 12
    moments[state, SQUARE] = mean * mean + variance
    moments[state, FIRST] = mean
    moments[state, POSITIVE] = 1.0
    for a in range(k):
        j = random[state, a]
        moments[state, WITH_OWN + j] = mean / 2 + g[j] / 12
        moments[state, WITH_OWN + n + j] = 0.5
        moments[state, WITH_OWN + 2 * n + j] = 1.0 / 3.0 if j == i else 0.25


@compile_kernel(fastmath={"contract"})
def _follow(moments, state, k, i, digits, random, powers, gradient, s):  # type: ignore[no-untyped-def]
    """Where z can have either sign: from smaller states. A factor u_j is 0 at one end, and has a slope."""
    n = digits.shape[1]
    bound, both = WITH_OWN + n, WITH_OWN + 2 * n
    for c in range(k):
        one, zero = state - powers[random[state, c]], state - 2 * powers[random[state, c]]
        for column in range(WITH_OWN):
            moments[state, column] += (1.0 - s[c]) * moments[one, column] + s[c] * moments[zero, column]
    moments[state, SQUARE] /= k + 2
    moments[state, FIRST] /= k + 1
    moments[state, POSITIVE] /= k
    for a in range(k):
        j = random[state, a]
        if not gradient and j != i:
            continue
        with_value, with_sign = 0.0, 0.0
        for c in range(k):
            one, zero = state - powers[random[state, c]], state - 2 * powers[random[state, c]]
            if c == a:
                with_value += (1.0 - s[c]) * moments[one, FIRST] + s[c] * moments[state, FIRST]
                with_sign += (1.0 - s[c]) * moments[one, POSITIVE] + s[c] * moments[state, POSITIVE]
            else:
                with_value += (1.0 - s[c]) * moments[one, WITH_OWN + j] + s[c] * moments[zero, WITH_OWN + j]
                with_sign += (1.0 - s[c]) * moments[one, bound + j] + s[c] * moments[zero, bound + j]
        moments[state, WITH_OWN + j] = with_value / (k + 2)
        moments[state, bound + j] = with_sign / (k + 1)
    if not gradient or digits[state, i] != 2:
        return
    for a in range(k):
        j = random[state, a]
        total = 0.0
        for c in range(k):
            other = random[state, c]
            one, zero = state - powers[other], state - 2 * powers[other]
            if other == i and c == a:  # the slope of u_i² is 2 u_i
                total += (1.0 - s[c]) * moments[one, POSITIVE] + 2.0 * s[c] * moments[state, bound + i]
            elif other == i:
                total += (1.0 - s[c]) * moments[one, bound + j] + s[c] * moments[state, bound + j]
            elif c == a:
                total += (1.0 - s[c]) * moments[one, bound + i] + s[c] * moments[state, bound + i]
            else:
                total += (1.0 - s[c]) * moments[one, both + j] + s[c] * moments[zero, both + j]
        moments[state, both + j] = total / (k + 2)
