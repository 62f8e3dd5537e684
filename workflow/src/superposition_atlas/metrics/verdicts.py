"""One rule for every verdict, whose words mean the same at every number of seeds.

What an observation is about is θ, the share of all toy models (all seeds, not those trained) that show it.
Four regions of θ are fixed beforehand. The verdict names every region that an exact confidence interval of θ
meets: one if the sample decides, two or more between which it can't. A claim is *supported* if all of them
have what its words require, *contradicted* if none has, else *open*. A small sample is vague where a large
one is clear; at the same share its verdict always contains the larger sample's.

Comparisons of two cases follow the same rule: the interval is of the mean paired difference, and the regions
are smaller, alike and larger, alike being within a smallest difference of interest that is fixed beforehand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from superposition_atlas.metrics.intervals import CONFIDENCE, exact_interval, tail_of

State = Literal["supported", "contradicted", "open"]

SHARE_REGIONS = ("never", "seldom", "mostly", "always")
"""[0, .05], (.05, .5), [.5, .95) and [.95, 1] of all toy models."""
NEVER, HALF, ALWAYS = 0.05, 0.5, 0.95

DIFFERENCE_REGIONS = ("smaller", "alike", "larger")
"""Below -δ, within [-δ, δ], above δ, the smallest difference of interest."""
FEATURE_DIFFERENCE = 0.25
"""Smallest difference of interest between numbers of features."""
NORM_DIFFERENCE = 0.01
"""Smallest difference of interest between norms ‖W‖_F, as a share of the norm."""

REQUIREMENTS: dict[str, frozenset[str]] = {
    **{region: frozenset([region]) for region in (*SHARE_REGIONS, *DIFFERENCE_REGIONS)},
    "at most seldom": frozenset(["never", "seldom"]),
    "at least mostly": frozenset(["mostly", "always"]),
    "not smaller": frozenset(["alike", "larger"]),
    "not larger": frozenset(["smaller", "alike"]),
}
"""Requirements that the words of a claim can express, and the regions that meet each."""


@dataclass(frozen=True)
class Verdict:
    """An interval and the regions that it meets."""

    low: float
    high: float
    regions: tuple[str, ...]
    """Neighbours, in ascending order."""
    n_regions: int
    """How many there are: a verdict that names all of them says nothing."""

    @property
    def is_decided(self) -> bool:
        """Whether one region holds the whole interval."""
        return len(self.regions) == 1

    def __str__(self) -> str:
        if len(self.regions) == self.n_regions:
            return "not known"
        if len(self.regions) > 2:
            return f"{self.regions[0]} to {self.regions[-1]}"
        return " or ".join(self.regions)

    def of_claim(self, requirement: str) -> State:
        """Whether a claim that requires this of θ, or of a difference, is supported, contradicted or open.

        Raises:
            ValueError: if REQUIREMENTS does not have it.
        """
        if requirement not in REQUIREMENTS:
            raise ValueError(f"a claim requires {requirement!r}: must be {', '.join(REQUIREMENTS)}")
        allowed = [region in REQUIREMENTS[requirement] for region in self.regions]
        if all(allowed):
            return "supported"
        return "open" if any(allowed) else "contradicted"


def share_verdict(
    n_holding: float, n_models: float, n_tests: int = 1, confidence: float = CONFIDENCE
) -> Verdict:
    """The verdict on the share of toy models that show an observation.

    Args:
        n_holding: toy models that show it.
        n_models: distinct toy models, whose seeds are independent; if they are not, the number of independent
            ones that would say as much, see `metrics.clusters`.
        n_tests: distinct tests of the report that the interval is simultaneous over (Bonferroni, which holds
            also where tests share seeds).
        confidence: probability that all of them hold their θ.

    Raises:
        ValueError: if these are no such numbers.
    """
    low, high = exact_interval(n_holding, n_models, n_tests, confidence)
    meets = (low <= NEVER, low < HALF and high > NEVER, low < ALWAYS and high >= HALF, high >= ALWAYS)
    return Verdict(low, high, _met(SHARE_REGIONS, meets), len(SHARE_REGIONS))


def difference_verdict(
    differences: Float[np.ndarray, " pair"],
    smallest: float,
    n_tests: int = 1,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """The verdict on a mean paired difference: smaller, alike or larger.

    Args:
        differences: one for each pair: value of the case minus value of the other, at the same seed.
        smallest: smallest difference of interest, above 0.
        n_tests: as of `share_verdict`.
        confidence: as of `share_verdict`.

    Raises:
        ValueError: if these are no such numbers.
    """
    low, high = difference_interval(differences, smallest, n_tests, confidence)
    meets = (low < -smallest, low <= smallest and high >= -smallest, high > smallest)
    return Verdict(low, high, _met(DIFFERENCE_REGIONS, meets), len(DIFFERENCE_REGIONS))


def difference_interval(
    differences: Float[np.ndarray, " pair"],
    smallest: float,
    n_tests: int = 1,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Student's interval of a mean difference, simultaneous over `n_tests`; infinite for a single pair.

    To the sum of squares one square of the smallest difference of interest is added: counts of features are
    often equal in every pair of a small sample, which does not mean that they always are.

    Args and errors as those of `difference_verdict`.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"differences have shape {values.shape}: must be finite numbers, one a pair")
    if not 0 < smallest < np.inf:
        raise ValueError(f"the smallest difference of interest is {smallest}: must be above 0")
    tail, n_pairs = tail_of(n_tests, confidence), len(values)
    if n_pairs == 1:
        return -np.inf, np.inf
    mean = values.mean()
    variance = (((values - mean) ** 2).sum() + smallest**2) / (n_pairs - 1)
    half = stdtrit(n_pairs - 1, 1.0 - tail) * np.sqrt(variance / n_pairs)
    return float(mean - half), float(mean + half)


def models_for_always(n_tests: int = 1, confidence: float = CONFIDENCE) -> int:
    """How many toy models without an exception it takes for the verdict always (or never)."""
    return ceil(log(tail_of(n_tests, confidence)) / log(ALWAYS))


def without_exception(n_holding: int, n_models: int, n_fresh: int = 8) -> float:
    """θ^8: the chance that eight fresh seeds show an observation without exception, estimated without bias.

    It is the share of all sets of `n_fresh` of the toy models that show it throughout; NaN if there are fewer
    than `n_fresh`. An interval of θ, to the power of `n_fresh`, is one of this.

    Raises:
        ValueError: if these are no such numbers.
    """
    if not 0 <= n_holding <= n_models or n_fresh < 1:
        raise ValueError(f"{n_holding} of {n_models}, {n_fresh} fresh seeds: no such numbers")
    if n_models < n_fresh:
        return float("nan")
    taken = np.arange(n_fresh)
    return float(np.prod(np.maximum(n_holding - taken, 0) / (n_models - taken)))


def _met(regions: Iterable[str], meets: Iterable[bool]) -> tuple[str, ...]:
    return tuple(region for region, met in zip(regions, meets, strict=True) if met)
