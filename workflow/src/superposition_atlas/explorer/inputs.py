"""Input of results/explorer.html, for its rule: the atlas's files and the page's program."""

import json
from typing import TYPE_CHECKING, Any

from superposition_atlas.explorer.assemble import page_files
from superposition_atlas.explorer.presets import presets_of
from superposition_atlas.figures import catalogue
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.maps.comparison import search_of
from superposition_atlas.storage import layout

if TYPE_CHECKING:
    from superposition_atlas.config import Config

_PAGE = "workflow/src/superposition_atlas/explorer/page"
_SHARDED = {"schedules": "points", "weights": "weights", "solutions": "solutions"}
"""Sharded table of the map, by the command's argument."""


def explorer_inputs(config: "Config") -> dict[str, list[str]]:
    """Paths by role: points, schedules, weights and solutions of the atlas, if any, and the page's files."""
    atlas_map = catalogue.atlas(config)
    shards = range(atlas_map.shards) if atlas_map else range(0)
    paths = {"points": [layout.map_table(atlas_map.name, "points")] if atlas_map else []}
    for role, table in _SHARDED.items():
        paths[role] = [layout.map_part(atlas_map.name, table, shard) for shard in shards if atlas_map]
    return paths | {"page": [f"{_PAGE}/{name}" for name in page_files()]}


def explorer_patterns(config: "Config") -> dict[str, str]:
    """The sharded inputs in a few letters however many there are: patterns that bash writes out."""
    atlas_map = catalogue.atlas(config)
    if atlas_map is None:
        return dict.fromkeys(_SHARDED, "")
    shards = f"{{0..{atlas_map.shards - 1}}}"
    return {role: layout.map_part(atlas_map.name, table, shards) for role, table in _SHARDED.items()}


def explorer_spec(config: "Config") -> str:
    """Presets in the configuration's order, and how to read the atlas, as the command's JSON."""
    atlas_map = catalogue.atlas(config)
    atlas: dict[str, Any] | None = None
    if atlas_map is not None:
        variant, training = next(iter(atlas_map.variants.items()))
        atlas = {
            "title": atlas_map.title,
            "n_hidden": atlas_map.n_hidden,
            "n_features": atlas_map.n_features,
            "variant": variant,
            "bias": search_of(training.as_dict()),
            "cases": cases_at(atlas_map, config.experiments.values()),
        }
    return json.dumps({"presets": presets_of(config.experiments.values()), "atlas": atlas})
