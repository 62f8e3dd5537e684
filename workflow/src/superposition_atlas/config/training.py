"""Settings of training as a configuration has them: what no schema can say of them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from superposition_atlas.config.schema import Key, wrong, wrong_to_the_library
from superposition_atlas.errors import TrainingError
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

    def check(name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise wrong(at(name), settings[name], allowed)

    steps, optimizer, bias = settings["steps"], settings["optimizer"], settings["bias"]
    short = settings["warmup_steps"] < max(steps, 1)
    check("warmup_steps", short, f"an integer ≥ 0 and < {steps}, the steps")
    decays = optimizer != "adam" or settings["weight_decay"] in (0, "default")
    check("weight_decay", decays, "0 with the optimizer adam (adamw and sgd take a number ≥ 0)")
    if optimizer == "sgd":
        check("momentum", settings["momentum"] < 1, "a number ≥ 0 and < 1")
    else:
        check("momentum", settings["momentum"] == 0, f"0 with the optimizer {optimizer} (sgd has momentum)")
    if isinstance(bias, list):
        allowed = f"a list of {n_features} numbers, one a feature (it has {len(bias)})"
        check("bias", len(bias) == n_features, allowed)
    check_record_steps(at("record_steps"), settings["record_steps"], steps)
    # 1 and 1.0 are the same setting, and must be the same parameter to Snakemake.
    scale, decay = settings["init_scale"], settings["weight_decay"]
    plain = {
        **settings,
        "learning_rate": float(settings["learning_rate"]),
        "init_scale": scale if isinstance(scale, str) else float(scale),
        "weight_decay": decay if isinstance(decay, str) else float(decay),
        "momentum": float(settings["momentum"]),
    }
    try:
        return TrainingSettings(**plain)
    except TrainingError as error:
        # A message begins with the setting's name: where that one stands, all stand.
        name = next((name for name in settings if re.search(rf"\b{name} is ", str(error))), "")
        raise wrong_to_the_library(at(name)[:-1], error) from None


def check_record_steps(key: Key, record_steps: list[int], steps: int) -> None:
    """Raises a ConfigError unless the steps ascend from at least 0 to at most `steps`."""
    if record_steps != sorted(record_steps):
        raise wrong(key, record_steps, "a list in ascending order")
    for index, step in enumerate(record_steps):
        if step > steps:
            raise wrong((*key, index), step, f"an integer ≥ 0 and ≤ {steps}, the steps")
