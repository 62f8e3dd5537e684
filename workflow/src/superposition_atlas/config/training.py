"""Settings of training as a configuration has them: what their declaration can't say of them."""

from collections.abc import Callable, Mapping
from typing import Any

from superposition_atlas.config.messages import Key, refused, refused_setting
from superposition_atlas.errors import SettingError
from superposition_atlas.toy_model import TrainingSettings


def training_settings(
    at: Callable[[str], Key], settings: Mapping[str, Any], n_features: int
) -> TrainingSettings:
    """The keys of `training`, complete, as settings.

    Args:
        at: where a setting stands, by name.
        settings: all of them.
        n_features: number of features, n.

    Raises:
        ConfigError: one line that names the first setting that does not go with the others.
    """
    check_record_steps(at("record_steps"), settings["record_steps"], settings["steps"])
    try:
        training = TrainingSettings(**settings)
        training.check_bias(n_features)
    except SettingError as error:
        raise refused_setting(at(error.name)[:-1], error) from None
    return training


def check_record_steps(key: Key, record_steps: list[int], steps: int) -> None:
    """Raises a ConfigError unless the steps ascend from at least 0 to at most `steps`."""
    if record_steps != sorted(record_steps):
        raise refused(key, record_steps, "a list in ascending order")
    for index, step in enumerate(record_steps):
        if step > steps:
            raise refused((*key, index), step, f"an integer ≥ 0 and ≤ {steps}, the steps")
