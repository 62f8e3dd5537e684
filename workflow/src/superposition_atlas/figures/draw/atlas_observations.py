"""The talk's observations over schedules: where they hold for toy models and for the best solutions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from superposition_atlas.figures.parts.atlas_grid import Atlas, read_atlas
from superposition_atlas.figures.parts.atlas_page import Group, Line, Strip, by_importance, draw_page
from superposition_atlas.figures.parts.atlas_panel import ANSWER, SHARE, Layers
from superposition_atlas.observations.map_observations import OBSERVATIONS, MapObservation

_TALLEST, _TITLE_ROOM = 0.8, 1.12  # inches


def draw(paths: Mapping[str, Path], variant: str, cases: Mapping[str, str]) -> Figure:
    """Rows: trained and best, for each family; columns: those that an observation speaks of.

    Args:
        paths: `points`, of a map.
        variant: way of training.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    names = [f"{prefix}{own.column}" for own in OBSERVATIONS for prefix in ("", "best_")]
    atlas = _without_the_densest_of_equals(read_atlas(paths["points"], variant, cases, names))
    lines = [
        Line("trained", Layers(SHARE, "{}", "best_{}")),
        Line("best", Layers(ANSWER, "best_{}", "best_{}")),
    ]
    first, *others = OBSERVATIONS
    strips = [Strip(by_importance(atlas, first.column), lines, f"{first.name}: {first.statement}")]
    groups = [group for own in others for group in _groups(atlas, own)]
    if groups:
        strips.append(Strip(groups, lines, title_room=_TITLE_ROOM))
    return draw_page(atlas, strips, _TALLEST, "the best's answer changes").figure


def _without_the_densest_of_equals(atlas: Atlas) -> Atlas:
    """Blanks the densest feature where all features are equally dense."""
    columns = ["densest_dropped", "best_densest_dropped"]
    differ = atlas.table["steepness"] > 1
    blank = {name: atlas.table[name].where(differ) for name in columns}
    return replace(atlas, table=atlas.table.assign(**blank))


def _groups(atlas: Atlas, own: MapObservation) -> list[Group]:
    """The columns that an observation speaks of as one group, or none."""
    columns = [column for column in atlas.columns if own.speaks_of(column.importance_ratio, column.order)]
    headings = [[column.importance, column.order_words] for column in columns]
    return [Group(f"{own.name}: {own.statement}", columns, headings, own.column)] if columns else []
