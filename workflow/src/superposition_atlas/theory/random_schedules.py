"""Random non-uniform schedules on which rules are tested: statements "in general" come from these.

The generator is frozen: what schedule k of n features is depends on n and k alone and never changes, so that
nobody can choose schedules that suit a rule. Another distribution is another generator, under another seed.

Distribution, all draws independent:
    probability   one of six families, equally likely, between `low` and `high`; `high` is log-uniform on
                  [0.1, 1], `high / low` log-uniform on [3, 50]. geometric, linear and zipf fall from high to
                  low; log_uniform and random_uniform are drawn feature by feature; two_levels has a share
                  (uniform on [0.1, 0.9], at least one feature of either level) at `high`, the rest at `low`.
                  A random order of all features follows.
    importance    one of three families, equally likely: equal (all 1); geometric, from 1 to 1 / fall, fall
                  log-uniform on [1.5, n²]; random_uniform, feature by feature on [0.05, 1].
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from superposition_atlas.sampling import stream
from superposition_atlas.schedules import geometric_values, linear_values, zipf_values
from superposition_atlas.theory.structures import PerFeature

FAMILIES = ("geometric", "linear", "zipf", "log_uniform", "random_uniform", "two_levels")
IMPORTANCE_FAMILIES = ("equal", "geometric", "random_uniform")
HIGH = (0.1, 1.0)
"""Range of the largest probability."""
STEEPNESS = (3.0, 50.0)
"""Range of the largest probability over the smallest."""
IMPORTANCES = (0.05, 1.0)
"""Range of importances that are drawn feature by feature."""
LEAST_FALL = 1.5
"""First over last importance of a geometric family at the least; n² at the most."""
SHARES = (0.1, 0.9)
"""Range of the share of frequent features where there are two levels."""

_SEED = 15_2026
"""Seed of the generator. Only it uses the purpose and steps below: maps draw from steps 1 to 4."""
_CHOICES, _PROBABILITY, _IMPORTANCE, _ORDER = 101, 102, 103, 104
_SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class RandomSchedule:
    """One schedule of the generator."""

    index: int
    family: str
    importance_family: str
    importance: PerFeature
    probability: PerFeature

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return len(self.probability)

    def training_seeds(self, n_seeds: int) -> list[int]:
        """Seeds of toy models on it: no two schedules share one, and neither does anything else."""
        return [(self.n_features << 48) + ((self.index + 1) << 16) + k for k in range(n_seeds)]


def random_schedules(n_features: int, count: int, first: int = 0) -> Iterator[RandomSchedule]:
    """Schedules `first` to `first + count - 1` of the frozen generator for n features.

    Args:
        n_features: n, at least 2.
        count: how many.
        first: index of the first.

    Raises:
        ValueError: if there are fewer than two features, or an index is out of its range.
    """
    if n_features < 2 or first < 0 or first + count >= 2**32:
        raise ValueError(f"no schedules {first} to {first + count - 1} of {n_features} features")
    seed = (n_features << 32) + _SEED
    end = first + count
    choices, probability, importance, order = (
        stream.uniform([seed], step, end, width, stream.Purpose.SCHEDULE)[0]
        for step, width in (
            (_CHOICES, 6),
            (_PROBABILITY, n_features),
            (_IMPORTANCE, n_features),
            (_ORDER, n_features),
        )
    )
    for index in range(first, end):
        family_draw, high_draw, steepness_draw, share_draw, importance_draw, fall_draw = choices[index]
        family = FAMILIES[int(family_draw * len(FAMILIES))]
        importance_family = IMPORTANCE_FAMILIES[int(importance_draw * len(IMPORTANCE_FAMILIES))]
        high = _log_between(HIGH, high_draw)
        low = high / _log_between(STEEPNESS, steepness_draw)
        share = SHARES[0] + (SHARES[1] - SHARES[0]) * share_draw
        values = _probabilities(family, low, high, share, probability[index])
        fall = _log_between((LEAST_FALL, n_features**2), fall_draw)
        yield RandomSchedule(
            index,
            family,
            importance_family,
            _rounded(_importances(importance_family, fall, importance[index])),
            _rounded(values[np.argsort(order[index], kind="stable")]),
        )


def _probabilities(
    family: str, low: float, high: float, share: float, draws: Float[np.ndarray, " feature"]
) -> PerFeature:
    n_features = len(draws)
    if family == "geometric":
        return geometric_values(n_features, high, low)
    if family == "linear":
        return linear_values(n_features, high, low)
    if family == "zipf":
        return zipf_values(n_features, high, np.log(high / low) / np.log(n_features))
    if family == "log_uniform":
        return np.asarray(low * (high / low) ** draws)
    if family == "random_uniform":
        return np.asarray(low + (high - low) * draws)
    n_frequent = int(np.clip(round(share * n_features), 1, n_features - 1))
    return np.where(np.arange(n_features) < n_frequent, high, low)


def _importances(family: str, fall: float, draws: Float[np.ndarray, " feature"]) -> PerFeature:
    if family == "equal":
        return np.ones(len(draws))
    if family == "geometric":
        return geometric_values(len(draws), 1.0, 1.0 / fall)
    return np.asarray(IMPORTANCES[0] + (IMPORTANCES[1] - IMPORTANCES[0]) * draws)


def _log_between(ends: tuple[float, float], draw: float) -> float:
    return float(ends[0] * (ends[1] / ends[0]) ** draw)


def _rounded(values: PerFeature) -> PerFeature:
    """Without the last bits, in which processors differ."""
    return np.array([float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for value in values])
