"""Errors that a user can mend: the command line prints them as one line and no traceback."""


class AtlasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class ConfigError(AtlasError):
    """A configuration key, named with its value and with what is allowed."""


class ArtefactError(AtlasError):
    """A file of results/ that is missing, truncated, or not what its name says."""


class TrainingError(AtlasError):
    """Training that cannot begin or go on: a setting, the device, or weights that are no longer finite."""


class DeviceError(TrainingError):
    """A GPU that failed, or has too little memory."""


class ArgumentError(TrainingError, ValueError):
    """An argument out of its range, named with its value and with what is allowed.

    It is a ValueError, as Python's functions raise it, and a TrainingError, as `train` always raised it.
    """


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of a type that is never allowed; a TypeError too."""


class ArgumentIndexError(ArgumentError, IndexError):
    """An index that an ensemble does not have; an IndexError too."""


class TheoryError(ArgumentTypeError):
    """A toy model or schedule that the theory does not cover, or that is none."""
