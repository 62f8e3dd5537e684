"""Schedules: how important each feature is and how often it is active.

Every family of a configuration is a function of the same name and the same arguments, and returns a schedule
with these probabilities. Importance is a ratio between neighbours, one value a feature, or a family.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, value_text
from superposition_atlas.schedules.families import FAMILIES as FAMILIES
from superposition_atlas.schedules.families import SERIES as SERIES
from superposition_atlas.schedules.families import Spec as Spec
from superposition_atlas.schedules.families import Values as Values
from superposition_atlas.schedules.families import constant_values as constant_values
from superposition_atlas.schedules.families import explicit_values as explicit_values
from superposition_atlas.schedules.families import feature_count
from superposition_atlas.schedules.families import geometric_values as geometric_values
from superposition_atlas.schedules.families import linear_values as linear_values
from superposition_atlas.schedules.families import log_uniform_values as log_uniform_values
from superposition_atlas.schedules.families import permuted as permuted
from superposition_atlas.schedules.families import random_uniform_values as random_uniform_values
from superposition_atlas.schedules.families import values as values
from superposition_atlas.schedules.families import zipf_values as zipf_values
from superposition_atlas.schedules.schedule import Schedule as Schedule
from superposition_atlas.schedules.schedule import as_schedule as as_schedule
from superposition_atlas.schedules.schedule import one_schedule as one_schedule
from superposition_atlas.schedules.schedule import one_structure as one_structure

if TYPE_CHECKING:
    from superposition_atlas.toy_model import ToyModels

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
        raise ArgumentError(f"{name}: {error}") from None


def _schedule(
    importance: Any, probability: Float[np.ndarray, "*instance feature"], **given: object
) -> Schedule:
    """The schedule of these probabilities, or an error that names the arguments which they follow from."""
    holds = (probability > 0) & (probability <= 1)
    if not holds.all():
        place = tuple(np.argwhere(~holds)[0].tolist())
        listed = ", ".join(f"{name} is {value_text(value)}" for name, value in given.items())
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
        given = f"probability {value_text(probability)} and values {value_text(values)}"
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
