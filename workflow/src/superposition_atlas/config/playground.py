"""The playground's part of a configuration: what no schema can say of slide 4's networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from superposition_atlas.config.schema import Key, wrong, wrong_to_the_library
from superposition_atlas.errors import TrainingError
from superposition_atlas.playground.network_settings import Settings


@dataclass(frozen=True)
class PlaygroundNetworks:
    """Networks of one name: one a seed."""

    name: str
    title: str
    settings: Settings
    seeds: tuple[int, ...]
    """The network of the first one is drawn."""

    @property
    def spec(self) -> dict[str, Any]:
        """Everything that their training depends on, as plain sorted values."""
        return dict(sorted({**self.settings.as_dict(), "seeds": list(self.seeds)}.items()))


def playground_networks(filled: Mapping[str, Any]) -> dict[str, PlaygroundNetworks]:
    """The networks by name.

    Args:
        filled: the part as the schema allows it, with defaults filled in.

    Raises:
        ConfigError: one line that names the first key whose value does not fit the others.
    """
    return {name: _networks(name, own) for name, own in filled.items()}


_NUMBERS = ("noise", "training_share", "learning_rate", "regularization_rate")


def _networks(name: str, filled: Mapping[str, Any]) -> PlaygroundNetworks:
    values = dict(filled)
    title, seeds = values.pop("title"), values.pop("seeds")
    key: Key = ("playground", name)
    n_training = round(values["n_points"] * values["training_share"] / 100)
    if values["batch_size"] > n_training:
        allowed = f"an integer ≥ 1 and ≤ {n_training}, the number of points to learn from"
        raise wrong((*key, "batch_size"), values["batch_size"], allowed)
    if values["regularization"] == "none" and values["regularization_rate"] > 0:
        allowed = "0 with the regularization none (l1 and l2 take a number ≥ 0)"
        raise wrong((*key, "regularization_rate"), values["regularization_rate"], allowed)
    # 1 and 1.0 are the same setting, and must be the same parameter to Snakemake.
    try:
        settings = Settings(**{**values, **{number: float(values[number]) for number in _NUMBERS}})
    except TrainingError as error:
        raise wrong_to_the_library(key, error) from None
    return PlaygroundNetworks(
        name=name,
        title=title or name,
        settings=settings,
        seeds=tuple(seeds if isinstance(seeds, list) else range(seeds)),
    )
