"""Figures about fractions of a dimension, in `results/tms.pdf`: geometry, energy levels and vulnerability."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.config.sections import Section
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.source_paper import SOURCE_PAPER
from superposition_atlas.storage.layout import experiment_table

_FIGURES: dict[Section, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "geometry": (
        (
            "dimensionalities",
            ("polytopes",),
            "Each feature's fraction of a dimension over the inverse density, with lines at 1, 3/4, 2/3, "
            "1/2, 2/5 and 3/8, marked by the polytope that it belongs to, and the dimensions per feature as "
            "a band.",
        ),
        (
            "fractions",
            ("fractions",),
            "A row for each fraction: the share of features near it beside the share by chance, and the "
            "share of these that belong to its polytope.",
        ),
    ),
    "energy_levels": (
        (
            "energy_levels",
            ("learning", "jumps"),
            "A column for each case: every feature's fraction of a dimension over training steps, with jumps "
            "marked, and below it the held-out loss and the steps at which features jump.",
        ),
    ),
    "vulnerability": (
        (
            "vulnerability",
            ("attacks",),
            "Vulnerability to two attacks, and features per dimension, over the inverse density; beside it "
            "vulnerability over features per dimension.",
        ),
    ),
}
"""Module, tables and alternative text of the figures of each section."""


def fractional_dimensions(config: Config) -> Iterator[FigureTarget]:
    """Figures of each experiment of these sections."""
    for experiment in config.experiments.values():
        for module, tables, alt in _FIGURES.get(experiment.section, ()):
            yield FigureTarget(
                f"{experiment.name}_{module}",
                module,
                {table: experiment_table(experiment.name, table) for table in tables},
                SOURCE_PAPER,
                alt,
                {"titles": {case.name: case.title for case in experiment.cases.values()}},
                {"experiment": experiment.name, "title": experiment.title},
                named_after=f"experiments.{experiment.name}",
            )
