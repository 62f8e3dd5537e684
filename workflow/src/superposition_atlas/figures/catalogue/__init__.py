"""Which figures a configuration asks for: what each draws, from which files, and in which section.

The Snakefile makes its targets from this list and the report its sections. A new figure is a module in `draw`
with a caption in workflow/report/captions, and an entry in the module of its subject here.
"""

from dataclasses import replace

from superposition_atlas.config import Config
from superposition_atlas.config.sections import Section
from superposition_atlas.figures.catalogue import (
    atlas_maps,
    attention,
    experiments,
    fractional_dimensions,
    neuron_figures,
    norms,
    observations,
    playground,
    saes,
    slides,
    source_paper,
    structure,
    subjects,
    theory,
)
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.norms import NORMS, PUBLISHED_NORMS
from superposition_atlas.figures.catalogue.subjects import (
    answers,
    beside_the_published_norms,
    compared_experiments,
    matched_cases,
    solved_maps,
)
from superposition_atlas.figures.catalogue.theory import THEORY

atlas = subjects.atlas

__all__ = [
    "NORMS",
    "PUBLISHED_NORMS",
    "THEORY",
    "FigureTarget",
    "answers",
    "atlas",
    "beside_the_published_norms",
    "compared_experiments",
    "figures",
    "matched_cases",
    "solved_maps",
]


def figures(config: Config) -> list[FigureTarget]:
    """All figures of a configuration, in the order of the report."""
    parts = (
        attention.pivot_tables,
        playground.networks,
        slides.motivation,
        saes.polysemanticity,
        slides.uniform,
        saes.sae_slides,
        saes.frames,
        slides.cases,
        norms.published_norms,
        observations.observations,
        observations.initial_scale,
        saes.recovery,
        experiments.of_each_experiment,
        neuron_figures.of_neurons,
        theory.theory_and_training,
        atlas_maps.over_schedules,
        source_paper.source_paper,
        structure.dependent_features,
        fractional_dimensions.fractional_dimensions,
    )
    return [
        replace(figure, section=figure.section or _section(config, figure))
        for part in parts
        for figure in part(config)
    ]


def _section(config: Config, figure: FigureTarget) -> Section:
    """Section of the experiment or map that a figure is labelled with."""
    experiment = config.experiments.get(figure.labels.get("experiment", ""))
    described = config.maps.get(figure.labels.get("map", ""))
    return (experiment and experiment.section) or (described and described.section) or ""
