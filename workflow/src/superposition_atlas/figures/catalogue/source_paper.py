"""Figures of *Toy Models of Superposition* again: those of `results/tms.pdf` that no other subject draws."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.subjects import drawn_maps
from superposition_atlas.storage.layout import case_table, map_table

SOURCE_PAPER = "Toy Models of Superposition"
"""Category of these figures."""


def source_paper(config: Config) -> Iterator[FigureTarget]:
    """Basic results and phase diagrams."""
    yield from _basic_results(config)
    yield from _phase_diagrams(config)


def _basic_results(config: Config) -> Iterator[FigureTarget]:
    for experiment in config.experiments.values():
        if experiment.section == "basic_results":
            name, cases = experiment.name, experiment.cases
            yield FigureTarget(
                f"{name}_basic_results",
                "basic_results",
                {f"features.{case}": case_table(name, case, "features") for case in cases},
                SOURCE_PAPER,
                "Heat maps of WᵀW and bars of feature norms, a column for each density and a row for each "
                "output function; below, numbers of represented and dedicated features over density.",
                {"titles": {case.name: case.title for case in cases.values()}},
                {"experiment": name, "title": experiment.title},
                named_after=f"experiments.{name}",
            )


def _phase_diagrams(config: Config) -> Iterator[FigureTarget]:
    for described in drawn_maps(config, "phases", "phases"):
        name = described.name
        if described.seeds:
            yield FigureTarget(
                f"{name}_phases",
                "phase_diagram",
                {"phases": map_table(name, "phases"), "borders": map_table(name, "phase_borders")},
                SOURCE_PAPER,
                "Two squares over density and the last feature's importance, means of toy models and the "
                "best solution: where that feature is not represented, in superposition or dedicated, with "
                "lines for the borders in closed form and crosses where the two squares differ.",
                {"variant": described.main_variant},
                {"map": name, "title": described.title},
                named_after=f"maps.{name}",
            )
