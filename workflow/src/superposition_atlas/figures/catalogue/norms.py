"""Norms of trained toy models beside those that the post published."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.subjects import beside_the_published_norms, with_figures
from superposition_atlas.storage.layout import experiment_table, norm_table

PUBLISHED_NORMS = "workflow/src/superposition_atlas/maps/published_frobenius_norms.csv"
"""In the checkout, as rules name it; it is a file of the package."""
NORMS = "Published against reproduced"


def published_norms(config: Config) -> Iterator[FigureTarget]:
    """Norms beside the published ones: those of experiments, and those of maps over schedules."""
    for experiment in with_figures(beside_the_published_norms(config), "norms"):
        yield FigureTarget(
            f"{experiment.name}_frobenius_norms",
            "frobenius_norms",
            {"models": experiment_table(experiment.name, "models"), "published": PUBLISHED_NORMS},
            NORMS,
            "Frobenius norms of the trained models by case, with the published maximum of each as a mark.",
            {},
            {"experiment": experiment.name, "title": experiment.title},
            named_after=f"experiments.{experiment.name}",
        )
    yield from _norms_over_schedules(config)


def _norms_over_schedules(config: Config) -> Iterator[FigureTarget]:
    """Which schedules have the norms that the post published, where maps are compared with them."""
    if not config.norm_maps:
        return
    first = config.norm_maps[0]
    variant = next(iter(first.variants))
    labels = {"size": f"{first.n_features} features in {first.n_hidden} dimensions"}
    norms, of_schedules = {"norms": norm_table("points")}, {"norm_schedules": norm_table("schedules")}
    yield FigureTarget(
        "frobenius_norms_map",
        "frobenius_norms_map",
        of_schedules,
        NORMS,
        "For each family and importance, a map over the ends of the schedule: how far its norms are from the "
        "published ones, and how many of them lie within the spread of seeds.",
        {"variant": variant},
        labels,
    )
    yield FigureTarget(
        "frobenius_norms_band",
        "frobenius_norms_band",
        norms | of_schedules,
        NORMS,
        "For each case the norms of all schedules beside the published one, and those of uniform sparsity of "
        "the same mean densities.",
        {"variant": variant},
        labels,
    )
