"""The atlas: what is represented, over schedules."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Map
from superposition_atlas.figures.catalogue import subjects
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.maps.comparison import search_of
from superposition_atlas.storage.layout import MATCHING, map_table
from superposition_atlas.theory.limits import LARGEST_SOLVED


def over_schedules(config: Config) -> Iterator[FigureTarget]:
    """Numbers represented of every such map; dedicated, loss gap and observations of the talk's."""
    for each in config.maps.values():
        if "atlas" in each.figures and {"mean_density", "steepness"} <= set(each.points):
            yield _by_order(config, each)
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


def _by_order(config: Config, described: Map) -> FigureTarget:
    has_matching = search_of(described.variants[described.main_variant].as_dict()) == "trained"
    panels = {
        "best": described.n_features <= LARGEST_SOLVED,
        "trained": bool(described.seeds),
        "rule": has_matching or not described.seeds,
    }
    return FigureTarget(
        f"{described.name}_by_order",
        "atlas_by_order",
        {table: map_table(described.name, table) for table in ("points", MATCHING)},
        "Atlas",
        "Small maps of mean density over signed steepness, a row each family and importance: numbers of "
        "represented features in best solutions, in training and by the matching; dots for the talk's cases.",
        {
            "variant": described.main_variant if described.seeds else "",
            "panels": [name for name, is_there in panels.items() if is_there],
            "cases": cases_at(described, config.experiments.values()),
        },
        {"map": described.name, "title": described.title},
        named_after=f"maps.{described.name}",
    )
