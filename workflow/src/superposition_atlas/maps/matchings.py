"""Tables of matchings: what the rule says of schedules, and how near to it toy models are."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from superposition_atlas.metrics.agreement import jaccard, mean_jaccard_with_others
from superposition_atlas.metrics.features import dedicated, dimensionality, represented
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import Matching, match
from superposition_atlas.theory.rankings import RANKINGS, greedy, most_valuable
from superposition_atlas.theory.structures import PerFeature
from superposition_atlas.toy_model import ToyModels

PAIR_TOLERANCE = 0.05
"""D_i of a feature in a pair is within this of 1/2."""


def matching_table(schedules: Iterable[tuple[str, PerFeature, PerFeature]], n_hidden: int) -> pd.DataFrame:
    """One row a feature of each schedule: what the matching and the rules that it must beat say of it.

    Args:
        schedules: key, importance and probability of each.
        n_hidden: m.

    Returns:
        key, feature, importance, probability, label (alone, shared, absent), partner (-1: none), kept;
        whether it is among the first by I, by p, by 1 - p and by V, as many as the matching keeps
        (`by_importance`, ...), or represented by a linear model (`by_linear`); and, equal for all features of
        a schedule, n_kept, n_alone, cost (a part of Σ_i I_i E(x_i - x'_i)²), loss_share, gap, pentagon_gain
        and pairs_suffice.

    Raises:
        TheoryError, TrainingError: as `match`.
    """
    frames = []
    for key, importance, probability in schedules:
        found = match(importance, probability, n_hidden)
        gain = pentagon_gain(importance, probability, found)
        ranked = {
            f"by_{name}": first_of(importance, probability, len(found.kept))
            for name, first_of in RANKINGS.items()
        }
        frames.append(
            pd.DataFrame(
                {
                    "key": key,
                    "feature": np.arange(found.n_features),
                    "importance": importance,
                    "probability": probability,
                    "label": found.labels,
                    "partner": found.partner,
                    "kept": found.is_kept,
                    **ranked,
                    "by_linear": most_valuable(importance, probability, n_hidden),
                    "n_kept": len(found.kept),
                    "n_alone": len(found.alone),
                    "cost": found.cost,
                    "loss_share": found.loss_share,
                    "gap": found.gap,
                    "pentagon_gain": gain,
                    "pairs_suffice": gain == 0.0,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def compared(
    importance: PerFeature, probability: PerFeature, rule: Matching, gain: float, models: ToyModels
) -> pd.DataFrame:
    """One row a toy model of one schedule: the numbers of the rule and of the toy model, and their overlap.

    Args:
        importance: I_i of the schedule.
        probability: p_i of the schedule.
        rule: the matching of the schedule.
        gain: its `pentagon_gain`.
        models: toy models trained on it.

    Returns:
        n_features, n_hidden, seed; kept and alone features of the rule and of the toy model (`n_kept_*`,
        `n_alone_*`, and the differences trained - rule); Jaccard overlaps of the toy model's represented
        features with the rule's (`jaccard_rule`), with those of the other toy models (`jaccard_ceiling`;
        `below_ceiling` is the difference), with the first features of an order, their number being the toy
        model's (`jaccard_importance`, ...) or the rule's (`jaccard_importance_at_rule`, ...), with those of
        a greedy choice of groups (`jaccard_greedy`, `n_kept_greedy`), and with a linear model's
        (`jaccard_linear`); `same_features` as the rule; losses as shares of the loss of
        representing nothing, and `loss_ratio`, trained over the rule's; `polygon_share`, the share of
        represented features that are neither alone (D_i > .9) nor in a pair (D_i = 1/2 ± .05);
        `pentagon_gain` and `pairs_suffice`, whether that is 0, both known before any training; `is_best`, the
        lowest loss; mean and largest probability.
    """
    W = models.W.astype(np.float64)
    present, alone = represented(W), dedicated(W)
    n_kept, n_alone, D = present.sum(axis=1), alone.sum(axis=1), dimensionality(W)
    ranked = {}
    for name, first_of in RANKINGS.items():
        as_many = np.array([first_of(importance, probability, n) for n in n_kept])
        as_rule = first_of(importance, probability, len(rule.kept))
        ranked[f"jaccard_{name}"] = jaccard(present, as_many)
        ranked[f"jaccard_{name}_at_rule"] = jaccard(present, as_rule)
    chosen = np.zeros(models.n_features, dtype=bool)
    chosen[list(greedy(importance, probability, models.n_hidden).kept)] = True
    odd = present & ~alone & (np.abs(D - 0.5) > PAIR_TOLERANCE)
    nothing = rule.cost + rule.saved
    loss_share = models.loss * models.n_features / nothing
    overlap, ceiling = jaccard(present, rule.is_kept), mean_jaccard_with_others(present)
    return pd.DataFrame(
        {
            "n_features": models.n_features,
            "n_hidden": models.n_hidden,
            "seed": models.seeds,
            "n_kept_rule": len(rule.kept),
            "n_kept_trained": n_kept,
            "n_alone_rule": len(rule.alone),
            "n_alone_trained": n_alone,
            "kept_difference": n_kept - len(rule.kept),
            "alone_difference": n_alone - len(rule.alone),
            "jaccard_rule": overlap,
            "jaccard_ceiling": ceiling,
            "below_ceiling": ceiling - overlap,
            **ranked,
            "jaccard_greedy": jaccard(present, chosen),
            "n_kept_greedy": chosen.sum(),
            "jaccard_linear": jaccard(present, most_valuable(importance, probability, models.n_hidden)),
            "same_features": (present == rule.is_kept).all(axis=1),
            "loss_share_rule": rule.loss_share,
            "loss_share_trained": loss_share,
            "loss_ratio": loss_share / rule.loss_share if rule.cost > 0 else np.nan,
            "polygon_share": odd.sum(axis=1) / np.maximum(n_kept, 1),
            "pentagon_gain": gain,
            "pairs_suffice": gain == 0.0,
            "is_best": np.arange(len(models)) == models.loss.argmin(),
            "mean_probability": probability.mean(),
            "largest_probability": probability.max(),
        }
    )
