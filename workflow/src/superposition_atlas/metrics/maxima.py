"""The largest of several draws, foretold from other draws of the same normal distribution."""

from functools import cache

import numpy as np
from scipy import special

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError

_MOST = 2**31
_NODES = 200
"""Nodes of the midpoint rule, equally spaced in probability; errors are below 1 %."""


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
        ArgumentError: if a count is below 1 or the share out of its range.
    """
    share = arguments.number("share", share)
    counts = {"n_drawn": n_drawn, "n_seen": n_seen, "spread_dof": spread_dof}
    n_drawn, n_seen, spread_dof = (
        arguments.integer(name, count, least=-_MOST, most=_MOST) for name, count in counts.items()
    )
    if min(n_drawn, n_seen, spread_dof) < 1 or not 0 < share < 1:
        raise ArgumentError(
            f"share is {share:g}, n_drawn {n_drawn}, n_seen {n_seen}, spread_dof {spread_dof}: there is no "
            "quantile; counts must be at least 1, share above 0 and below 1"
        )
    return _largest_quantile(share, n_drawn, n_seen, spread_dof)


@cache
def _largest_quantile(share: float, n_drawn: int, n_seen: int, spread_dof: int) -> float:
    from scipy import optimize  # takes a third of a second, and the report needs none of it

    levels = (np.arange(_NODES) + 0.5) / _NODES
    error_of_mean = special.ndtri(levels)[:, None] / np.sqrt(n_seen)
    sd_over_true = np.sqrt(2.0 * special.gammaincinv(spread_dof / 2.0, levels) / spread_dof)  # χ² / dof

    def excess(quantile: float) -> float:
        below = special.ndtr(quantile * sd_over_true + error_of_mean) ** n_drawn
        return float(below.mean() - share)

    end = 1.0
    while excess(end) < 0 or excess(-end) > 0:
        end *= 4
    return float(optimize.brentq(excess, -end, end, xtol=1e-4))
