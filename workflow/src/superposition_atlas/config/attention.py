"""The block `attention`: the settings of slide 3's pivot tables, checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.config.schema import Key, definition, wrong, wrong_to_the_library
from superposition_atlas.errors import TrainingError
from superposition_atlas.toy_model import TrainingSettings

ReadRows = Callable[[Key, Mapping[str, Any], int, None, str], Float[np.ndarray, "variant feature"]]


@dataclass(frozen=True)
class AttentionSetting:
    """Toy models, an SAE on each, and layers of attention on their tokens."""

    name: str
    title: str
    n_features: int
    n_hidden: int
    seeds: tuple[int, ...]
    probability: Float[np.ndarray, " feature"]
    """p_i, above 0 and at most 1, of a feature in any token."""
    toy_model: TrainingSettings
    sae: Mapping[str, Any]
    """As `sae.ensemble.SAESettings` names them, plain values; `check_saes` holds them to its rules."""
    heads: tuple[int, ...]
    """For each number of heads there is a layer of attention on each toy model."""
    training: Mapping[str, Any]
    """Of the attention, as `attention.settings.AttentionSettings` names them."""

    @property
    def spec(self) -> dict[str, Any]:
        """All that the setting's results depend on, as plain sorted values."""
        return {
            "heads": list(self.heads),
            "n_features": self.n_features,
            "n_hidden": self.n_hidden,
            "probability": self.probability.tolist(),
            "sae": dict(sorted(self.sae.items())),
            "seeds": list(self.seeds),
            "toy_model": self.toy_model.as_dict(),
            "training": dict(sorted(self.training.items())),
        }


def attention_settings(
    filled: Mapping[str, Any], written: Mapping[str, Any], rows: ReadRows
) -> dict[str, AttentionSetting]:
    """The settings by name.

    Args:
        filled: the block with all defaults.
        written: the block as it is written.
        rows: reads a schedule.

    Raises:
        ConfigError: one line that names the first key that is wrong.
    """
    return {name: _setting(name, own, written[name], rows) for name, own in filled.items()}


def _setting(
    name: str, filled: Mapping[str, Any], written: Mapping[str, Any], rows: ReadRows
) -> AttentionSetting:
    key: Key = ("attention", name)
    n_features, seeds = filled["n_features"], filled["seeds"]
    keys = definition("sae")["properties"]
    variants = rows((*key, "probability"), filled["probability"], n_features, None, "probability")
    if len(variants) != 1:
        allowed = "a family with one value a feature (per_instance is for cases)"
        raise wrong((*key, "probability"), filled["probability"], allowed)
    sae = {name: value for name, value in filled["sae"].items() if name not in ("seeds", "record_steps")}
    for left_out, value in written["sae"].items():
        if left_out not in sae:
            raise wrong((*key, "sae", left_out), value, "nothing here: every toy model gets one SAE")
    for level in ("sparsity_coefficient", "k"):
        if isinstance(sae[level], list) and len(sae[level]) > 1:
            raise wrong((*key, "sae", level), sae[level], "one number here")
        sae[level] = sae[level] if isinstance(sae[level], list) else [sae[level]]
    sae["sparsity_coefficient"] = [float(value) for value in sae["sparsity_coefficient"]]
    # 1 and 1.0 are the same setting, and must be the same parameter to Snakemake.
    sae |= {name: float(sae[name]) for name in sae if keys[name].get("type") == "number"}
    if sae["n_latents"] < n_features:
        allowed = f"an integer ≥ {n_features}, a latent for each of the n_features"
        raise wrong((*key, "sae", "n_latents"), sae["n_latents"], allowed)
    if filled["toy_model"]["centred_inputs"]:
        raise wrong((*key, "toy_model", "centred_inputs"), True, "false here: tokens are sums of directions")
    training = {
        "n_keys": filled["n_keys"],
        "steps": filled["steps"],
        "batch_size": filled["batch_size"],
        "learning_rate": float(filled["learning_rate"]),
    }
    try:
        AttentionSettings(**training)
    except TrainingError as error:
        raise wrong_to_the_library(key, error) from None
    return AttentionSetting(
        name=name,
        title=filled["title"] or name,
        n_features=n_features,
        n_hidden=filled["n_hidden"],
        seeds=tuple(seeds if isinstance(seeds, list) else range(seeds)),
        probability=variants[0],
        toy_model=_toy_model((*key, "toy_model"), filled["toy_model"]),
        sae=sae,
        heads=tuple(filled["heads"]),
        training=training,
    )


def _toy_model(key: Key, filled: Mapping[str, Any]) -> TrainingSettings:
    try:
        return TrainingSettings(**filled)
    except TrainingError as error:
        raise wrong_to_the_library(key, error) from None
