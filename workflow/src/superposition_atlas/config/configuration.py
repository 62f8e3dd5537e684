"""A configuration that has been checked: what `load` returns and everything else works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.config.attention import AttentionSetting
from superposition_atlas.config.playground import PlaygroundNetworks
from superposition_atlas.toy_model import TrainingSettings


@dataclass(frozen=True)
class Case:
    """One schedule of importance and probability, and how its toy models are trained.

    Arrays are float64. The variant axis has length 1 where all toy models share the schedule; else the toy
    model of the k-th seed takes variant k mod that length.
    """

    name: str
    title: str
    importance: Float[np.ndarray, "importance_variant feature"]
    """I_i, finite and at least 0, not all 0."""
    probability: Float[np.ndarray, "probability_variant feature"]
    """p_i, above 0 and at most 1."""
    training: TrainingSettings


@dataclass(frozen=True)
class SAE:
    """Sparse autoencoders of one name: one for each of some toy models of a case, and for each λ or k."""

    name: str
    settings: Mapping[str, Any]
    """As `sae.ensemble.SAESettings` names them, plain values; `check_saes` holds them to its rules."""
    record_steps: tuple[int, ...]
    seeds: tuple[int, ...]
    """Seeds of the toy models that get one: the first of the experiment's."""


@dataclass(frozen=True)
class Experiment:
    """One size (n_features, n_hidden), its seeds, and what is trained on them; mappings are by name."""

    name: str
    title: str
    family: str
    """What tables call the base schedule."""
    n_features: int
    n_hidden: int
    seeds: tuple[int, ...]
    shown_seeds: int
    """So many of the seeds, the first ones, are drawn in figures."""
    shards: int
    """Jobs that the seeds of a case are divided among."""
    claims: bool
    """Whether the talk's observations are tested here."""
    cases: dict[str, Case]
    saes: dict[str, SAE]

    @property
    def compares_architectures(self) -> bool:
        """Whether there is more to its SAEs than one level of `relu`."""
        return any(
            sae.settings["architecture"] != "relu" or len(sae.settings["sparsity_coefficient"]) > 1
            for sae in self.saes.values()
        )


@dataclass(frozen=True)
class Map:
    """One size (n_features, n_hidden), its seeds, and the schedules that toy models are trained on."""

    name: str
    title: str
    n_features: int
    n_hidden: int
    seeds: tuple[int, ...]
    """Empty where nothing is trained."""
    variants: dict[str, TrainingSettings]
    """Ways of training by name, at least one."""
    n_starts: int
    """Random starts of the search for best solutions."""
    compare_norms: bool
    """Whether its norms are compared with the published ones."""
    shards: int
    """Jobs that the points are divided among."""
    points: Mapping[str, Any]
    """Their kind and its keys, all axes as lists of float; `maps.points` makes schedules of them."""

    @property
    def main_variant(self) -> str:
        """The way of training that figures and verdicts are of where they show one alone: the first."""
        return next(iter(self.variants))


@dataclass(frozen=True)
class Config:
    """A whole configuration; experiments, maps, networks and settings of attention by name."""

    engine: str
    device: str
    experiments: dict[str, Experiment]
    maps: dict[str, Map]
    playground: dict[str, PlaygroundNetworks]
    attention: dict[str, AttentionSetting]

    @property
    def norm_maps(self) -> list[Map]:
        """Maps whose norms are compared with the published ones; they are of one size."""
        return [described for described in self.maps.values() if described.compare_norms]


def sae_spec(sae: SAE) -> dict[str, Any]:
    """Everything that the training of an SAE depends on beside its toy models, as plain sorted values."""
    whole = {**sae.settings, "record_steps": list(sae.record_steps), "seeds": list(sae.seeds)}
    return dict(sorted(whole.items()))
