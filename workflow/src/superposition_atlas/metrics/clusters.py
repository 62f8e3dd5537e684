"""Shares whose cases are not independent: toy models of one schedule, or of one seed, resemble each other.

The variance of a share is estimated with clusters in one way or two (Cameron, Gelbach, Miller 2011). Its
exact interval is that of the number of independent cases that would have the same variance, a little fewer
where there are few clusters (Korn, Graubard 1998). With every case a cluster of its own it is Clopper and
Pearson's.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Integer
from scipy.special import stdtrit

from superposition_atlas.metrics.intervals import CONFIDENCE, tail_of
from superposition_atlas.metrics.verdicts import Verdict, share_verdict

PerCase = Float[np.ndarray, " case"]
Labels = Integer[np.ndarray, " case"]


def clustered_verdict(
    part: PerCase,
    whole: PerCase,
    clusters: Sequence[Labels],
    n_tests: int = 1,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """The verdict on Σ part / Σ whole.

    Args:
        part: of each case, from 0 to `whole`: 1 where a toy model shows what is asked, else 0; or the number
            of its features that do.
        whole: 1 for each toy model; or its number of features.
        clusters: labels of the cases in each way of clustering, such as schedules and seeds.
        n_tests: distinct tests that the interval is simultaneous over.
        confidence: probability that all of them hold their share.

    Raises:
        ValueError: if there is nothing to take a share of.
    """
    if not whole.sum() > 0:
        raise ValueError("a share of nothing")
    share = part.sum() / whole.sum()
    n = independent_cases(part, whole, clusters, n_tests, confidence)
    return share_verdict(share * n, n, n_tests, confidence)


def independent_cases(
    part: PerCase,
    whole: PerCase,
    clusters: Sequence[Labels],
    n_tests: int = 1,
    confidence: float = CONFIDENCE,
) -> float:
    """How many independent cases say as much about Σ part / Σ whole: at least 1, at most Σ whole."""
    n, share = float(whole.sum()), part.sum() / whole.sum()
    n_clusters = min(len(np.unique(labels)) for labels in clusters)
    if share in (0.0, 1.0):
        return float(n_clusters)
    variance = share_variance(part, whole, clusters)
    tail = tail_of(n_tests, confidence)
    # Few clusters estimate a variance badly: Student's distribution says how badly.
    wider = stdtrit(n - 1, 1 - tail) / stdtrit(n_clusters - 1, 1 - tail) if n_clusters > 1 else 0.0
    effective = share * (1 - share) / variance * wider**2 if variance > 0 else n
    return float(np.clip(effective, 1.0, n))


def share_variance(part: PerCase, whole: PerCase, clusters: Sequence[Labels]) -> float:
    """Variance of Σ part / Σ whole, by each way of clustering and by all together; never below either's."""
    residual = (part - part.sum() / whole.sum() * whole) / whole.sum()
    ways = [np.unique(labels, return_inverse=True)[1] for labels in clusters]
    total, single = 0.0, []
    for size in range(1, len(ways) + 1):
        for some in combinations(ways, size):
            joint = np.unique(np.stack(some), axis=1, return_inverse=True)[1].reshape(-1)
            variance = float((np.bincount(joint, residual) ** 2).sum())
            total += variance if size % 2 else -variance
            if size == 1:
                single.append(variance)
    return max(total, *single)
