"""Schedules: how important each feature is and how often it is active.

A *family* turns a few numbers into one value a feature. The same families serve importance and probability.
In a configuration a family is a mapping with the key `family`; the string `base` stands for the experiment's
own importance or probability, of which `permutation` and `mean` make the talk's cases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.sampling import stream

Values = Float[np.ndarray, " feature"]
Spec = Mapping[str, Any] | str


@dataclass(frozen=True)
class Schedule:
    """Importance I_i ≥ 0 and probability 0 < p_i ≤ 1 of each feature; sparsity is S_i = 1 - p_i.

    Both arrays are float64, [feature] or, where instances differ, [instance, feature].

    Raises:
        ValueError: if the shapes differ or a value is out of its range.
    """

    importance: Float[np.ndarray, "*instance feature"]
    probability: Float[np.ndarray, "*instance feature"]

    def __post_init__(self) -> None:
        for name in ("importance", "probability"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim not in (1, 2) or values.size == 0:
                raise ValueError(f"{name} must be [feature] or [instance, feature], got shape {values.shape}")
            object.__setattr__(self, name, values)
        if self.importance.shape[-1] != self.probability.shape[-1]:
            raise ValueError(
                f"importance has {self.importance.shape[-1]} features, "
                f"probability {self.probability.shape[-1]}"
            )
        if not np.all(np.isfinite(self.importance) & (self.importance >= 0)):
            raise ValueError("importance must be finite and at least 0")
        if not np.all((self.probability > 0) & (self.probability <= 1)):
            raise ValueError("probability must be in (0, 1]")

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.probability.shape[-1]

    @property
    def sparsity(self) -> Float[np.ndarray, "*instance feature"]:
        """S_i = 1 - p_i."""
        return 1.0 - self.probability


# --- families: one value a feature -------------------------------------------------------------------------


def constant_values(n_features: int, value: float) -> Values:
    """The same value for every feature."""
    return np.full(n_features, float(value))


def linear_values(n_features: int, first: float, last: float) -> Values:
    """Equal steps from `first` (feature 0) to `last`."""
    return np.linspace(first, last, n_features)


def geometric_values(
    n_features: int, first: float, last: float | None = None, ratio: float | None = None
) -> Values:
    """Equal ratios from `first` to `last`, or with the given `ratio` between neighbours (0.9^i: ratio 0.9).

    Raises:
        ValueError: unless exactly one of `last` and `ratio` is given, or if a number is not positive.
    """
    if (last is None) == (ratio is None):
        raise ValueError("family geometric takes either last or ratio")
    if first <= 0 or (last is not None and last <= 0) or (ratio is not None and ratio <= 0):
        raise ValueError("family geometric needs positive first, last and ratio")
    if ratio is not None:
        return np.asarray(first * float(ratio) ** np.arange(n_features))
    assert last is not None
    return np.asarray(first * (last / first) ** np.linspace(0.0, 1.0, n_features))


def zipf_values(n_features: int, first: float, exponent: float) -> Values:
    """Power law first · (i + 1)^-exponent."""
    return np.asarray(first * (np.arange(n_features) + 1.0) ** -float(exponent))


def random_uniform_values(n_features: int, low: float, high: float, seed: int) -> Values:
    """Independent draws from U(low, high); feature i's draw depends on the seed and i alone."""
    return low + (high - low) * _uniform(seed, n_features)


def log_uniform_values(n_features: int, low: float, high: float, seed: int) -> Values:
    """Independent draws whose logarithm is uniform between log(low) and log(high).

    Raises:
        ValueError: if low or high is not positive.
    """
    if low <= 0 or high <= 0:
        raise ValueError("family log_uniform needs positive low and high")
    return np.asarray(low * (high / low) ** _uniform(seed, n_features))


def explicit_values(n_features: int, values: Sequence[float]) -> Values:
    """The given values.

    Raises:
        ValueError: if their number is not the number of features.
    """
    if len(values) != n_features:
        raise ValueError(f"family explicit has {len(values)} values for {n_features} features")
    return np.asarray(values, dtype=np.float64)


def permuted(values: Values, order: Sequence[int] | str | None = None, seed: int | None = None) -> Values:
    """The same values in another order: `reversed`, an explicit order, or a random one from a seed.

    Raises:
        ValueError: unless exactly one of `order` and `seed` is given, or if `order` is no permutation.
    """
    if (order is None) == (seed is None):
        raise ValueError("family permutation takes either order or seed")
    if seed is not None:
        return values[np.argsort(_uniform(seed, len(values)), kind="stable")]
    if order == "reversed":
        return values[::-1].copy()
    if isinstance(order, str) or sorted(order or ()) != list(range(len(values))):
        raise ValueError(f"order must be reversed, or the features 0 … {len(values) - 1} each once")
    return values[list(order or ())]


def _uniform(seed: int, n_features: int) -> Values:
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
        ValueError: one line that says what is wrong with the family or its keys.
    """
    if spec == "base":
        if base is None:
            raise ValueError("base can't be made of base")
        return base[None, :]
    if isinstance(spec, str):
        raise ValueError(f"{spec!r} is neither base nor a mapping with the key family")
    keys = {key: value for key, value in spec.items() if key != "family"}
    family = spec.get("family")
    try:
        if family in SERIES:
            return SERIES[str(family)](n_features, **keys)[None, :]
        if family == "permutation":
            return permuted(_one_row(keys.pop("of"), n_features, base), **keys)[None, :]
        if family == "mean":
            mean = _one_row(keys.pop("of"), n_features, base).mean()
            return constant_values(n_features, float(mean))[None, :]
        if family == "per_instance":
            count = int(keys.pop("count"))
            return np.repeat(_one_row(keys.pop("of"), count, None)[:, None], n_features, axis=1)
    except (KeyError, TypeError) as error:
        raise ValueError(f"family {family} has wrong keys: {error}") from None
    raise ValueError(f"unknown family {family!r}; the families are {', '.join(FAMILIES)}")


def _one_row(spec: Spec, n_features: int, base: Values | None) -> Values:
    rows = values(spec, n_features, base)
    if len(rows) != 1:
        raise ValueError("per_instance can't be used inside another family")
    return rows[0]


# --- the same for a notebook -----------------------------------------------------------------------------


def _importance(importance: float | Sequence[float], n_features: int) -> Values:
    """A number is the ratio between neighbours (importance 0.9 means 0.9^i); a sequence is taken as it is."""
    if isinstance(importance, (int, float)):
        return geometric_values(n_features, first=1.0, ratio=float(importance))
    return explicit_values(n_features, importance)


def geometric(
    n_features: int, first: float, last: float, importance: float | Sequence[float] = 1.0
) -> Schedule:
    """Probabilities in equal ratios; importance as a ratio (0.9 means 0.9^i) or as a list."""
    return Schedule(_importance(importance, n_features), geometric_values(n_features, first, last))


def linear(n_features: int, first: float, last: float, importance: float | Sequence[float] = 1.0) -> Schedule:
    """Probabilities in equal steps from `first` to `last`; importance as for `geometric`."""
    return Schedule(_importance(importance, n_features), linear_values(n_features, first, last))


def uniform(n_features: int, probability: float, importance: float | Sequence[float] = 1.0) -> Schedule:
    """One probability for all features; importance as for `geometric`."""
    return Schedule(_importance(importance, n_features), constant_values(n_features, probability))


def explicit(
    importance: Float[np.ndarray, "*instance feature"] | Sequence[float],
    probability: Float[np.ndarray, "*instance feature"] | Sequence[float],
) -> Schedule:
    """Any schedule, [feature] or [instance, feature]."""
    return Schedule(np.asarray(importance, dtype=np.float64), np.asarray(probability, dtype=np.float64))
