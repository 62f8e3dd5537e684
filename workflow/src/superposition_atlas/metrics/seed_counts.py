"""How many seeds it takes: the chance that the best of k trained toy models has the optimum's features."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.special import gammaln

from superposition_atlas.metrics.intervals import t_interval


def best_of(losses: Float[np.ndarray, " seed"], hits: Bool[np.ndarray, " seed"], n_drawn: int) -> float:
    """P(the toy model of lowest loss among k is a hit), k drawn without replacement from those trained.

    Exact: of all sets of k, C(N - r, k - 1) have the toy model of rank r (from 1) as their best. Toy models
    of equal loss share their ranks. It is an unbiased estimate of the chance with k fresh seeds.

    Args:
        losses: of each toy model on one schedule; exact or held-out ones, since training losses are noisy.
        hits: whether it represents the optimum's features.
        n_drawn: k, from 1 to the number of toy models.

    Raises:
        ValueError: if the arrays differ in length, a loss is not finite, or k is out of its range.
    """
    losses, hits = np.asarray(losses, dtype=np.float64), np.asarray(hits, dtype=bool)
    n = len(losses)
    if losses.shape != hits.shape or losses.ndim != 1 or not np.isfinite(losses).all():
        raise ValueError(f"losses have shape {losses.shape}, hits {hits.shape}: must be finite, [seed]")
    if not 1 <= n_drawn <= n:
        raise ValueError(f"{n_drawn} of {n} toy models can't be drawn: must be 1 to {n}")
    ranks = np.arange(1, n + 1)
    is_best = np.zeros(n)
    able = n - ranks >= n_drawn - 1
    is_best[able] = np.exp(_log_choose(n - ranks[able], n_drawn - 1) - _log_choose(n, n_drawn))
    order = np.argsort(losses, kind="stable")
    _, level = np.unique(losses[order], return_inverse=True)
    share_hit = np.bincount(level, weights=hits[order]) / np.bincount(level)
    return float(is_best @ share_hit[level])


def any_of(n_holding: int, n_models: int, n_drawn: int) -> float:
    """P(at least one of k is a hit), k drawn without replacement: 1 - C(N - x, k) / C(N, k).

    Raises:
        ValueError: if these are no such numbers.
    """
    if not 0 <= n_holding <= n_models or not 1 <= n_drawn <= n_models:
        raise ValueError(f"{n_holding} of {n_models}, {n_drawn} drawn: no such numbers")
    missing = n_models - n_holding
    if missing < n_drawn:
        return 1.0
    return float(1.0 - np.exp(_log_choose(missing, n_drawn) - _log_choose(n_models, n_drawn)))


def best_of_table(
    losses: Float[np.ndarray, "schedule seed"],
    hits: Bool[np.ndarray, "schedule seed"],
    numbers: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
) -> pd.DataFrame:
    """The chance for each k, a mean over schedules, with an interval over schedules as clusters.

    Seeds are not shared between schedules, or the interval is too short.

    Returns:
        n_seeds (k), share, ci_low, ci_high (Student's, within [0, 1]; NaN for one schedule), n_schedules.
    """
    rows = []
    for n_drawn in numbers:
        if n_drawn > np.shape(losses)[1]:
            continue
        each = np.array([best_of(*row, n_drawn) for row in zip(losses, hits, strict=True)])
        low, high = np.clip(t_interval(each), 0.0, 1.0)
        rows.append((n_drawn, each.mean(), low, high, len(each)))
    return pd.DataFrame(rows, columns=["n_seeds", "share", "ci_low", "ci_high", "n_schedules"])


def _log_choose(n: np.ndarray | int, k: int) -> np.ndarray:
    n = np.asarray(n, dtype=np.float64)
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
