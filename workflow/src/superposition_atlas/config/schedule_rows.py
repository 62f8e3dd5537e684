"""Schedules as a configuration writes them, checked: values of importance or probability for each feature."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import schedules
from superposition_atlas.arguments import LARGEST
from superposition_atlas.config.messages import Key, key_text, refused
from superposition_atlas.errors import ConfigError, value_text

RANGES = {"importance": f"a number ≥ 0 and ≤ {LARGEST:g}", "probability": "a number > 0 and ≤ 1"}

_VALUE_KEYS = ("value", "values", "first", "last", "low", "high")
"""The keys of families that are values themselves, so that a message can name the very number."""


def _in_range(values: Any, quantity: str) -> Any:
    values = np.asarray(values, dtype=np.float64)
    if quantity == "importance":
        return np.less_equal(values, LARGEST) & np.greater_equal(values, 0)
    return np.greater(values, 0) & np.less_equal(values, 1)


def schedule_rows(
    key: Key,
    spec: Mapping[str, Any] | str,
    n_values: int,
    base: Float[np.ndarray, " feature"] | None,
    quantity: str,
) -> Float[np.ndarray, "variant feature"]:
    """The values of a schedule, checked from the inside out, so that a message names the innermost key.

    Args:
        key: where the schedule stands.
        spec: the schedule, or "base".
        n_values: number of features.
        base: values of the experiment's own schedule, None where "base" is not allowed.
        quantity: importance or probability, which differ in what values they may have.

    Raises:
        ConfigError: one line that names the first value that is not allowed.
    """
    if isinstance(spec, str):
        if base is None:
            raise refused(key, spec, "a mapping with the key family (base can't be made of base)")
        return base[None, :]
    for name in _VALUE_KEYS:
        given = spec.get(name)
        for index, value in enumerate(given) if isinstance(given, list) else ((None, given),):
            if value is not None and not _in_range(value, quantity):
                at = (*key, name) if index is None else (*key, name, index)
                raise refused(at, value, f"{RANGES[quantity]} ({quantity})")
    if spec["family"] == "explicit" and len(spec["values"]) != n_values:
        allowed = f"a list of {n_values} numbers, one a feature (it has {len(spec['values'])})"
        raise refused((*key, "values"), spec["values"], allowed)
    if spec["family"] == "per_instance":
        schedule_rows((*key, "of"), spec["of"], spec["count"], None, quantity)
    elif "of" in spec:
        schedule_rows((*key, "of"), spec["of"], n_values, base, quantity)
    try:
        with np.errstate(all="ignore"):
            values = schedules.values(spec, n_values, base)
    except ValueError as error:
        raise ConfigError(f"{key_text(key)}: got {value_text(spec)}, but {error}") from None
    bad = np.argwhere(~_in_range(values, quantity))
    if len(bad):
        row, feature = bad[0]
        found = f"feature {feature} would have {values[row, feature]:.6g}"
        raise refused(key, spec, f"{RANGES[quantity]} for every feature ({found})")
    if quantity == "importance" and not np.all(np.any(values > 0, axis=1)):
        raise refused(key, spec, "an importance above 0 for at least one feature (all would have 0)")
    return values
