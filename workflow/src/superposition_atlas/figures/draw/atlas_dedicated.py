"""How many features are dedicated, over schedules: in trained toy models and in best solutions."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from superposition_atlas.figures.parts.atlas_grid import read_atlas
from superposition_atlas.figures.parts.atlas_page import Line, Strip, by_importance, draw_page
from superposition_atlas.figures.parts.atlas_panel import Layers, count_look

_TALLEST = 1.05  # inches


def draw(paths: Mapping[str, Path], variant: str, n_hidden: int, cases: Mapping[str, str]) -> Figure:
    """Rows: trained and best, for each family; columns: importance and order.

    Args:
        paths: `points`, of a map.
        variant: way of training.
        n_hidden: number of hidden dimensions; each has room for one dedicated feature.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    atlas = read_atlas(paths["points"], variant, cases, ["n_dedicated", "best_n_dedicated"])
    look = count_look(0, n_hidden, "dedicated features")
    lines = [
        Line("trained", Layers(look, "{}", "best_{}")),
        Line("best", Layers(look, "best_{}", "best_{}")),
    ]
    strip = Strip(by_importance(atlas, "n_dedicated"), lines)
    return draw_page(atlas, [strip], _TALLEST, "the best's number changes").figure
