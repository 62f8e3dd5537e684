"""A configuration that has been checked: what `load` returns and everything else works with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.config.sections import PAPERS, Section
from superposition_atlas.playground.network_settings import Settings
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.toy_model import TrainingSettings


@dataclass(frozen=True)
class Case:
    """One schedule of importance and probability, and how its toy models are trained.

    Arrays are float64. The variant axis has length 1 where all toy models share the schedule; else the toy
    model of the k-th seed takes variant k mod that length.
    """

    name: str
    title: str
    role: str
    """Role in the talk's observations; empty for none."""
    slide: int
    """The talk's slide that shows it; 0 for none."""
    importance: Float[np.ndarray, "importance_variant feature"]
    """I_i, finite and at least 0, not all 0."""
    probability: Float[np.ndarray, "probability_variant feature"]
    """p_i, above 0 and at most 1."""
    training: TrainingSettings
    structure: Intervals | None
    """[probability_variant, feature, 2]; None where all features are independent."""


@dataclass(frozen=True)
class SAE:
    """Sparse autoencoders of one name: one for each of some toy models of a case, and for each λ or k."""

    name: str
    settings: Mapping[str, Any]
    """Keys of `sae.settings.SAESettings` with plain values; `check_saes` checks them against its rules."""
    record_steps: tuple[int, ...]
    seeds: tuple[int, ...]
    """Seeds of the toy models that get one: the first of the experiment's."""
    source: str = ""
    """Where SAEs of the architecture `external` come from; empty for those that are trained."""


@dataclass(frozen=True)
class Experiment:
    """One size (n_features, n_hidden), its seeds, and what is trained on them; mappings are by name."""

    name: str
    title: str
    role: str
    """Role in slides and report; empty for none."""
    section: Section
    """Section of a further paper that shows it; empty for none."""
    family: str
    """Name of the base schedule in tables."""
    n_features: int
    n_hidden: int
    seeds: tuple[int, ...]
    shown_seeds: int
    """Number of seeds that figures draw, the first ones."""
    shards: int
    """Jobs that the seeds of a case are divided among."""
    claims: bool
    """Whether the talk's observations are tested here."""
    cases: dict[str, Case]
    saes: dict[str, SAE]
    figures: tuple[str, ...]
    """Kinds of figures that it may have, beside the slides of its role."""

    def cases_of_role(self, *roles: str) -> list[Case]:
        """The cases that have one of these roles."""
        return [case for case in self.cases.values() if case.role in roles]

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
    role: str
    """`observations` where the talk's observations are judged by it, else empty."""
    section: Section
    """Section of a further paper that shows it; empty for none."""
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
    figures: tuple[str, ...]
    """Kinds of figures that it may have."""

    @property
    def main_variant(self) -> str:
        """The way of training that figures and verdicts are of where they show one alone: the first."""
        return next(iter(self.variants))


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
        """Everything that training depends on, as plain sorted values."""
        return dict(sorted({**self.settings.as_dict(), "seeds": list(self.seeds)}.items()))


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
    """Keys of `sae.settings.SAESettings` with plain values; `check_saes` checks them against its rules."""
    heads: tuple[int, ...]
    """For each number of heads there is a layer of attention on each toy model."""
    training: Mapping[str, Any]
    """Settings of the attention, with the keys of `attention.attention_settings.AttentionSettings`."""

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


@dataclass(frozen=True)
class Config:
    """A whole configuration; experiments, maps, networks and settings of attention by name."""

    engine: str
    device: str
    experiments: dict[str, Experiment]
    maps: dict[str, Map]
    playground: dict[str, PlaygroundNetworks]
    attention: dict[str, AttentionSetting]

    def experiment_of_role(self, role: str) -> Experiment | None:
        """The experiment that has this role, if there is one."""
        return next((each for each in self.experiments.values() if each.role == role), None)

    def map_of_role(self, role: str) -> Map | None:
        """The map that has this role, if there is one."""
        return next((each for each in self.maps.values() if each.role == role), None)

    def without_sections(self) -> "Config":
        """What the report is about: no experiments and maps that a further paper shows."""
        return replace(
            self,
            experiments={name: own for name, own in self.experiments.items() if not own.section},
            maps={name: own for name, own in self.maps.items() if not own.section},
        )

    def papers(self) -> dict[str, tuple[Section, ...]]:
        """Sections of each further paper that there are experiments or maps of; no paper without any."""
        there = {own.section for own in self.experiments.values()}
        there |= {own.section for own in self.maps.values()}
        found = {name: tuple(own for own in sections if own in there) for name, sections in PAPERS.items()}
        return {name: sections for name, sections in found.items() if sections}

    @property
    def norm_maps(self) -> list[Map]:
        """Maps whose norms are compared with the published ones; they are of one size."""
        return [each for each in self.maps.values() if each.compare_norms]


def sae_spec(sae: SAE) -> dict[str, Any]:
    """Everything that the training of an SAE depends on beside its toy models, as plain sorted values."""
    if sae.source:
        return {
            "architecture": sae.settings["architecture"],
            "n_latents": sae.settings["n_latents"],
            "seeds": list(sae.seeds),
            "source": sae.source,
        }
    whole = {**sae.settings, "record_steps": list(sae.record_steps), "seeds": list(sae.seeds)}
    return dict(sorted(whole.items()))
