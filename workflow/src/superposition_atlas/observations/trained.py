"""An experiment's toy models by schedule: cases that are one schedule up to relabelling are one entry."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Integer

from superposition_atlas.observations.measured import Measured
from superposition_atlas.observations.scopes import PerFeature, schedule_key

_KEY_DIGITS = 16


@dataclass(frozen=True)
class Trained:
    """The distinct toy models of one schedule, size and way of training."""

    cases: tuple[str, ...]
    """Names of the cases with this schedule."""
    key: str
    """A hash of schedule, size and training, the same for schedules that differ in the order of features."""
    importance: PerFeature
    """[variant, feature]; one variant unless densities differ between seeds."""
    probability: PerFeature
    seeds: Integer[np.ndarray, " model"]
    shown: Bool[np.ndarray, " model"]
    """Whether figures show the toy model."""
    models: Measured

    @property
    def case(self) -> str:
        """The cases in one string."""
        return ", ".join(self.cases)

    @property
    def is_one_schedule(self) -> bool:
        """Whether all toy models have the same schedule."""
        return len(self.probability) == 1

    @property
    def n_hidden(self) -> int:
        """Hidden dimension, m."""
        return self.models.W.shape[1]

    def only(self, chosen: Bool[np.ndarray, " model"]) -> "Trained":
        """Some of the toy models."""
        return Trained(
            self.cases,
            self.key,
            self.importance,
            self.probability,
            self.seeds[chosen],
            self.shown[chosen],
            self.models.only(chosen),
        )


def by_schedule(features: pd.DataFrame, trainings: Mapping[str, Mapping[str, Any]]) -> list[Trained]:
    """The toy models of an experiment, an entry for each distinct schedule and training.

    Args:
        features: the experiment's table of features, whose rows may be in any order.
        trainings: settings of training by case; a case that is missing has none of its own.
    """
    found: dict[str, Trained] = {}
    for name, rows in features.groupby("case", sort=False):
        own = _of_case(str(name), rows, trainings.get(str(name), {}))
        before = found.get(own.key)
        found[own.key] = own if before is None else _joined(before, own)
    return list(found.values())


def _of_case(case: str, rows: pd.DataFrame, training: Mapping[str, Any]) -> Trained:
    rows = rows.sort_values(["seed", "feature"])
    n_seeds = rows["seed"].nunique()

    def column(name: str) -> np.ndarray:
        return rows[name].to_numpy().reshape(n_seeds, -1)

    weights = np.stack(rows["weights"].to_list()).astype(np.float64)
    W = weights.reshape(n_seeds, -1, weights.shape[-1]).swapaxes(1, 2)
    models = Measured(
        importance=column("importance"),
        probability=column("probability"),
        norm=column("norm"),
        dimensionality=column("dimensionality"),
        W=W,
    )
    variants = np.unique(np.concatenate([models.importance, models.probability], axis=1), axis=0)
    importance, probability = np.split(variants, 2, axis=1)
    schedules = sorted(schedule_key(*pair) for pair in zip(importance, probability, strict=True))
    content = json.dumps([W.shape[1], schedules, dict(training)], sort_keys=True)
    return Trained(
        cases=(case,),
        key=hashlib.sha256(content.encode()).hexdigest()[:_KEY_DIGITS],
        importance=importance,
        probability=probability,
        seeds=column("seed")[:, 0],
        shown=column("shown")[:, 0].astype(bool),
        models=models,
    )


def _joined(one: Trained, other: Trained) -> Trained:
    """The toy models of both, those that are the same training once."""
    known = set(_trainings(one))
    fresh = other.only(np.array([training not in known for training in _trainings(other)], dtype=bool))
    return Trained(
        cases=(*one.cases, *other.cases),
        key=one.key,
        importance=one.importance,
        probability=one.probability,
        seeds=np.concatenate([one.seeds, fresh.seeds]),
        shown=np.concatenate([one.shown, fresh.shown]),
        models=one.models.beside(fresh.models),
    )


def _trainings(trained: Trained) -> list[tuple[int, bytes]]:
    """Seed and schedule of each toy model, its features in their order: what its training depends on."""
    models = trained.models
    values = np.concatenate([models.importance, models.probability], axis=1)
    return [(int(seed), row.tobytes()) for seed, row in zip(trained.seeds, values, strict=True)]
