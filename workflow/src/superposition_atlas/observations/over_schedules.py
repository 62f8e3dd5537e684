"""An observation over the schedules of a map: what the schedules that it is about answer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.clusters import clustered_verdict
from superposition_atlas.metrics.verdicts import Verdict, difference_verdict
from superposition_atlas.observations.definitions import OBSERVATIONS, Observation, is_about
from superposition_atlas.observations.scopes import PerFeature

JUDGED = tuple(own for own in OBSERVATIONS if own.is_judged and not own.is_control)
"""Observations of the talk and its post that get a verdict."""

ANSWERS = tuple(
    dict.fromkeys(
        question.__name__
        for observation in JUDGED
        for question in (observation.question, observation.whole)
        if question is not None
    )
)
"""Columns with answers, of toy models; with `best_` in front, of the best solution."""


@dataclass(frozen=True)
class Map:
    """Tables of a map, of one way of training."""

    points: pd.DataFrame
    """key, observations and `best_` columns; of random schedules also index, the number of the draw."""
    schedules: pd.DataFrame
    """key, feature, importance, probability."""
    models: pd.DataFrame
    """key, seed (of training: the same number at two schedules is the same stream), ANSWERS."""

    def best(self) -> pd.DataFrame:
        """The best solutions, in the columns of `models`; no two share a seed, since they have none."""
        names = {f"best_{name}": name for name in ANSWERS}
        best = self.points.drop_duplicates("key").rename(columns=names)
        best = best[["key", *ANSWERS]].dropna()
        return best.assign(seed=np.arange(len(best)))

    def arrays(self) -> tuple[list[str], PerFeature, PerFeature]:
        """Key, importance and probability of each schedule."""
        rows = self.schedules.drop_duplicates(["key", "feature"]).sort_values(["key", "feature"])
        keys = rows["key"].unique().tolist()
        importance, probability = (
            rows[name].to_numpy().reshape(len(keys), -1) for name in ("importance", "probability")
        )
        return keys, importance, probability


@dataclass(frozen=True)
class Answers:
    """Answers of toy models, or of best solutions, at the schedules that an observation is about."""

    part: Float[np.ndarray, " case"]
    """1 or 0; or numbers of features; or, of a comparison, a difference for each schedule."""
    whole: Float[np.ndarray, " case"]
    keys: np.ndarray
    seeds: np.ndarray

    @property
    def value(self) -> float:
        """Share, or mean difference; NaN without any answer."""
        return float(self.part.sum() / self.whole.sum()) if self.whole.sum() > 0 else np.nan

    @property
    def n_schedules(self) -> int:
        """Number of schedules."""
        return len(np.unique(self.keys))

    def verdict(self, observation: Observation, n_tests: int) -> Verdict | None:
        """The verdict on all schedules, of which these are a sample; None without answers.

        Toy models of one schedule, or of one seed, do not count as independent.
        """
        if not self.whole.sum() > 0:
            return None
        if observation.kind == "difference":
            return difference_verdict(self.part, observation.smallest, n_tests)
        return clustered_verdict(self.part, self.whole, [_codes(self.keys), _codes(self.seeds)], n_tests)


def answers_on(observation: Observation, map_: Map, table: pd.DataFrame) -> Answers:
    """What toy models or best solutions of a map answer at the schedules that an observation is about.

    A random draw that is taken in more than one order counts once, in the first that it is about.

    Args:
        observation: one of JUDGED.
        map_: the map.
        table: its models, or `Map.best`.
    """
    points = map_.points[map_.points["observations"].map(lambda names: is_about(names, observation.name))]
    about = set(points.drop_duplicates("index" if "index" in points else "key")["key"])
    if observation.kind == "difference":
        differences = dict(_differences(observation, map_, table, about))
        part = np.array(list(differences.values()), dtype=float)
        return Answers(part, np.ones(len(part)), np.array(list(differences), dtype=str), np.arange(len(part)))
    own = table[table["key"].isin(about)]
    whole = np.ones(len(own))
    if observation.whole is not None:
        whole = own[observation.whole.__name__].to_numpy(dtype=float)
    part = own[observation.column].to_numpy(dtype=float)
    return Answers(part, whole, own["key"].to_numpy(dtype=str), own["seed"].to_numpy())


def _differences(
    observation: Observation, map_: Map, table: pd.DataFrame, about: set[str]
) -> Iterator[tuple[str, float]]:
    """For each schedule its mean over seeds minus that of its rivals, a mean over these."""
    assert observation.rivals is not None
    values = table.groupby("key")[observation.column].mean().to_dict()
    keys, importance, probability = map_.arrays()
    for row, key in enumerate(keys):
        if key not in about or key not in values:
            continue
        is_rival = observation.rivals(importance[[row]], probability[[row]], importance, probability)
        theirs = [values[keys[k]] for k in np.flatnonzero(is_rival) if keys[k] in values]
        if theirs:
            difference = values[key] - np.mean(theirs)
            yield key, float(difference / np.mean(theirs) if observation.is_relative else difference)


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]
