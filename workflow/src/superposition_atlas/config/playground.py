"""The playground's part of a configuration: what its declaration can't say of slide 4's networks."""

from collections.abc import Mapping
from typing import Any

from superposition_atlas.config.configuration import PlaygroundNetworks
from superposition_atlas.config.messages import refused_setting
from superposition_atlas.errors import SettingError
from superposition_atlas.playground.network_settings import Settings


def playground_networks(filled: Mapping[str, Any]) -> dict[str, PlaygroundNetworks]:
    """The networks by name.

    Args:
        filled: the checked block with all defaults.

    Raises:
        ConfigError: one line that names the first key whose value does not fit the others.
    """
    return {name: _networks(name, own) for name, own in filled.items()}


def _networks(name: str, filled: Mapping[str, Any]) -> PlaygroundNetworks:
    values = dict(filled)
    title, seeds = values.pop("title"), values.pop("seeds")
    try:
        settings = Settings(**values)
    except SettingError as error:
        raise refused_setting(("playground", name), error) from None
    return PlaygroundNetworks(
        name=name,
        title=title or name,
        settings=settings,
        seeds=tuple(seeds if isinstance(seeds, list) else range(seeds)),
    )
