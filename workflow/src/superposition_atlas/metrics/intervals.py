"""Confidence intervals of shares and means."""

from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit  # scipy.stats has all this too, and takes half a second to import

CONFIDENCE = 0.95
"""Of every interval, unless a caller asks for another."""


def wilson_interval(n_holding: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), 0 ≤ n_holding ≤ n.

    Raises:
        ValueError: if these are no such numbers, or n is 0.
    """
    if not 0 <= n_holding <= n or n == 0:
        raise ValueError(f"{n_holding} of {n} is no share")
    share, z = n_holding / n, ndtri((1 + confidence) / 2)
    whole = 2 * (n + z**2)
    centre = (2 * n * share + z**2) / whole
    half = z / whole * sqrt(4 * n * share * (1 - share) + z**2)
    # At the ends rounding would leave the range.
    low = 0.0 if n_holding == 0 else centre - half
    high = 1.0 if n_holding == n else centre + half
    return float(low), float(high)


def t_interval(values: Float[np.ndarray, " value"], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's interval of a mean; NaN for fewer than two values."""
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)
