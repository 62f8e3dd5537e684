"""The prospective test: the matching, made before any training, against toy models on random schedules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.maps.matchings import compared
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.random_schedules import RandomSchedule
from superposition_atlas.theory.rankings import RANKINGS
from superposition_atlas.toy_model import ToyModels, TrainingSettings
from superposition_atlas.training.trained_before import train_new

MEASURES = (
    "jaccard_rule",
    "jaccard_ceiling",
    "below_ceiling",
    *(f"jaccard_{name}" for name in RANKINGS),
    *(f"jaccard_{name}_at_rule" for name in RANKINGS),
    "jaccard_greedy",
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
    """One row a toy model on random schedules: rule and toy model compared.

    Args:
        schedules: all of one size.
        models: an equal number for each, in the order of the schedules.

    Returns:
        schedule (index), family, importance_family, and the columns of `compared`.

    Raises:
        ValueError: if the numbers of schedules and toy models do not fit.
    """
    n_seeds, rest = divmod(len(models), max(len(schedules), 1))
    if not n_seeds or rest:
        raise ValueError(f"{len(models)} toy models for {len(schedules)} schedules: must be as many for each")
    frames = []
    for k, schedule in enumerate(schedules):
        trained = models.select(slice(k * n_seeds, (k + 1) * n_seeds))
        drawn = schedule.importance, schedule.probability
        rule = match(*drawn, models.n_hidden)
        frame = compared(*drawn, rule, pentagon_gain(*drawn, rule), trained)
        frame.insert(0, "schedule", schedule.index)
        frame.insert(1, "family", schedule.family)
        frame.insert(2, "importance_family", schedule.importance_family)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


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
