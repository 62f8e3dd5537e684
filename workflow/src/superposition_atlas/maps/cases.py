"""Coordinates of the talk's cases on a map."""

from collections.abc import Iterable

import numpy as np

from superposition_atlas.config import Case, Experiment, Map
from superposition_atlas.maps.points import points_of

_TOLERANCE = 1e-9
"""Relative; points are rounded to 12 significant digits."""


def cases_at(map_: Map, experiments: Iterable[Experiment]) -> dict[str, str]:
    """Names of the cases whose schedule is a point of the map, apart by spaces, by the key of that point.

    The cases are those of experiments of the map's size on which the talk's observations are tested. Cases of
    uniform sparsity are not among them: they are controls.
    """
    points = points_of(map_)
    importance, probability = (
        np.stack([getattr(point, name) for point in points]) for name in ("importance", "probability")
    )
    names: dict[str, list[str]] = {}
    for experiment in experiments:
        same_size = (experiment.n_features, experiment.n_hidden) == (map_.n_features, map_.n_hidden)
        for case in experiment.cases.values() if same_size and experiment.claims else ():
            if not _is_a_scenario(case):
                continue
            p = case.probability[0]
            if np.ptp(case.importance[0]) == 0:
                p = np.sort(p)[::-1]  # one schedule, up to the names of the features
            there = np.isclose(importance, case.importance[0], _TOLERANCE, 0).all(axis=1)
            there &= np.isclose(probability, p, _TOLERANCE, 0).all(axis=1)
            for place in np.flatnonzero(there):
                names.setdefault(points[place].key, []).append(case.name)
    return {key: " ".join(sorted(set(found))) for key, found in names.items()}


def _is_a_scenario(case: Case) -> bool:
    """Whether all its toy models have one schedule, in which sparsity differs."""
    return len(case.importance) == len(case.probability) == 1 and np.ptp(case.probability[0]) > 0
