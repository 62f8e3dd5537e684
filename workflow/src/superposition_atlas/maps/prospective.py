"""The prospective test: the matching, made before any training, against toy models on random schedules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.intervals import t_interval
from superposition_atlas.metrics.agreement import jaccard, mean_jaccard_with_others
from superposition_atlas.metrics.features import dedicated, dimensionality, represented
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.random_schedules import RandomSchedule
from superposition_atlas.theory.rankings import RANKINGS, most_valuable
from superposition_atlas.toy_model import ToyModels, TrainingSettings
from superposition_atlas.training.kept import train_new

MEASURES = (
    "jaccard_rule",
    "jaccard_ceiling",
    "below_ceiling",
    *(f"jaccard_{name}" for name in RANKINGS),
    *(f"jaccard_{name}_at_rule" for name in RANKINGS),
    "jaccard_linear",
    "n_kept_rule",
    "n_kept_trained",
    "n_alone_rule",
    "n_alone_trained",
    "kept_difference",
    "alone_difference",
    "same_features",
    "polygon_share",
    "pentagon_gain",
    "loss_ratio",
    "loss_share_rule",
    "loss_share_trained",
)
"""Columns of `comparison` that `summary` gives means of."""

PAIR_TOLERANCE = 0.05
"""D_i of a feature in a pair is within this of 1/2."""


def train_random(
    schedules: Sequence[RandomSchedule],
    n_hidden: int,
    n_seeds: int,
    settings: TrainingSettings | None = None,
    *,
    folder: Path | None = None,
    first_seed: int = 0,
    **options: Any,
) -> ToyModels:
    """Trains toy models on random schedules, `n_seeds` on each, in their order.

    Args:
        schedules: of one number of features.
        n_hidden: m.
        n_seeds: number of toy models on each.
        settings: of training; None takes the defaults.
        folder: where toy models are kept for the next time, see `train_new`.
        first_seed: how many of each schedule's seeds are left out.
        options: engine, device, threads and checkpoint, as of `train`.

    Raises:
        TrainingError: as `train`.
        ArtefactError: if a new toy model can't be written to the folder.
    """
    seeds = [
        seed for schedule in schedules for seed in schedule.training_seeds(first_seed + n_seeds)[first_seed:]
    ]
    return train_new(
        np.repeat([schedule.importance for schedule in schedules], n_seeds, axis=0),
        np.repeat([schedule.probability for schedule in schedules], n_seeds, axis=0),
        n_hidden,
        np.array(seeds, dtype=np.uint64),
        settings or TrainingSettings(),
        folder=folder,
        **options,
    )


def comparison(schedules: Sequence[RandomSchedule], models: ToyModels) -> pd.DataFrame:
    """One row a toy model: the rule's numbers and its own, and what they have in common.

    Args:
        schedules: all of one size.
        models: an equal number for each, in the order of the schedules.

    Returns:
        schedule, family, importance_family, n_features, n_hidden, seed; kept and alone features of the rule
        and of the toy model (`n_kept_*`, `n_alone_*`, and the differences trained - rule); Jaccard overlaps
        of the toy model's represented features with the rule's (`jaccard_rule`), with those of the other toy
        models on its schedule (`jaccard_ceiling`; `below_ceiling` is the difference), with the first features
        of an order, their number being the toy model's (`jaccard_importance`, ...) or the rule's
        (`jaccard_importance_at_rule`, ...), and with a linear model's (`jaccard_linear`); `same_features` as
        the rule; losses as shares of the loss of representing nothing, and `loss_ratio`, trained over the
        rule's; `polygon_share`, the share of represented features that are neither alone (D_i > .9) nor in a
        pair (D_i = 1/2 ± .05); `pentagon_gain` and `pairs_suffice`, whether that is 0, both known before any
        training; `is_best`, the lowest loss on its schedule; mean and largest probability.

    Raises:
        ValueError: if the numbers of schedules and toy models do not fit.
    """
    n_seeds, rest = divmod(len(models), max(len(schedules), 1))
    if not n_seeds or rest:
        raise ValueError(f"{len(models)} toy models for {len(schedules)} schedules: must be as many for each")
    frames = [
        _of_one(schedule, models.select(slice(k * n_seeds, (k + 1) * n_seeds)))
        for k, schedule in enumerate(schedules)
    ]
    return pd.concat(frames, ignore_index=True)


def _of_one(schedule: RandomSchedule, models: ToyModels) -> pd.DataFrame:
    importance, probability = schedule.importance, schedule.probability
    rule = match(importance, probability, models.n_hidden)
    W = models.W.astype(np.float64)
    there, alone = represented(W), dedicated(W)
    n_kept, n_alone, D = there.sum(axis=1), alone.sum(axis=1), dimensionality(W)
    ranked = {}
    for name, first_of in RANKINGS.items():
        own = np.array([first_of(importance, probability, n) for n in n_kept])
        ranked[f"jaccard_{name}"] = jaccard(there, own)
        ranked[f"jaccard_{name}_at_rule"] = jaccard(there, first_of(importance, probability, len(rule.kept)))
    odd = there & ~alone & (np.abs(D - 0.5) > PAIR_TOLERANCE)
    nothing = rule.cost + rule.saved
    gain = pentagon_gain(importance, probability, rule)
    loss_share = models.loss * models.n_features / nothing
    overlap, ceiling = jaccard(there, rule.is_kept), mean_jaccard_with_others(there)
    return pd.DataFrame(
        {
            "schedule": schedule.index,
            "family": schedule.family,
            "importance_family": schedule.importance_family,
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
            "jaccard_linear": jaccard(there, most_valuable(importance, probability, models.n_hidden)),
            "same_features": (there == rule.is_kept).all(axis=1),
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


def summary(table: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Means over schedules of each measure, with intervals over schedules.

    Toy models on one schedule are a cluster: each schedule counts once, with its mean.

    Args:
        table: of `comparison`, of one size or more.
        by: columns to group by beside the size, such as family.

    Returns:
        n_features, n_hidden, the columns of `by`, measure, mean, ci_low, ci_high (Student's, 95 %; NaN for
        one schedule), n_schedules, n_models.
    """
    keys = ["n_features", "n_hidden", *by]
    rows = []
    for group, members in table.groupby(keys, sort=True):
        each = members.groupby("schedule")[list(MEASURES)].mean()
        for measure in MEASURES:
            values = each[measure].dropna().to_numpy(dtype=np.float64)
            low, high = t_interval(values)
            mean = values.mean() if len(values) else np.nan
            rows.append((*group, measure, mean, low, high, len(values), len(members)))
    names = [*keys, "measure", "mean", "ci_low", "ci_high", "n_schedules", "n_models"]
    return pd.DataFrame(rows, columns=names)


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """`summary` of all schedules, of those where pairs suffice, and of those where a pentagon pays.

    Returns:
        The columns of `summary`, after a column `schedules`: all, pairs suffice, a pentagon pays.
    """
    parts = {
        "all": table,
        "pairs suffice": table[table["pairs_suffice"]],
        "a pentagon pays": table[~table["pairs_suffice"]],
    }
    frames = [summary(part).assign(schedules=name) for name, part in parts.items() if len(part)]
    joined = pd.concat(frames, ignore_index=True)
    return joined[["schedules", *joined.columns.drop("schedules")]]
