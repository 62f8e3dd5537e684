"""Checks of SAE settings that need the code of SAEs.

It stands apart from `load`, so that the commands that read a configuration do not depend on the code of SAEs.
"""

from collections.abc import Mapping
from typing import Any

from superposition_atlas.config.configuration import Config
from superposition_atlas.config.messages import Key, hint, refused, refused_setting
from superposition_atlas.errors import SettingError
from superposition_atlas.sae.architectures import registry
from superposition_atlas.sae.settings import EXTERNAL, SAESettings
from superposition_atlas.settings.rules import Choice


def check_saes(config: Config) -> None:
    """Holds the settings of all SAEs to the rules of their architectures.

    Raises:
        ConfigError: one line that names the first SAE whose settings do not go together.
    """
    for experiment in config.experiments.values():
        for sae in experiment.saes.values():
            key = ("experiments", experiment.name, "saes", sae.name)
            _check(key, sae.settings)
            if bool(sae.source) != (sae.settings["architecture"] == EXTERNAL):
                allowed = "module:function or a path with architecture external, else nothing"
                raise refused((*key, "source"), sae.source, allowed)
    for setting in config.attention.values():
        _check(("attention", setting.name, "sae"), setting.sae)
        if setting.sae["architecture"] == EXTERNAL:
            raise refused(
                ("attention", setting.name, "sae", "architecture"), EXTERNAL, ", ".join(registry.names())
            )


def _check(key: Key, settings: Mapping[str, Any]) -> None:
    try:
        SAESettings(**settings)
    except SettingError as error:
        is_name = error.name == "architecture"
        meant = hint(error.value, Choice(registry.names())) if is_name else ""
        raise refused_setting(key, error, meant) from None
