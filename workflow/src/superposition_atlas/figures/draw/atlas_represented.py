"""How many features are represented, over schedules: in trained models, in best solutions, as predicted."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from superposition_atlas.figures.parts.atlas_grid import read_atlas
from superposition_atlas.figures.parts.atlas_page import Line, Strip, by_importance, draw_page
from superposition_atlas.figures.parts.atlas_panel import Layers, count_look

_TALLEST = 1.0  # inches


def draw(paths: Mapping[str, Path], variant: str, n_features: int, cases: Mapping[str, str]) -> Figure:
    """Rows: trained, best and predicted, for each family; columns: importance and order.

    Args:
        paths: `points`, of a map.
        variant: way of training.
        n_features: number of features.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    names = [f"{prefix}n_represented" for prefix in ("", "best_", "predicted_")]
    atlas = read_atlas(paths["points"], variant, cases, [*names, "agrees"])
    most = n_features
    fewest = int(atlas.table[names].astype(float).min().min())
    look = count_look(min(fewest, most - 1), most, "features represented")
    lines = [
        Line("trained", Layers(look, "{}", "best_{}")),
        Line("best", Layers(look, "best_{}", "best_{}")),
        Line("predicted", Layers(look, "predicted_{}", "best_{}", "agrees")),
    ]
    strip = Strip(by_importance(atlas, "n_represented"), lines)
    return draw_page(atlas, [strip], _TALLEST, "the best's number changes").figure
