"""Checks of what functions are given: one line that names the argument, its value and what is allowed."""

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from superposition_atlas.errors import TrainingError

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
    raise TrainingError(f"{name} is {values!r:.60}: must be a list")


def record_steps(values: Any, steps: int) -> tuple[int, ...]:
    """Distinct numbers of steps from 0 to `steps`, ascending.

    Raises:
        TrainingError: if one of them is no such number.
    """
    named = [integer("a step of record_steps", step, least=0) for step in several("record_steps", values)]
    if named and max(named) > steps:
        raise TrainingError(f"a step of record_steps is {max(named)}: must be at most steps ({steps})")
    return tuple(sorted(set(named)))


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The value as an int.

    Raises:
        TrainingError: if it is no integer from `least` to `most`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TrainingError(f"{name} is {value!r}: must be an integer") from None
    # A boolean is an integer to Python, not to a user.
    if isinstance(value, bool | np.bool_):
        raise TrainingError(f"{name} is {value!r}: must be an integer")
    if number < least:
        raise TrainingError(f"{name} is {number}: must be at least {least}")
    if most is not None and number > most:
        raise TrainingError(f"{name} is {number}: must be at most {most}")
    return number


def number(name: str, value: Any, *, above: float | None = None, least: float | None = None) -> float:
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
    if is_number and LARGEST < abs(value) < math.inf:
        allowed += f", at most {LARGEST:g}"
    if not in_range or (above is not None and value <= above) or (least is not None and value < least):
        raise TrainingError(f"{name} is {value!r}: must be {allowed}")
    return float(value)


def choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises TrainingError unless the value is one of the allowed words."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise TrainingError(f"{name} is {value!r}: must be {', '.join(words[:-1])} or {words[-1]}")
