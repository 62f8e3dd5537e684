"""Shares and means of toy models as words with intervals, and the verdicts that follow from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from superposition_atlas.metrics.intervals import exact_interval, t_interval
from superposition_atlas.metrics.verdicts import State, difference_verdict, share_verdict
from superposition_atlas.report.phrases import fixed, of, percent


@dataclass(frozen=True)
class Share:
    """How many of some toy models show what a statement is about."""

    n_holding: int
    n: int
    n_tests: int = 1
    """Tests of which this is the most favourable; the interval is simultaneous over them."""
    unit: str = ""
    """What is counted, in the plural, where it is not toy models."""

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval."""
        return exact_interval(self.n_holding, self.n, self.n_tests)

    def verdict(self, requirement: str = "at least mostly") -> State:
        """The verdict on a statement that requires this of all toy models, see `metrics.verdicts`."""
        return share_verdict(self.n_holding, self.n, self.n_tests).of_claim(requirement)

    def __str__(self) -> str:
        low, high = self.interval
        unit = f" {self.unit}" if self.unit else ""
        return f"{of(self.n_holding, self.n)}{unit} (95\u202f%: {percent(low)} to {percent(high)})"


def shares_of(holds: ArrayLike, n_tests: int = 1, unit: str = "") -> Share:
    """The share of those that hold, from truth values; see `Share`."""
    values = np.asarray(holds, dtype=bool)
    return Share(int(values.sum()), len(values), n_tests, unit)


@dataclass(frozen=True)
class Average:
    """A mean over toy models with Student's 95 % interval."""

    mean: float
    low: float
    high: float

    def words(self, digits: int = 2) -> str:
        """`0.45 (0.32 to 0.57)`; without an interval where all values are alike."""
        first, low, high = (fixed(value, digits) for value in (self.mean, self.low, self.high))
        return first if low in (high, "–") else f"{first} ({low} to {high})"


def average_of(values: Float[np.ndarray, " model"]) -> Average:
    """The mean of what is known of some toy models."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return Average(np.nan, np.nan, np.nan)
    return Average(float(known.mean()), *t_interval(known))


def difference_of(
    values: Float[np.ndarray, " model"],
    control: Float[np.ndarray, " model"],
    smallest: float,
    requirement: str,
) -> tuple[Average, State]:
    """The mean paired difference to a control, and the verdict of a statement that requires this of it.

    Args:
        values: one for each toy model.
        control: of the toy model of the same seed.
        smallest: smallest difference of interest.
        requirement: one of `metrics.verdicts.REQUIREMENTS`.
    """
    differences = np.asarray(values, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return average_of(differences), "open"
    return average_of(differences), difference_verdict(differences, smallest).of_claim(requirement)
