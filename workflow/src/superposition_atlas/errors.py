"""Errors that a user can mend: the command line prints them as one line and no traceback."""

_LONGEST_VALUE = 60


class AtlasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class ConfigError(AtlasError):
    """A configuration key, named with its value and with what is allowed."""


class ArtefactError(AtlasError):
    """A file of results/ that is missing, truncated, or not what its name says."""


class TrainingError(AtlasError):
    """Training that cannot go on: no such device, or weights that are no longer finite."""


class SettingError(TrainingError):
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


class DeviceError(TrainingError):
    """A GPU that failed, or has too little memory."""


class TheoryError(AtlasError):
    """A toy model or schedule that the theory does not cover."""


def value_text(value: object) -> str:
    """A value on one line, shortened where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        text = "a number of too many digits"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
