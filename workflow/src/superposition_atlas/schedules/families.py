"""Families: a few numbers become one value a feature, for importance and probability alike.

In a configuration a family is a mapping with the key `family`; the string `base` stands for the experiment's
own importance or probability, of which `permutation` and `mean` make the talk's cases.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, AtlasError, value_text
from superposition_atlas.sampling import stream

Values = Float[np.ndarray, " feature"]
Spec = Mapping[str, Any] | str


def constant_values(n_features: int, value: float) -> Values:
    """The same value for every feature."""
    return np.full(feature_count(n_features), arguments.number("value", value))


def linear_values(n_features: int, first: float, last: float) -> Values:
    """Equal steps from `first` (feature 0) to `last`."""
    n_features = feature_count(n_features)
    return np.linspace(arguments.number("first", first), arguments.number("last", last), n_features)


def geometric_values(
    n_features: int, first: float, last: float | None = None, ratio: float | None = None
) -> Values:
    """Equal ratios from `first` to `last`, or with the given `ratio` between neighbours (0.9^i: ratio 0.9).

    Raises:
        ArgumentError: unless exactly one of `last` and `ratio` is given, or if a number is not positive.
    """
    n_features = feature_count(n_features)
    if (last is None) == (ratio is None):
        given = f"last {value_text(last)} and ratio {value_text(ratio)}"
        raise ArgumentError(f"family geometric takes either last or ratio: got {given}")
    first = arguments.number("first", first, above=0)
    with np.errstate(all="ignore"):  # what leaves the range is for the schedule to refuse
        if ratio is not None:
            ratio = arguments.number("ratio", ratio, above=0)
            return np.asarray(first * ratio ** np.arange(n_features))
        last = arguments.number("last", last, above=0)
        return np.asarray(first * (last / first) ** np.linspace(0.0, 1.0, n_features))


def zipf_values(n_features: int, first: float, exponent: float) -> Values:
    """Power law first · (i + 1)^-exponent."""
    rank = np.arange(feature_count(n_features)) + 1.0
    with np.errstate(all="ignore"):
        return np.asarray(arguments.number("first", first) * rank ** -arguments.number("exponent", exponent))


def random_uniform_values(n_features: int, low: float, high: float, seed: int) -> Values:
    """Independent draws from U(low, high); feature i's draw depends on the seed and i alone."""
    low, high = arguments.number("low", low), arguments.number("high", high)
    return low + (high - low) * _uniform(seed, n_features)


def log_uniform_values(n_features: int, low: float, high: float, seed: int) -> Values:
    """Independent draws whose logarithm is uniform between log(low) and log(high).

    Raises:
        ArgumentError: if low or high is not positive.
    """
    low, high = arguments.number("low", low, above=0), arguments.number("high", high, above=0)
    return np.asarray(low * (high / low) ** _uniform(seed, n_features))


def explicit_values(n_features: int, values: Sequence[float]) -> Values:
    """The given values.

    Raises:
        ArgumentError: if their number is not the number of features.
    """
    numbers = arguments.numbers("values", values, "a list of numbers, one a feature", ndim=(1,))
    if len(numbers) != feature_count(n_features):
        raise ArgumentError(f"family explicit has {len(numbers)} values for {n_features} features")
    return numbers


def permuted(values: Values, order: Sequence[int] | str | None = None, seed: int | None = None) -> Values:
    """The same values in another order: `reversed`, an explicit order, or a random one from a seed.

    Raises:
        ArgumentError: unless exactly one of `order` and `seed` is given, or if `order` is no permutation.
    """
    if (order is None) == (seed is None):
        given = f"order {value_text(order)} and seed {value_text(seed)}"
        raise ArgumentError(f"family permutation takes either order or seed: got {given}")
    if seed is not None:
        return values[np.argsort(_uniform(seed, len(values)), kind="stable")]
    if isinstance(order, str) and order == "reversed":
        return values[::-1].copy()
    allowed = f"reversed, or the features 0 … {len(values) - 1} each once"
    if isinstance(order, str):
        raise arguments.not_allowed("order", order, allowed)
    places = [
        arguments.integer("a feature of order", one, least=0) for one in arguments.listed("order", order)
    ]
    if sorted(places) != list(range(len(values))):
        raise arguments.not_allowed("order", places, allowed)
    return values[places]


def feature_count(n_features: int) -> int:
    """The number of features as an int of at least 1."""
    return arguments.size("n_features", n_features)


def _uniform(seed: int, n_features: int) -> Values:
    seed, n_features = arguments.integer("seed", seed, least=0, most=2**64 - 1), feature_count(n_features)
    return stream.uniform([seed], 0, 1, n_features, stream.Purpose.SCHEDULE)[0, 0]


SERIES: dict[str, Callable[..., Values]] = {
    "constant": constant_values,
    "linear": linear_values,
    "geometric": geometric_values,
    "zipf": zipf_values,
    "random_uniform": random_uniform_values,
    "log_uniform": log_uniform_values,
    "explicit": explicit_values,
}
"""Families that need nothing but numbers."""

FAMILIES = (*SERIES, "permutation", "mean", "per_instance")
"""All families: these three are made `of` another."""


def values(spec: Spec, n_features: int, base: Values | None = None) -> Float[np.ndarray, "variant feature"]:
    """The values that a configured family stands for.

    Args:
        spec: the string `base`, or a mapping with the key `family` and that family's own keys.
        n_features: number of features, n.
        base: what the string `base` stands for, where that is allowed.

    Returns:
        One row, except for `per_instance`: `count` rows, of which instance k takes row k mod count.

    Raises:
        ArgumentError: one line that says what is wrong with the family or its keys.
    """
    if isinstance(spec, str) and spec == "base":
        if base is None:
            raise ArgumentError("base can't be made of base")
        return base[None, :]
    if not isinstance(spec, Mapping):
        raise ArgumentError(f"{value_text(spec)} is neither base nor a mapping with the key family")
    keys = {key: value for key, value in spec.items() if key != "family"}
    family = spec.get("family")
    try:
        if isinstance(family, str) and family in SERIES:
            return SERIES[str(family)](n_features, **keys)[None, :]
        if family == "permutation":
            return permuted(one_row(keys.pop("of"), n_features, base), **keys)[None, :]
        if family == "mean":
            mean = one_row(keys.pop("of"), n_features, base).mean()
            return constant_values(n_features, float(mean))[None, :]
        if family == "per_instance":
            count = arguments.size("count", keys.pop("count"))
            return np.repeat(one_row(keys.pop("of"), count, None)[:, None], n_features, axis=1)
    except AtlasError:  # the value of a key; some are TypeErrors too
        raise
    except (KeyError, TypeError) as error:
        raise ArgumentError(f"family {family} has wrong keys: {error}") from None
    raise ArgumentError(f"unknown family {value_text(family)}; the families are {', '.join(FAMILIES)}")


def one_row(spec: Spec, n_features: int, base: Values | None) -> Values:
    """The values of a family that has the same for every instance."""
    rows = values(spec, n_features, base)
    if len(rows) != 1:
        raise ArgumentError("per_instance can't be used inside another family")
    return rows[0]
