"""What only the SAEs themselves know of their settings.

It stands apart from `load`, so that the commands that read a configuration do not depend on the code of SAEs.
"""

from superposition_atlas.config.schema import dotted
from superposition_atlas.config.settings import Config
from superposition_atlas.errors import ConfigError, TrainingError
from superposition_atlas.sae.ensemble import SAESettings


def check_saes(config: Config) -> None:
    """Holds the settings of all SAEs to the rules of their architectures.

    Raises:
        ConfigError: one line that names the first SAE whose settings do not go together.
    """
    for experiment in config.experiments.values():
        for sae in experiment.saes.values():
            try:
                SAESettings(**sae.settings)
            except TrainingError as error:
                key = ("experiments", experiment.name, "saes", sae.name)
                raise ConfigError(f"{dotted(key)}: {error}") from None
