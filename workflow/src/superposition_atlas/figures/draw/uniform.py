"""Slide 7: uniform sparsity, one density a toy model, as directions in the plane and as bars."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import bar_panels, planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MOST = 8
_LEFT, _ABOVE = 0.32, 0.24  # inches


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a density, the densest on the left: its first toy model that is shown.

    Args:
        paths: `features`, the case's table.
    """
    features = rows.read(
        paths["features"], [*rows.PLANE_COLUMNS, "probability", "norm", "polysemanticity", "importance"]
    )
    models = rows.one_a_density(rows.toy_models(features), _MOST)
    limit = planes.common_limit((model.weights for model in models), labels=True)
    longest = max(float(model.values("norm").max()) for model in models)
    n_features = len(models[0].weights)

    cell = (style.WIDTH - _LEFT) / max(len(models), 4)
    plane, bars = min(cell - 0.04, 1.2), 1.0
    canvas = Canvas(_ABOVE + plane + bars + 1.0)
    for column, model in enumerate(models):
        left = _LEFT + column * cell + 0.02
        above = canvas.axes(left, _ABOVE, plane, plane)
        planes.frame_plane(above, limit)
        planes.draw_features(above, model.weights, model.represented, size=0.85)
        above.set_title(style.percent(1 - model.values("probability")[0]), pad=2)
        below = canvas.axes(left + 0.04, _ABOVE + plane + 0.08, plane - 0.08, bars)
        bar_panels.draw_bars(below, model, longest)
        below.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        below.spines["bottom"].set_visible(True)
        if column == 0:
            bar_panels.name_features(below, n_features)
            below.set_ylabel("feature")
        canvas.text(
            left + plane / 2,
            _ABOVE + plane + bars + 0.36,
            f"{model.n_represented} of {n_features}",
            ha="center",
            fontsize=7,
        )
    canvas.text(0.02, _ABOVE - 0.06, "S =", fontsize=8)
    bar_panels.scale(
        canvas.axes(style.WIDTH / 2 - 1.4, _ABOVE + plane + bars + 0.5, 2.8, 0.07),
        ScalarMappable(style.POLYSEMANTICITY_RANGE, style.POLYSEMANTICITY),
        f"bars: length {style.NORM}, colour {style.SUPERPOSITION}, blank if not represented",
        [0, 0.25, 0.5, 0.75, 1],
    )
    return canvas.figure
