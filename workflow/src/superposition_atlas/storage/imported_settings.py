"""Settings of toy models from elsewhere: what they compute is known, how they were trained is not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from superposition_atlas.toy_model import TrainingSettings

_KNOWN = ("output", "hidden", "output_weights", "centred_inputs", "magnitudes")
"""Settings that say what a toy model computes, and on what."""


@dataclass(frozen=True, repr=False)
class ImportedSettings(TrainingSettings):
    """What imported toy models compute, and on what. All other settings have defaults that mean nothing."""

    def __post_init__(self) -> None:
        """Holds values to what `TrainingSettings` declares."""
        for name, value in asdict(TrainingSettings(**asdict(self))).items():
            object.__setattr__(self, name, value)

    def summary(self) -> dict[str, object]:
        """What a repr says of the training."""
        return {"training": "unknown (imported)"}

    def unknown(self) -> frozenset[str]:
        """Names of the settings that nobody knows."""
        return frozenset(self.as_dict()) - set(_KNOWN)


def stated(settings: TrainingSettings) -> dict[str, Any]:
    """What a file says of settings: those that are known."""
    return {name: value for name, value in settings.as_dict().items() if name not in settings.unknown()}


def settings_of(written: Mapping[str, Any]) -> TrainingSettings:
    """The settings that `stated` wrote.

    Raises:
        TypeError: if there is no such setting.
        SettingError: if a value is not allowed.
    """
    kind = TrainingSettings if "steps" in written else ImportedSettings
    return kind(**written)
