"""Schedules: how important each feature is and how often it is active.

Every family of a configuration is a function of the same name and the same arguments, and returns a schedule
with these probabilities. Importance is a ratio between neighbours, one value a feature, or a family.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.ensemble import html
from superposition_atlas.errors import ArgumentError
from superposition_atlas.families import FAMILIES as FAMILIES
from superposition_atlas.families import SERIES as SERIES
from superposition_atlas.families import Spec as Spec
from superposition_atlas.families import Values as Values
from superposition_atlas.families import constant_values as constant_values
from superposition_atlas.families import explicit_values as explicit_values
from superposition_atlas.families import feature_count
from superposition_atlas.families import geometric_values as geometric_values
from superposition_atlas.families import linear_values as linear_values
from superposition_atlas.families import log_uniform_values as log_uniform_values
from superposition_atlas.families import permuted as permuted
from superposition_atlas.families import random_uniform_values as random_uniform_values
from superposition_atlas.families import values as values
from superposition_atlas.families import zipf_values as zipf_values

if TYPE_CHECKING:
    from superposition_atlas.toy_model import ToyModels

_LONGEST_REPR = 5
"""Values that a schedule's repr has of each kind at most."""


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """Importance I_i ≥ 0 and probability 0 < p_i ≤ 1 of each feature; sparsity is S_i = 1 - p_i.

    Both arrays are float64, [feature] or, where instances differ, [instance, feature]. Lists, tensors and
    columns of pandas are taken too.

    Raises:
        ArgumentError: if the shapes differ or a value is out of its range.
    """

    importance: Float[np.ndarray, "*instance feature"]
    probability: Float[np.ndarray, "*instance feature"]

    def __post_init__(self) -> None:
        allowed = "[feature] or [instance, feature]"
        importance = arguments.numbers("importance", self.importance, allowed, ndim=(1, 2), least=0)
        probability = arguments.numbers(
            "probability", self.probability, allowed, ndim=(1, 2), above=0, most=1
        )
        if importance.shape[-1] != probability.shape[-1]:
            raise ArgumentError(
                f"importance has {importance.shape[-1]} features, probability {probability.shape[-1]}: must "
                "be as many"
            )
        if importance.ndim == probability.ndim == 2 and len(importance) != len(probability):
            raise ArgumentError(
                f"importance has {len(importance)} rows, probability {len(probability)}: must be as many"
            )
        object.__setattr__(self, "importance", importance)
        object.__setattr__(self, "probability", probability)

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.probability.shape[-1]

    @property
    def n_instances(self) -> int | None:
        """Number of instances that the schedule has rows for, or None where all share one row."""
        for array in (self.importance, self.probability):
            if array.ndim == 2:
                return len(array)
        return None

    @property
    def sparsity(self) -> Float[np.ndarray, "*instance feature"]:
        """S_i = 1 - p_i."""
        return 1.0 - self.probability

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return np.array_equal(self.importance, other.importance) and np.array_equal(
            self.probability, other.probability
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        rows = "" if self.n_instances is None else f"{self.n_instances} instances, "
        parts = [f"{name} {_in_short(getattr(self, name))}" for name in ("importance", "probability")]
        return f"Schedule({rows}{self.n_features} features, {', '.join(parts)})"

    def _repr_html_(self) -> str:
        return html("schedule", self)


def _in_short(values: Float[np.ndarray, "*instance feature"]) -> str:
    if values.ndim == 1 and len(values) <= _LONGEST_REPR:
        return f"[{', '.join(f'{value:.4g}' for value in values)}]"
    return f"{values.min():.4g} to {values.max():.4g}"


def as_schedule(value: Any, name: str = "schedule") -> Schedule:
    """A schedule from any object that is or has one.

    Args:
        value: a `Schedule`, `ToyModels` (or anything else with `importance` and `probability`; rows that are
            all the same become one), or a pair of arrays, importance and probability.
        name: of the argument.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(value, Schedule):
        return value
    allowed = "a Schedule, as sa.schedules makes them, ToyModels, or a pair (importance, probability)"
    if hasattr(value, "importance") and hasattr(value, "probability"):
        if len(value.importance) == 0:
            raise ArgumentError(f"{name} has no toy models: must be {allowed}")
        return Schedule(_one_if_same(value.importance), _one_if_same(value.probability))
    if isinstance(value, tuple | list) and len(value) == 2 and not np.isscalar(value[0]):
        try:
            return Schedule(value[0], value[1])
        except ArgumentError as error:
            raise type(error)(f"{name}: {error}") from None
    raise arguments.wrong_type(name, value, allowed)


def one_schedule(
    importance: "Schedule | ToyModels | Float[np.ndarray, ' feature'] | Sequence[float]",
    probability: "Float[np.ndarray, ' feature'] | Sequence[float] | None" = None,
    n_hidden: int | None = None,
) -> tuple[Values, Values, int]:
    """The arguments of a function that is about one schedule: importance, probability and n_hidden.

    Args:
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which brings probability; or `ToyModels`, which bring
            probability and n_hidden.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: number of hidden dimensions, m ≥ 1.

    Raises:
        ArgumentError: if one is missing, given twice, or out of its range, or if instances differ.
    """
    if hasattr(importance, "importance") and hasattr(importance, "probability"):
        if probability is not None:
            raise ArgumentError(
                "probability is given twice: must be left out beside a schedule or toy models"
            )
        if n_hidden is None:
            n_hidden = getattr(importance, "n_hidden", None)
        schedule = as_schedule(importance, "importance")
    elif probability is None:
        raise ArgumentError(
            "probability is missing: must be [feature], or importance a Schedule or ToyModels, which have it"
        )
    else:
        schedule = Schedule(
            arguments.numbers("importance", importance, "[feature], a Schedule or ToyModels", ndim=(1,)),
            arguments.numbers("probability", probability, "[feature]", ndim=(1,)),
        )
    for name in ("importance", "probability"):
        rows = np.atleast_2d(getattr(schedule, name))
        if np.any(rows != rows[0]):
            raise ArgumentError(f"{name} differs between instances: must be [feature], of one schedule")
    if n_hidden is None:
        raise ArgumentError("n_hidden is missing: must be an integer of at least 1")
    first_rows = np.atleast_2d(schedule.importance)[0], np.atleast_2d(schedule.probability)[0]
    return *first_rows, arguments.size("n_hidden", n_hidden)


def _one_if_same(values: Any) -> Any:
    """The row that all instances share, or all rows."""
    rows = np.asarray(values)
    return rows[0] if rows.ndim == 2 and np.all(rows == rows[0]) else values


# --- a schedule of each family -----------------------------------------------------------------------------

Importance = float | Sequence[float] | Float[np.ndarray, " feature"] | Spec
"""A number is the ratio between neighbours (0.9 means 0.9^i); a list has one value a feature; a mapping with
the key `family` is as in a configuration."""


def _importance(importance: Any, n_features: int) -> Float[np.ndarray, "*instance feature"]:
    if isinstance(importance, Mapping):
        rows = _of_family("importance", importance, n_features)
        return rows[0] if len(rows) == 1 else rows
    allowed = "a ratio above 0, one number of at least 0 a feature, or a family"
    given = arguments.plain("importance", importance, allowed)
    if given.ndim == 0:
        ratio = arguments.number("importance", given, above=0)
        return geometric_values(n_features, first=1.0, ratio=ratio)
    numbers = arguments.numbers("importance", given, allowed, ndim=(1, 2), least=0)
    if numbers.shape[-1] != n_features:
        raise ArgumentError(f"importance has {numbers.shape[-1]} values for {n_features} features")
    return numbers


def _of_family(name: str, spec: Spec, n_features: int) -> Float[np.ndarray, "variant feature"]:
    """The values of a family that stands in the place of an argument."""
    try:
        return values(spec, n_features)
    except ArgumentError as error:
        raise type(error)(f"{name}: {error}") from None


def _schedule(
    importance: Any, probability: Float[np.ndarray, "*instance feature"], **given: object
) -> Schedule:
    """The schedule of these probabilities, or an error that names the arguments which they follow from."""
    holds = (probability > 0) & (probability <= 1)
    if not holds.all():
        place = tuple(np.argwhere(~holds)[0].tolist())
        listed = ", ".join(f"{name} is {arguments.shown(value)}" for name, value in given.items())
        raise ArgumentError(
            f"{listed}: must make probabilities in (0, 1], and that of feature {place[-1]} would be "
            f"{probability[place]:g}"
        )
    return Schedule(_importance(importance, probability.shape[-1]), probability)


def geometric(
    n_features: int,
    first: float,
    last: float | None = None,
    importance: Importance = 1.0,
    ratio: float | None = None,
) -> Schedule:
    """Probabilities in equal ratios, from `first` to `last` or with the `ratio` between neighbours.

    Args:
        n_features: number of features, n.
        first: probability of feature 0, in (0, 1].
        last: probability of feature n - 1, in (0, 1]; or leave it out and give `ratio`.
        importance: a ratio between neighbours (0.9 means 0.9^i), or one number of at least 0 a feature, or a
            family as a configuration has it: {"family": "zipf", "first": 1, "exponent": 1}.
        ratio: between the probabilities of neighbours.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    return _schedule(
        importance, geometric_values(n_features, first, last, ratio), first=first, last=last, ratio=ratio
    )


def linear(n_features: int, first: float, last: float, importance: Importance = 1.0) -> Schedule:
    """Probabilities in equal steps from `first` to `last`, in (0, 1]; importance as for `geometric`.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    return _schedule(importance, linear_values(n_features, first, last), first=first, last=last)


def constant(n_features: int, value: float, importance: Importance = 1.0) -> Schedule:
    """One probability, in (0, 1], for all features; importance as for `geometric`.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    return _schedule(importance, constant_values(n_features, value), value=value)


def uniform(n_features: int, probability: float, importance: Importance = 1.0) -> Schedule:
    """`constant` under another name, with `probability` for `value`.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    probability = arguments.number("probability", probability, above=0, most=1)
    return constant(n_features, probability, importance)


def zipf(n_features: int, first: float, exponent: float, importance: Importance = 1.0) -> Schedule:
    """Probabilities first · (i + 1)^-exponent, in (0, 1]; importance as for `geometric`.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    return _schedule(importance, zipf_values(n_features, first, exponent), first=first, exponent=exponent)


def random_uniform(
    n_features: int, low: float, high: float, seed: int, importance: Importance = 1.0
) -> Schedule:
    """Independent probabilities from U(low, high), 0 < low ≤ high ≤ 1; importance as for `geometric`.

    Raises:
        ArgumentError: if an argument is not as above, or seed no integer with 0 ≤ seed < 2^64.
    """
    return _schedule(importance, random_uniform_values(n_features, low, high, seed), low=low, high=high)


def log_uniform(
    n_features: int, low: float, high: float, seed: int, importance: Importance = 1.0
) -> Schedule:
    """Independent probabilities whose logarithm is uniform between log(low) and log(high), as
    `random_uniform`.

    Raises:
        ArgumentError: if an argument is not as above, or seed no integer with 0 ≤ seed < 2^64.
    """
    return _schedule(importance, log_uniform_values(n_features, low, high, seed), low=low, high=high)


def explicit(
    importance: Float[np.ndarray, "*instance feature"] | Sequence[float] | float = 1.0,
    probability: Float[np.ndarray, "*instance feature"] | Sequence[float] | None = None,
    *,
    values: Float[np.ndarray, "*instance feature"] | Sequence[float] | None = None,
) -> Schedule:
    """Any schedule, [feature] or [instance, feature].

    Args:
        importance: one number of at least 0 a feature, or a ratio as for `geometric`.
        probability: one number in (0, 1] a feature.
        values: the same as `probability`, as the family in a configuration names it.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    if (probability is None) == (values is None):
        given = f"probability {arguments.shown(probability)} and values {arguments.shown(values)}"
        raise ArgumentError(f"explicit takes either probability or values: got {given}")
    name, rows = "probability", probability
    if rows is None:
        name, rows = "values", values
    allowed = "[feature] or [instance, feature]"
    chosen = arguments.numbers(name, rows, allowed, ndim=(1, 2), above=0, most=1)
    return Schedule(_importance(importance, chosen.shape[-1]), chosen)


def permutation(
    of: "Schedule | ToyModels | Sequence[float] | Spec",
    order: Sequence[int] | str | None = None,
    seed: int | None = None,
    importance: Importance | None = None,
    n_features: int | None = None,
) -> Schedule:
    """The probabilities of another schedule in another order; its importances stay where they are.

    Args:
        of: a schedule or toy models, one probability a feature, or a family as a configuration has it.
        order: "reversed", or the features 0 … n - 1 each once: feature i takes the probability of order[i].
        seed: of a random order, in `order`'s place, 0 ≤ seed < 2^64.
        importance: as for `geometric`; None takes that of `of`, and 1 where `of` has none.
        n_features: number of features, needed where `of` is a family.

    Raises:
        ArgumentError: if an argument is not as above, or if the instances of `of` differ.
    """
    own, probability = _base(of, importance, n_features)
    return Schedule(own, permuted(probability, order, seed))


def mean(
    of: "Schedule | ToyModels | Sequence[float] | Spec",
    importance: Importance | None = None,
    n_features: int | None = None,
) -> Schedule:
    """The mean of another schedule's probabilities for every feature.

    Args and errors as those of `permutation`.
    """
    own, probability = _base(of, importance, n_features)
    return Schedule(own, constant_values(len(probability), float(probability.mean())))


def per_instance(
    n_features: int, of: Sequence[float] | Spec, count: int | None = None, importance: Importance = 1.0
) -> Schedule:
    """One probability an instance, the same for all its features.

    Args:
        n_features: number of features, n.
        of: `count` probabilities, or a family as a configuration has it, {"family": "geometric", …}.
        count: number of instances, needed where `of` is a family.
        importance: as for `geometric`.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    if isinstance(of, Mapping):
        if count is None:
            raise ArgumentError("count is missing: must be the number of instances, as of is a family")
        probability = _row_of_family(of, arguments.size("count", count))
    else:
        probability = arguments.numbers(
            "of", of, "one number an instance, or a family", ndim=(1,), above=0, most=1
        )
        if count is not None and arguments.size("count", count) != len(probability):
            raise ArgumentError(
                f"count is {count}: must be left out, or {len(probability)}, of which there are"
            )
    rows = np.repeat(probability[:, None], feature_count(n_features), axis=1)
    return _schedule(importance, rows, of=of)


def _base(of: Any, importance: Any, n_features: int | None) -> tuple[Values, Values]:
    """Importance and probability of what a family is made of."""
    if isinstance(of, Mapping):
        if n_features is None:
            raise ArgumentError("n_features is missing: must be the number of features, as of is a family")
        own, probability = np.ones(feature_count(n_features)), _row_of_family(of, n_features)
    elif hasattr(of, "importance") and hasattr(of, "probability"):
        own, probability, _ = one_schedule(of, n_hidden=1)
    else:
        allowed = "a Schedule, ToyModels, one probability a feature, or a family"
        probability = arguments.numbers("of", of, allowed, ndim=(1,), above=0, most=1)
        own = np.ones(len(probability))
    if n_features is not None and feature_count(n_features) != len(probability):
        raise ArgumentError(
            f"n_features is {n_features}: must be left out, or that of of, {len(probability)}"
        )
    return own if importance is None else _importance(importance, len(probability)), probability


def _row_of_family(spec: Spec, n_values: int) -> Values:
    rows = _of_family("of", spec, n_values)
    if len(rows) != 1:
        raise ArgumentError("of is a family per_instance: must have the same values for every instance")
    return rows[0]
