"""Errors that a user can mend: the command line prints them as one line and no traceback."""

import math
import reprlib

_LONGEST_VALUE = 60
_REPR = reprlib.Repr()
_REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxdict = 20
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 2 * _LONGEST_VALUE


class AtlasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class ConfigError(AtlasError):
    """A configuration key, named with its value and with what is allowed."""


class ArtefactError(AtlasError):
    """A file of results/ that is missing, truncated, or not what its name says."""


class TrainingError(AtlasError):
    """Training that cannot begin or go on: a setting, the device, or weights that are no longer finite."""


class ArgumentError(TrainingError, ValueError):
    """An argument that is not allowed, or does not go with the others.

    It is a ValueError, as Python's functions raise it, and a TrainingError, as `train` always raised it.
    """


class SettingError(ArgumentError):
    """An argument or setting whose value is not allowed."""

    def __init__(self, name: str, value: object, allowed: str, item: str = "") -> None:
        """Name, value and what is allowed stay apart, so that others can put them differently.

        Args:
            name: of the argument or setting.
            value: what it was given.
            allowed: in words that complete "must be".
            item: what the message calls the value where it is one of a list, "a step of record_steps".
        """
        super().__init__(name, value, allowed, item)
        self.name, self.value, self.allowed, self.item = name, value, allowed, item

    def __str__(self) -> str:
        return f"{self.item or self.name} is {value_text(self.value)}: must be {self.allowed}"


class ArgumentTypeError(SettingError, TypeError):
    """An argument of a type that is never allowed; a TypeError too."""


class ArgumentIndexError(ArgumentError, IndexError):
    """An index that an ensemble does not have; an IndexError too."""


class DeviceError(TrainingError):
    """A GPU that failed, or has too little memory."""


class TheoryError(ArgumentError, TypeError):
    """A toy model or schedule that the theory does not cover, or that is none."""


def value_text(value: object) -> str:
    """A value on one line, shortened where it is long."""
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and math.prod(shape) > 8:
            return f"of type {type(value).__name__} and shape {tuple(shape)}"
        # All of a number's digits, where Python writes them; of anything else no more than is shown.
        text = " ".join((repr(value) if isinstance(value, int) else _REPR.repr(value)).split())
    except Exception:  # a stranger's __repr__ may do anything, and Python writes no integer of 5,000 digits
        text = "a number of too many digits" if isinstance(value, int) else f"of type {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
