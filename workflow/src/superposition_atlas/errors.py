"""Errors that a user can mend: the command line prints them as one line and no traceback."""


class AtlasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class ConfigError(AtlasError):
    """A configuration key, named with its value and with what is allowed."""


class ArtefactError(AtlasError):
    """A file of results/ that is missing, truncated, or not what its name says."""


class TrainingError(AtlasError):
    """Training that cannot go on: no such device, or weights that are no longer finite."""


class DeviceError(TrainingError):
    """A GPU that failed, or has too little memory."""


class TheoryError(AtlasError):
    """A toy model or schedule that the theory does not cover."""
