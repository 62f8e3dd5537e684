"""The block `attention`: the settings of slide 3's pivot tables, checked."""

from collections.abc import Mapping
from typing import Any

from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.config.configuration import AttentionSetting
from superposition_atlas.config.experiments import sae_settings
from superposition_atlas.config.messages import Key, refused, refused_setting
from superposition_atlas.config.schedule_rows import schedule_rows
from superposition_atlas.config.training import training_settings
from superposition_atlas.covered_models import ENCODES, other_setting
from superposition_atlas.errors import SettingError
from superposition_atlas.settings.rules import fields_of


def attention_settings(filled: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, AttentionSetting]:
    """The settings by name.

    Args:
        filled: the checked block with all defaults.
        written: the block as it is written.

    Raises:
        ConfigError: one line that names the first key whose value does not fit the others.
    """
    return {name: _setting(name, block, written[name]) for name, block in filled.items()}


def _setting(name: str, filled: Mapping[str, Any], written: Mapping[str, Any]) -> AttentionSetting:
    key: Key = ("attention", name)
    n_features, seeds = filled["n_features"], filled["seeds"]
    variants = schedule_rows((*key, "probability"), filled["probability"], n_features, None, "probability")
    if len(variants) != 1:
        allowed = "a family with one value a feature (per_instance is for cases)"
        raise refused((*key, "probability"), filled["probability"], allowed)
    if filled["toy_model"]["centred_inputs"]:
        allowed = "false here: tokens are sums of directions"
        raise refused((*key, "toy_model", "centred_inputs"), True, allowed)
    if name_of_other := other_setting(filled["toy_model"], ENCODES):
        allowed = f"{ENCODES[name_of_other][0]} here: tokens are sums of directions"
        raise refused((*key, "toy_model", name_of_other), filled["toy_model"][name_of_other], allowed)
    trained = {name: filled[name] for name in fields_of(AttentionSettings) if name in filled}
    try:
        settings = AttentionSettings(**trained)
    except SettingError as error:
        raise refused_setting(key, error) from None
    return AttentionSetting(
        name=name,
        title=filled["title"] or name,
        n_features=n_features,
        n_hidden=filled["n_hidden"],
        seeds=tuple(seeds if isinstance(seeds, list) else range(seeds)),
        probability=variants[0],
        toy_model=training_settings(
            lambda setting: (*key, "toy_model", setting), filled["toy_model"], n_features
        ),
        sae=_sae((*key, "sae"), filled["sae"], written["sae"], n_features),
        heads=tuple(filled["heads"]),
        training={name: getattr(settings, name) for name in trained},
    )


def _sae(key: Key, filled: Mapping[str, Any], written: Mapping[str, Any], n_features: int) -> dict[str, Any]:
    settings = sae_settings(filled)
    for name, value in written.items():
        if name not in settings:
            raise refused((*key, name), value, "nothing here: every toy model gets one SAE")
    for level in ("sparsity_coefficient", "k"):
        if len(settings[level]) > 1:
            raise refused((*key, level), settings[level], "one number here")
    if settings["n_latents"] < n_features:
        allowed = f"an integer ≥ {n_features}, a latent for each of the n_features"
        raise refused((*key, "n_latents"), settings["n_latents"], allowed)
    return settings
