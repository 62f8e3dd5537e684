"""Checks of what functions are given: one line that names the argument, its value and what is allowed.

Numbers come as users have them: Python's and numpy's, arrays of any library, torch tensors on any device
whether they require grad or not, lists, tuples, ranges, generators, and columns of pandas.
"""

import math
import operator
import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.arguments.conversion import ANY_SHAPE, is_array
from superposition_atlas.arguments.conversion import LARGEST_SIZE as LARGEST_SIZE
from superposition_atlas.arguments.conversion import listed as listed
from superposition_atlas.arguments.conversion import not_allowed as not_allowed
from superposition_atlas.arguments.conversion import not_allowed_type as not_allowed_type
from superposition_atlas.arguments.conversion import plain as plain
from superposition_atlas.arguments.conversion import scalar as scalar
from superposition_atlas.errors import ArgumentError, ArgumentIndexError, SettingError

LARGEST = 1e36
"""Numbers beyond have no room in float32 for what is made of them."""
_LONGEST_PATH = 4095
_NUMBERS: tuple[type, ...] = (int, float, np.integer, np.floating, Fraction)


# --- one value ---------------------------------------------------------------------------------------------


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The value as an int.

    Raises:
        ArgumentError: if it is no integer from `least` to `most`.
    """
    value = scalar(value)
    try:
        number = operator.index(value)
    except TypeError:
        raise not_allowed_type(name, value, "an integer") from None
    # A boolean is an integer to Python, not to a user.
    if isinstance(value, bool | np.bool_):
        raise not_allowed_type(name, value, "an integer")
    if number < least:
        raise not_allowed(name, number, f"at least {least}")
    if most is not None and number > most:
        raise not_allowed(name, number, f"at most {most}")
    return number


def size(name: str, value: Any, least: int = 1) -> int:
    """The length of an axis as an int.

    Raises:
        ArgumentError: if it is no integer from `least` to LARGEST_SIZE.
    """
    return integer(name, value, least, LARGEST_SIZE)


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
        ArgumentError: if it is no finite number in the range.
    """
    found: Any = scalar(value)
    allowed = "a finite number"
    if above is not None:
        allowed += f" above {above:g}"
    if least is not None:
        allowed += f" of at least {least:g}"
    if most is not None:
        allowed += f", at most {most:g}"
    if not _is_number(found):
        raise not_allowed_type(name, found, allowed)
    if most is None and LARGEST < abs(found) < math.inf:
        allowed += f", at most {LARGEST:g}"
    # Compared, not converted: an integer may have a thousand digits.
    in_range = abs(found) <= LARGEST and (most is None or found <= most)
    if not in_range or (above is not None and found <= above) or (least is not None and found < least):
        raise not_allowed(name, found, allowed)
    return float(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def flag(name: str, value: Any) -> bool:
    """The value as a bool.

    Raises:
        ArgumentError: if it is neither True nor False.
    """
    value = scalar(value)
    if not isinstance(value, bool | np.bool_):
        raise not_allowed_type(name, value, "True or False")
    return bool(value)


def choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises ArgumentError unless the value is one of the allowed words."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise not_allowed(name, value, f"{', '.join(words[:-1])} or {words[-1]}")


def instance(name: str, value: Any, kinds: type | tuple[type, ...], allowed: str) -> None:
    """Raises ArgumentError unless the value is of one of the types."""
    if not isinstance(value, kinds):
        raise not_allowed_type(name, value, allowed)


def path(name: str, value: Any) -> Path:
    """The value as a path, `~` being the user's home.

    Raises:
        ArgumentError: if it is no path that a file can have.
    """
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise not_allowed_type(name, value, "a path")
    text = os.fspath(value)
    allowed = "a path: of one line, with names of at most 255 bytes"
    if not text or any(character in text for character in "\0\n\r"):
        raise not_allowed(name, text, allowed)
    if len(os.fsencode(text)) > _LONGEST_PATH or any(
        len(os.fsencode(part)) > 255 for part in Path(text).parts
    ):
        raise not_allowed(name, text, allowed)
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody without a home
        return Path(text)


# --- lists -------------------------------------------------------------------------------------------------


def record_steps(values: Any, steps: int) -> tuple[int, ...]:
    """Distinct numbers of steps from 0 to `steps`, ascending.

    Raises:
        ArgumentError: if one of them is no such number.
    """
    named = [integer("a step of record_steps", step, least=0) for step in listed("record_steps", values)]
    if named and max(named) > steps:
        item = "a step of record_steps"
        raise SettingError("record_steps", max(named), f"at most steps ({steps})", item)
    return tuple(sorted(set(named)))


def seeds(name: str, value: Any) -> Integer[np.ndarray, " instance"]:
    """Seeds as uint64: a list of them, or a number n, which means 0 … n - 1.

    Raises:
        ArgumentError: if one is no integer with 0 ≤ seed < 2^64.
    """
    value = scalar(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return np.arange(size(name, value), dtype=np.uint64)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise not_allowed_type(name, value, f"a list of integers, or a number ({name}=8 means range(8))")
    values = plain(name, value) if is_array(value) else value
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        if (least := int(values.min(initial=0))) < 0:
            raise not_allowed(f"{name}[{values.argmin()}]", least, "at least 0")
        return values.astype(np.uint64)
    whole = [
        integer(f"{name}[{place}]", seed, least=0, most=2**64 - 1)
        for place, seed in enumerate(listed(name, values))
    ]
    return np.array(whole, dtype=np.uint64)


def positions(name: str, value: Any, n: int) -> Integer[np.ndarray, " chosen"] | slice:
    """Which of n instances: a slice, or indices as integers; of one index, of several, or of a mask.

    Raises:
        ArgumentError: if there is no such instance.
    """
    if isinstance(value, slice):
        try:
            value.indices(n)
        except TypeError:
            raise not_allowed_type(name, value, "a slice of integers") from None
        return value
    allowed = "an index, a slice, a list of indices or a mask of booleans"
    if isinstance(value, str | bytes | Mapping | set) or value is None:
        raise not_allowed_type(name, value, allowed)
    chosen = plain(name, value, allowed)
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    if chosen.size == 0 and chosen.ndim == 1:
        return np.zeros(0, dtype=np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim > 1:
        raise not_allowed_type(name, value, f"{allowed}, for {n} instances")
    for index in (chosen.min(), chosen.max()):
        if not -n <= int(index) < n:
            place = (
                f"from 0 to {n - 1} (or from {-n} to -1, from the end)" if n else "left out: there is none"
            )
            raise ArgumentIndexError(f"{name} is {int(index)}: must be {place}")
    return np.atleast_1d(chosen.astype(np.int64)) % max(n, 1)


# --- arrays ------------------------------------------------------------------------------------------------


def numbers(
    name: str,
    value: Any,
    allowed: str = ANY_SHAPE,
    *,
    ndim: tuple[int, ...] | None = None,
    may_be_empty: bool = False,
    may_be_infinite: bool = False,
    dtype: type[np.floating] | None = np.float64,
    least: float | None = None,
    above: float | None = None,
    most: float = math.inf,
) -> Float[np.ndarray, "*shape"]:
    """The value as an array of finite floats, contiguous.

    Args:
        name: of the argument.
        value: what was given.
        allowed: what it must be, in words.
        ndim: numbers of axes that it may have.
        may_be_empty: whether it may have no numbers.
        may_be_infinite: whether numbers may be infinite or NaN.
        dtype: of the result; None keeps that of floats.
        least: the smallest number allowed.
        above: what all numbers must be larger than.
        most: the largest number allowed.

    Raises:
        ArgumentError: if it is no such array; the message names the first number out of its range.
    """
    array = value if type(value) is np.ndarray else plain(name, value, allowed)
    if array.dtype.kind == "O" and all(
        isinstance(item, int | float | Fraction) and not isinstance(item, bool) for item in array.flat
    ):
        try:
            array = array.astype(np.float64)
        except OverflowError:
            raise not_allowed(name, value, f"{allowed}, each at most {LARGEST:g}") from None
    if array.dtype.kind not in "fiu":
        raise not_allowed_type(name, value, f"{allowed} (it holds {_held(array)})")
    if (ndim is not None and array.ndim not in ndim) or (array.size == 0 and not may_be_empty):
        raise ArgumentError(f"{name} has shape {array.shape}: must be {allowed}")
    if dtype is None:
        dtype = array.dtype.type if array.dtype.kind == "f" else np.float64
    with np.errstate(over="ignore"):  # what is too large for the type is not finite
        floats = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    if not floats.size or may_be_infinite:
        return floats
    low, high = floats.min(), floats.max()  # NaN if there is one
    too_low = (least is not None and not low >= least) or (above is not None and not low > above)
    if too_low or not (low > -math.inf and high < math.inf and high <= most):
        require(name, floats, np.isfinite(floats), "finite")
        holds = (floats >= (-math.inf if least is None else least)) & (floats <= most)
        if above is not None:
            holds &= floats > above
        require(name, floats, holds, _range(least, above, most))
    return floats


def mask(name: str, value: Any, n: int, of: str) -> Bool[np.ndarray, " n"]:
    """The value as n booleans.

    Raises:
        ArgumentError: if it is none; the message ends with what each is `of`.
    """
    allowed = f"{n} booleans, one {of}"
    array = plain(name, value, allowed)
    if array.dtype != bool or array.shape != (n,):
        raise not_allowed_type(name, value, allowed)
    return array


def batches(
    name: str, value: Any, n_instances: int, width: int, instead: str = ""
) -> Float[np.ndarray, "instance batch width"]:
    """A batch for each instance, float32; one batch alone is for all of them.

    Args:
        name: of the argument.
        value: what was given.
        n_instances: number of instances.
        width: length of the last axis.
        instead: what may be meant where there are more or fewer instances, for the message.

    Raises:
        ArgumentError: if it has another shape, or a value that is not finite.
    """
    allowed = f"[instance, batch, {width}] or [batch, {width}]"
    array = numbers(name, value, allowed, ndim=(2, 3), may_be_empty=True, dtype=np.float32)
    array = array if array.ndim == 3 else array[None]
    if array.shape[2] != width:
        raise ArgumentError(f"{name} has shape {array.shape}: must be {allowed}")
    if len(array) not in (1, n_instances):
        hint = f" ({instead})" if instead else ""
        raise ArgumentError(f"{name} has {len(array)} instances: must have 1 or {n_instances}{hint}")
    return np.broadcast_to(array, (n_instances, *array.shape[1:]))


def _held(array: np.ndarray) -> str:
    kinds = {"b": "booleans", "c": "complex numbers", "U": "text", "S": "bytes", "M": "dates", "m": "times"}
    if array.dtype.kind in kinds:
        return kinds[array.dtype.kind]
    return type(array.flat[0]).__name__ if array.size and array.dtype.kind == "O" else str(array.dtype)


def _range(least: float | None, above: float | None, most: float) -> str:
    if most == math.inf:
        return f"at least {least:g}" if above is None and least is not None else f"above {above or 0:g}"
    return f"in {'[' if above is None else '('}{above if above is not None else least or 0:g}, {most:g}]"


def require(name: str, values: np.ndarray, holds: np.ndarray, allowed: str) -> None:
    """Raises ArgumentError that names the first of the values for which the condition does not hold."""
    if not holds.all():
        position = tuple(np.argwhere(~holds)[0].tolist())
        place = f"{name}{list(position)}" if position else name
        raise ArgumentError(f"{place} is {values[position]}: must be {allowed}")
