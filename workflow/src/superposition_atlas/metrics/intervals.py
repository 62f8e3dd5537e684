"""Confidence intervals of shares and means."""

import numpy as np
from jaxtyping import Float
from scipy.special import (  # scipy.stats has all this too, and takes half a second to import
    betaincinv,
    stdtrit,
)

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError

CONFIDENCE = 0.95
"""Default confidence of an interval."""
_MOST = 2**53


def exact_interval(
    n_holding: float, n: float, n_tests: int = 1, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share (1934), two-sided, simultaneous over tests.

    Args:
        n_holding: cases that hold, from 0 to n.
        n: independent cases, at least 1; need not be whole, see `clusters.independent_cases`.
        n_tests: distinct tests over which the interval is simultaneous (Bonferroni), at least 1.
        confidence: probability that all of them hold their share, above 0 and below 1.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    n_holding = arguments.number("n_holding", n_holding)
    n = arguments.number("n", n)
    tail = tail_of(n_tests, confidence)
    if n < 1 or not 0 <= n_holding <= n:
        raise ArgumentError(
            f"n_holding is {n_holding:g}, n is {n:g}: must be 0 ≤ n_holding ≤ n, n ≥ 1, else it is no share"
        )
    missing = n - n_holding
    low = betaincinv(n_holding, missing + 1, tail) if n_holding else 0.0
    high = betaincinv(n_holding + 1, missing, 1.0 - tail) if missing else 1.0
    return float(low), float(high)


def tail_of(n_tests: int, confidence: float = CONFIDENCE) -> float:
    """Probability at either end of each of so many intervals, for all to hold at this confidence.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    n_tests = arguments.integer("n_tests", n_tests, least=1, most=_MOST)
    return (1.0 - _share(confidence)) / (2.0 * n_tests)


def t_interval(values: Float[np.ndarray, " value"], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's interval of a mean; NaN for fewer than two values; 0 < confidence < 1.

    Raises:
        ArgumentError: if an argument is no such number or list.
    """
    allowed = "a list of numbers"
    values = arguments.numbers("values", values, allowed, ndim=(1,), may_be_empty=True, may_be_infinite=True)
    confidence = _share(confidence)
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _share(confidence: float) -> float:
    confidence = arguments.number("confidence", confidence, above=0)
    if confidence >= 1:
        raise arguments.not_allowed("confidence", confidence, "a number above 0 and below 1")
    return confidence
