"""Confidence intervals of shares and means."""

from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit  # scipy.stats has all this too, and takes half a second to import

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError

CONFIDENCE = 0.95
"""Default confidence of an interval."""
_MOST = 2**53


def wilson_interval(n_holding: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), 0 ≤ n_holding ≤ n, 0 < confidence < 1.

    Raises:
        ArgumentError: if these are no such numbers, or n is 0.
    """
    n_holding = arguments.integer("n_holding", n_holding, least=-_MOST, most=_MOST)
    n = arguments.integer("n", n, least=-_MOST, most=_MOST)
    confidence = _share(confidence)
    if not 0 <= n_holding <= n or n == 0:
        raise ArgumentError(
            f"n_holding is {n_holding}, n is {n}: must be 0 ≤ n_holding ≤ n, else it is no share"
        )
    share, z = n_holding / n, ndtri((1 + confidence) / 2)
    whole = 2 * (n + z**2)
    centre = (2 * n * share + z**2) / whole
    half = z / whole * sqrt(4 * n * share * (1 - share) + z**2)
    # At the ends rounding would leave the range.
    low = 0.0 if n_holding == 0 else centre - half
    high = 1.0 if n_holding == n else centre + half
    return float(low), float(high)


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
