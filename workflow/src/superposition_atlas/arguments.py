"""Checks of what functions are given: one line that names the argument, its value and what is allowed."""

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from superposition_atlas.errors import SettingError

LARGEST = 1e36
"""Numbers beyond have no room in float32 for what is made of them."""


def several(name: str, values: Any) -> list[Any]:
    """The values as a list.

    Raises:
        TrainingError: if they are not several.
    """
    try:
        if not isinstance(values, str | bytes | Mapping):
            return list(values)
    except TypeError:
        pass
    raise SettingError(name, values, "a list")


def record_steps(values: Any, steps: int) -> tuple[int, ...]:
    """Distinct numbers of steps from 0 to `steps`, ascending.

    Raises:
        TrainingError: if one of them is no such number.
    """
    named = [integer("a step of record_steps", step, least=0) for step in several("record_steps", values)]
    if named and max(named) > steps:
        item = "a step of record_steps"
        raise SettingError("record_steps", max(named), f"at most steps ({steps})", item)
    return tuple(sorted(set(named)))


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The value as an int.

    Raises:
        TrainingError: if it is no integer from `least` to `most`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise SettingError(name, value, "an integer") from None
    # A boolean is an integer to Python, not to a user.
    if isinstance(value, bool | np.bool_):
        raise SettingError(name, value, "an integer")
    if number < least:
        raise SettingError(name, number, f"at least {least}")
    if most is not None and number > most:
        raise SettingError(name, number, f"at most {most}")
    return number


def number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> float:
    """The value as a float.

    Raises:
        TrainingError: if it is no finite number in the range.
    """
    allowed = "a finite number"
    if above is not None:
        allowed += f" above {above:g}"
    if least is not None:
        allowed += f" of at least {least:g}"
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    # Compared, not converted: an integer may have a thousand digits.
    in_range = is_number and abs(value) <= LARGEST
    if most is not None or (is_number and LARGEST < abs(value) < math.inf):
        allowed += f", at most {LARGEST if most is None else most:g}"
    if (
        not in_range
        or (above is not None and value <= above)
        or (least is not None and value < least)
        or (most is not None and value > most)
    ):
        raise SettingError(name, value, allowed)
    return float(value)


def choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises TrainingError unless the value is one of the allowed words."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise SettingError(name, value, f"{', '.join(words[:-1])} or {words[-1]}")
