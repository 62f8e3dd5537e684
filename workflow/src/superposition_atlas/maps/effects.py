"""Does importance or sparsity decide whether a feature is represented, or has a dimension to itself?

A logistic regression over the features of all schedules, on the logarithms of I_i and of
Var x_i = p_i/3 - p_i²/4. Both are taken relative to their mean in the schedule, since features compete within
it. What dropping a feature costs is their product V_i = I_i Var x_i: if that alone decided, both would have
the same coefficient. Since the two vary unequally over schedules, effects are also given standardised, for
one standard deviation each. Which of the two is larger depends on the unit, so there is no verdict. Intervals
are by the sandwich estimator, a schedule with all its seeds being a cluster (Liang, Zeger 1986): features of
a schedule, and its seeds, do not count as independent. No two schedules of a map share a seed, so clusters of
schedules are clusters of seeds as well.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer
from scipy.optimize import minimize
from scipy.special import expit, ndtri

from superposition_atlas.metrics.intervals import CONFIDENCE
from superposition_atlas.theory.structures import drop_costs

TERMS = ("importance", "variance")
OUTCOMES = ("represented", "dedicated")
SOURCES = {"trained": "share_", "best": "best_"}
"""Toy models as trained, or the best solution; with the prefix of its columns."""

FEATURE_COLUMNS = (
    *("key", "feature", "importance", "probability"),
    *(prefix + outcome for prefix in SOURCES.values() for outcome in OUTCOMES),
)
"""Columns that `effects` reads; only the features of solved maps have all of them."""

_RIDGE = 1e-6
"""Keeps coefficients finite where an outcome is decided without exception."""


def effects(features: pd.DataFrame) -> pd.DataFrame:
    """One row a source, outcome and term: the coefficient with its 95 % interval.

    source: trained toy models or best solutions. outcome: represented or dedicated. term: importance or
    variance. coefficient, ci_low, ci_high: log-odds an e-fold of the term. deviation: standard deviation of
    the term, in e-folds. standardised(_low, _high): log-odds for one standard deviation. n_schedules: how
    many.

    Args:
        features: of one way of training, one row a schedule and feature: key, importance, probability, for
            each outcome the share of toy models (`share_…`) and whether it is so in the best solution
            (`best_…`).
    """
    return pd.DataFrame(_rows(features.drop_duplicates(["key", "feature"])))


def _rows(features: pd.DataFrame) -> Iterator[dict[str, object]]:
    variance = drop_costs(np.ones(len(features)), features["probability"].to_numpy())
    logarithms = pd.DataFrame({"importance": np.log(features["importance"]), "variance": np.log(variance)})
    within = logarithms - logarithms.groupby(features["key"].to_numpy()).transform("mean")
    cluster = pd.factorize(features["key"])[0]
    for source, prefix in SOURCES.items():
        for outcome in OUTCOMES:
            share = features[prefix + outcome].to_numpy(dtype=np.float64)
            known = ~np.isnan(share)
            if not known.any():
                continue
            fitted, deviation = logistic_regression(within.to_numpy()[known], share[known], cluster[known])
            z = ndtri((1 + CONFIDENCE) / 2)
            for term, name in enumerate(TERMS, start=1):
                middle, half = fitted[term], z * deviation[term]
                spread = within[name].to_numpy()[known].std()
                yield {
                    "source": source,
                    "outcome": outcome,
                    "term": name,
                    "coefficient": middle,
                    "ci_low": middle - half,
                    "ci_high": middle + half,
                    "deviation": spread,
                    "standardised": middle * spread,
                    "standardised_low": (middle - half) * spread,
                    "standardised_high": (middle + half) * spread,
                    "n_schedules": len(np.unique(cluster[known])),
                }


def logistic_regression(
    regressors: Float[np.ndarray, "row term"],
    share: Float[np.ndarray, " row"],
    cluster: Integer[np.ndarray, " row"],
) -> tuple[Float[np.ndarray, " coefficient"], Float[np.ndarray, " coefficient"]]:
    """Coefficients, the intercept first, and their standard deviations when clusters are independent.

    Args:
        regressors: one row an observation.
        share: outcomes in [0, 1].
        cluster: number of the cluster of each row, from 0.
    """
    X = np.column_stack([np.ones(len(share)), regressors])

    def objective(beta: Float[np.ndarray, " coefficient"]) -> tuple[float, Float[np.ndarray, " coefficient"]]:
        z = X @ beta
        loss = np.logaddexp(0.0, z).sum() - share @ z + 0.5 * _RIDGE * beta @ beta
        return float(loss), X.T @ (expit(z) - share) + _RIDGE * beta

    beta = minimize(objective, np.zeros(X.shape[1]), jac=True, method="BFGS").x
    p = expit(X @ beta)
    bread = np.linalg.inv((X * (p * (1 - p))[:, None]).T @ X + _RIDGE * np.eye(len(beta)))
    scores = np.zeros((cluster.max() + 1, len(beta)))
    np.add.at(scores, cluster, X * (share - p)[:, None])
    return beta, np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
