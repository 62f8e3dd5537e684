"""The atlas: what is represented, over schedules."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue import subjects
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.storage.layout import map_table


def over_schedules(config: Config) -> Iterator[FigureTarget]:
    """Numbers represented and dedicated, loss gap and observations, over mean density and steepness."""
    described = subjects.atlas(config)
    if described is None or "atlas" not in described.figures:
        return
    drawn = {
        "variant": next(iter(described.variants)),
        "cases": cases_at(described, config.experiments.values()),
    }
    panels = "Small maps of mean density over steepness, a column for each importance and order"
    for module, shown, sizes in (
        (
            "atlas_represented",
            "the number of represented features in trained toy models, in best solutions, as predicted",
            {"n_features": described.n_features},
        ),
        (
            "atlas_dedicated",
            "the number of dedicated features in trained toy models and in best solutions",
            {"n_hidden": described.n_hidden},
        ),
        (
            "atlas_gap",
            "the share of seeds that keep the best solution's features, their median and least excess loss",
            {},
        ),
        (
            "atlas_observations",
            "the share of seeds that show each observation, and whether the best solution does",
            {},
        ),
    ):
        yield FigureTarget(
            module,
            module,
            {"points": map_table(described.name, "points")},
            "Atlas",
            f"{panels}: {shown}.",
            {**drawn, **sizes},
            {"title": described.title},
        )
