"""Which toy models a function is about: others are refused in one line."""

from collections.abc import Collection, Mapping
from typing import Any

from superposition_atlas.errors import ArgumentError, value_text

PLAIN: dict[str, tuple[object, ...]] = {
    "hidden": ("linear",),
    "output_weights": ("tied",),
    "target": ("inputs",),
}
"""Settings of toy models that reconstruct their inputs by Wᵀ W, with the values that they have."""

POSITIVE: dict[str, tuple[object, ...]] = {"magnitudes": ("uniform", "binary", "exponential", "lognormal")}
"""Magnitudes above 0."""

ENCODES: dict[str, tuple[object, ...]] = {"hidden": ("linear",), **POSITIVE}
"""Settings of toy models whose h is a sum of the directions of active features, each times its magnitude."""


def other_setting(settings: Any, allowed: Mapping[str, tuple[object, ...]]) -> str:
    """The first of these settings that has another value than is allowed; empty if none has.

    Args:
        settings: a `TrainingSettings`, or a mapping of settings, whose missing ones are as allowed.
        allowed: values by name.
    """
    values = settings if isinstance(settings, dict) else vars(settings)
    return next((name for name, own in allowed.items() if values.get(name, own[0]) not in own), "")


def require_settings(given: Any, what: str, allowed: Mapping[str, tuple[object, ...]]) -> None:
    """Raises ArgumentError if toy models were trained with other settings than `what` is about.

    Args:
        given: toy models; anything without settings passes.
        what: "an exact loss".
        allowed: values by name, such as PLAIN.
    """
    settings = getattr(given, "settings", None)
    if settings is None or not (name := other_setting(settings, allowed)):
        return
    value = value_text(getattr(settings, name))
    raise ArgumentError(f"{name} of the toy models is {value}: must be {_listed(allowed[name])} for {what}")


def _listed(values: Collection[object]) -> str:
    *others, last = (repr(value) for value in values)
    return f"{', '.join(others)} or {last}" if others else last
