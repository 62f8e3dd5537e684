"""The intervention: one partner's probability is varied, all else held. When does the other go absent?

The matching says: i shares j's dimension while p_j < p_j* = (2 - 1.5 p_i) I_i / (I_i + I_j), unless another
place saves more.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.optimize import isotonic_regression

from superposition_atlas.metrics.features import dedicated, represented
from superposition_atlas.schedules import Schedule
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.matching import match, partner_threshold
from superposition_atlas.theory.pair_phases import phase_of
from superposition_atlas.theory.structures import PerFeature
from superposition_atlas.toy_model import ToyModels, initial_weights

ANTIPODAL_COSINE = -0.8
"""Two represented features share a dimension in a toy model if the cosine between them is below this."""


def varied_schedule(
    schedule: Schedule, partner: int, probabilities: Sequence[float], n_seeds: int
) -> Schedule:
    """The schedule with each value of the partner's probability, a row for each of `n_seeds` toy models.

    Args:
        schedule: importance and probability, [feature].
        partner: feature j.
        probabilities: values of p_j.
        n_seeds: toy models at each.
    """
    n_rows = len(probabilities) * n_seeds
    probability = np.tile(schedule.probability, (n_rows, 1))
    probability[:, partner] = np.repeat(probabilities, n_seeds)
    return Schedule(np.tile(schedule.importance, (n_rows, 1)), probability)


def rule_labels(
    schedule: Schedule, n_hidden: int, feature: int, partner: int, probabilities: Sequence[float]
) -> pd.DataFrame:
    """The matching's labels of both features, at each value of the partner's probability.

    Returns:
        varied (p_j), feature_label, partner_label (alone, shared, absent), feature_partner (the feature that
        i shares a dimension with, -1 if none), threshold (p_j*), n_kept, n_alone.
    """
    rows = []
    for row in varied_schedule(schedule, partner, probabilities, 1).probability:
        found = match(schedule.importance, row, n_hidden)
        labels = found.labels
        rows.append(
            (
                row[partner],
                labels[feature],
                labels[partner],
                found.partner[feature],
                threshold_of(schedule, feature, partner),
                len(found.kept),
                len(found.alone),
            )
        )
    names = ["varied", "feature_label", "partner_label", "feature_partner", "threshold", "n_kept", "n_alone"]
    return pd.DataFrame(rows, columns=names)


def threshold_of(schedule: Schedule, feature: int, partner: int) -> float:
    """p_j* of feature i and its partner j."""
    importance, probability = schedule.importance, schedule.probability
    return float(partner_threshold(probability[feature], importance[feature], importance[partner]))


def trained_shares(models: ToyModels, feature: int, partner: int) -> pd.DataFrame:
    """Shares of seeds in which both features are represented, alone or together, at each partner probability.

    With one hidden dimension a feature that starts on its partner's side of 0 seldom gets past 0 to the
    other, so that about half of the seeds never share: `together_if_apart` has only those that start apart.

    Returns:
        varied (p_j), n_seeds, feature_represented, partner_represented, partner_alone, together (both
        represented and antipodal), n_apart, together_if_apart (NaN without such seeds; where there are more
        hidden dimensions, apart means at more than a right angle).
    """
    start = initial_weights(models.seeds, models.n_features, models.n_hidden, models.settings.init_scale)
    apart = (start[:, :, feature] * start[:, :, partner]).sum(axis=1) < 0
    W = models.W.astype(np.float64)
    present, alone = represented(W), dedicated(W)
    length = np.linalg.norm(W, axis=1)
    product = (W[:, :, feature] * W[:, :, partner]).sum(axis=1)
    antipodal = product < ANTIPODAL_COSINE * length[:, feature] * length[:, partner]
    each = pd.DataFrame(
        {
            "varied": models.probability[:, partner].astype(np.float64),
            "n_seeds": 1,
            "feature_represented": present[:, feature],
            "partner_represented": present[:, partner],
            "partner_alone": alone[:, partner],
            "together": present[:, feature] & present[:, partner] & antipodal,
            "n_apart": apart,
        }
    )
    each["together_if_apart"] = each["together"].where(apart).astype(float)
    shares = dict.fromkeys(each.columns[2:], "mean")
    return each.groupby("varied", as_index=False).agg({**shares, "n_seeds": "sum", "n_apart": "sum"})[
        list(each.columns)
    ]


def optimum_shares(
    importance: PerFeature, probability: PerFeature, partner: int, probabilities: Sequence[float]
) -> Bool[np.ndarray, " value"]:
    """Whether the exact optimum for two features in one dimension has both, at each value of p_j."""
    both = []
    for value in probabilities:
        varied = np.array(probability, dtype=np.float64)
        varied[partner] = value
        both.append(phase_of(best_solutions(importance, varied, 1)[0].W) == "shared")
    return np.array(both)


def half_share_point(
    varied: Sequence[float] | Float[np.ndarray, " value"],
    share: Sequence[float] | Float[np.ndarray, " value"],
) -> float:
    """The p_j at which half of the toy models no longer have the feature.

    Shares are made monotone first (isotonic regression); between two values it is interpolated. Infinite if
    more than half have it everywhere, -infinite if they have it nowhere.

    Args:
        varied: values of p_j, ascending.
        share: of toy models that represent the feature at each, 0 to 1.

    Raises:
        ValueError: unless there is a share for each value, and values ascend.
    """
    x, y = np.asarray(varied, dtype=np.float64), np.asarray(share, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size or (np.diff(x) <= 0).any():
        raise ValueError(
            f"varied has shape {x.shape}, share {y.shape}: must be ascending values, a share each"
        )
    falling = isotonic_regression(y, increasing=False).x
    if falling[-1] > 0.5:
        return float("inf")
    if falling[0] <= 0.5:
        return float("-inf")
    after = int(np.argmax(falling <= 0.5))
    before = after - 1
    part = (falling[before] - 0.5) / (falling[before] - falling[after])
    return float(x[before] + part * (x[after] - x[before]))
