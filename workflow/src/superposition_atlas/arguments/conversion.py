"""Values as they come become plain ones: scalars, lists, arrays, whatever library they are of.

torch is not imported for it: tensors are known by the module of their type.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from superposition_atlas.errors import ArgumentError, ArgumentTypeError, SettingError

LARGEST_SIZE = 2**24
"""Most entries along one axis of an array: features, hidden dimensions, latents, samples, instances."""
_LONGEST_GENERATOR = 2**22
ANY_SHAPE = "a number or an array of numbers"


def not_allowed(name: str, value: Any, allowed: str) -> SettingError:
    """The error for a value out of its range."""
    return SettingError(name, value, allowed)


def not_allowed_type(name: str, value: Any, allowed: str) -> ArgumentTypeError:
    """The error for a value of a type that is never allowed."""
    return ArgumentTypeError(name, value, allowed)


def scalar(value: Any) -> Any:
    """What a 0-dimensional array or tensor holds; anything else as it is."""
    if is_tensor(value) and value.ndim == 0 and value.device.type != "meta":
        return value.item()
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def listed(name: str, values: Any) -> list[Any]:
    """The values as a list; a generator may have no end, so of a generator there may be 2^22 at most.

    Raises:
        ArgumentError: if they are not several, or too many.
    """
    try:
        if not isinstance(values, str | bytes | Mapping):
            has_length = hasattr(values, "__len__")
            most = LARGEST_SIZE if has_length else _LONGEST_GENERATOR
            if has_length and len(values) > most:
                raise ArgumentError(f"{name} has {len(values)} values: must have at most {most}")
            found = list(islice(values, most + 1))
            if len(found) > most:
                raise ArgumentError(f"{name} has more than {most} values: must have at most {most}")
            return found
    except ArgumentError:
        raise
    except TypeError:
        pass
    raise not_allowed_type(name, values, "a list")


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def plain(name: str, value: Any, allowed: str = ANY_SHAPE) -> np.ndarray:
    """The value as an array of whatever it holds.

    Raises:
        ArgumentError: if it is none, or hides some of its values.
    """
    if isinstance(value, str | bytes | Mapping | set | frozenset) or value is None:
        raise not_allowed_type(name, value, allowed)
    if np.ma.is_masked(value):
        raise ArgumentError(f"{name} has masked values: must be {allowed}")
    try:
        # Memory ends before an array of 2^31 numbers does: a range has a length that can be looked at.
        if isinstance(value, Sequence) and len(value) > LARGEST_SIZE:
            raise ArgumentError(f"{name} has {len(value)} values: must have at most {LARGEST_SIZE}")
        return np.asarray(_numpy(name, value))
    except ArgumentError:
        raise
    except Exception:  # whatever a stranger's object raises when it is asked for its numbers
        is_ragged = isinstance(value, list | tuple)
        raise not_allowed_type(
            name, value, f"{allowed}, rows of one length" if is_ragged else allowed
        ) from None


def _numpy(name: str, value: Any) -> Any:
    """Tensors as arrays, at any depth of lists; generators as lists."""
    if is_tensor(value):
        tensor = value.detach().cpu()
        if tensor.layout.__str__() != "torch.strided":
            tensor = tensor.to_dense()
        if str(tensor.dtype) in ("torch.bfloat16", "torch.float16"):
            tensor = tensor.float()
        return tensor.numpy()
    if isinstance(value, list | tuple):
        return [_numpy(name, item) for item in value] if _holds_more(value) else value
    if isinstance(value, Iterable) and not hasattr(value, "__array__") and not isinstance(value, range):
        return [_numpy(name, item) for item in listed(name, value)]
    return value


def _holds_more(values: Sequence[Any]) -> bool:
    return any(not isinstance(value, int | float | np.generic) for value in values)


def is_array(value: Any) -> bool:
    """Whether it is an array or tensor of some library, and not a list."""
    return is_tensor(value) or hasattr(value, "__array__")
