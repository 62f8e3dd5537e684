"""The talk's observations over schedules: where they hold for toy models and for the best solutions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from superposition_atlas.figures.parts.atlas_grid import Atlas, Column, read_atlas
from superposition_atlas.figures.parts.atlas_page import Group, Line, Strip, by_importance, draw_page
from superposition_atlas.figures.parts.atlas_panel import ANSWER, SHARE, Layers
from superposition_atlas.observations.definitions import DRAWN, Observation, is_about

_TALLEST, _TITLE_ROOM = 0.8, 1.12  # inches


def draw(paths: Mapping[str, Path], variant: str, cases: Mapping[str, str]) -> Figure:
    """Rows: trained and best, for each family; columns: those that an observation speaks of.

    Args:
        paths: `points`, of a map.
        variant: way of training.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    names = [
        f"{prefix}{column}" for column in {own.column: None for own in DRAWN} for prefix in ("", "best_")
    ]
    atlas = _of_each_observation(read_atlas(paths["points"], variant, cases, ["observations", *names]))
    lines = [
        Line("trained", Layers(SHARE, "{}", "best_{}")),
        Line("best", Layers(ANSWER, "best_{}", "best_{}")),
    ]
    strips = []
    everywhere = [own for own in DRAWN if _columns(atlas, own) == atlas.columns]
    for own in everywhere:
        strips.append(Strip(by_importance(atlas, own.name), lines, f"{own.name}: {own.brief}"))
    groups = [_group(atlas, own) for own in DRAWN if own not in everywhere and _columns(atlas, own)]
    if groups:
        strips.append(Strip(groups, lines, title_room=_TITLE_ROOM))
    return draw_page(atlas, strips, _TALLEST, "the best's answer changes").figure


def _of_each_observation(atlas: Atlas) -> Atlas:
    """The atlas with an observation's answers under its name: NaN where it is not about the schedule."""
    about = {
        own.name: atlas.table["observations"].map(lambda names, name=own.name: is_about(names, name))
        for own in DRAWN
    }
    answers = {
        f"{prefix}{own.name}": atlas.table[f"{prefix}{own.column}"].astype(float).where(about[own.name])
        for own in DRAWN
        for prefix in ("", "best_")
    }
    return replace(atlas, table=atlas.table.assign(**answers))


def _columns(atlas: Atlas, own: Observation) -> list[Column]:
    """The columns with a schedule that an observation is about."""
    known = atlas.table[atlas.table[own.name].notna()]
    there = set(zip(known["importance_ratio"], known["order"], strict=True))
    return [column for column in atlas.columns if (column.importance_ratio, column.order) in there]


def _group(atlas: Atlas, own: Observation) -> Group:
    columns = _columns(atlas, own)
    headings = [[column.importance, column.order_words] for column in columns]
    return Group(f"{own.name}: {own.brief}", columns, headings, own.name)
