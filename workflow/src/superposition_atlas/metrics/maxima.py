"""The largest of several draws, foretold from other draws of the same normal distribution."""

from functools import cache

import numpy as np
from scipy import optimize, special, stats

_NODES = 200
"""Nodes of the midpoint rule, equally spaced in probability; errors are below 1 %."""


@cache
def largest_quantile(share: float, n_drawn: int, n_seen: int, spread_dof: int) -> float:
    """Quantile of (the largest of `n_drawn` new draws - mean) / sd, mean and sd being estimates.

    With n_drawn = 1 it is Student's prediction interval; for more draws the same argument holds: the new
    draws and the two estimates are independent.

    Args:
        share: of the quantile, in (0, 1).
        n_drawn: number of draws whose largest is foretold.
        n_seen: number of draws that the mean is of.
        spread_dof: degrees of freedom of the sd: n_seen - 1, or more where it is pooled over groups.

    Raises:
        ValueError: if a count is below 1 or the share out of its range.
    """
    if min(n_drawn, n_seen, spread_dof) < 1 or not 0 < share < 1:
        raise ValueError(f"no quantile {share} of {n_drawn} draws after {n_seen}, {spread_dof} dof")
    levels = (np.arange(_NODES) + 0.5) / _NODES
    error_of_mean = special.ndtri(levels)[:, None] / np.sqrt(n_seen)
    sd_over_true = np.sqrt(stats.chi2.ppf(levels, spread_dof) / spread_dof)

    def excess(quantile: float) -> float:
        below = special.ndtr(quantile * sd_over_true + error_of_mean) ** n_drawn
        return float(below.mean() - share)

    end = 1.0
    while excess(end) < 0 or excess(-end) > 0:
        end *= 4
    return float(optimize.brentq(excess, -end, end, xtol=1e-4))
