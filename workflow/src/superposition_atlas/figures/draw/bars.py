"""Slides 14 and 16 and their like: feature norms as bars coloured by superposition, and WᵀW."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import bar_panels, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MODELS = 4
_COLUMNS = 2
# Inches.
_LEFT, _PROFILE, _BARS, _MAP = 0.36, 0.6, 0.76, 1.7
_ABOVE, _BELOW, _GAP = 0.3, 0.2, 0.2
_SCALE = 2.2


def draw(paths: Mapping[str, Path], title: str = "") -> Figure:
    """Bars and WᵀW of the first shown seeds, features downwards; on the left the case's schedule.

    Args:
        paths: `features`, the case's table.
        title: of the case, written above.
    """
    columns = [*rows.PLANE_COLUMNS, "norm", "polysemanticity", "dedicated", "importance", "probability"]
    shown = rows.toy_models(rows.read(paths["features"], columns))
    importance, probability = (rows.schedules_of(shown, name) for name in ("importance", "probability"))
    n_variants = len(probability)
    models = shown[:_MODELS] if n_variants == 1 else rows.one_a_density(shown, _MODELS)
    n_rows = -(-len(models) // _COLUMNS)
    n_features = len(models[0].weights)
    row_height = _ABOVE + _MAP + _BELOW
    above = 0.2 if title else 0.0
    canvas = Canvas(above + row_height * n_rows + 0.62)
    if title:
        canvas.text(
            style.WIDTH / 2,
            0.03,
            style.literal(title),
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold",
        )
    longest = max(float(model.values("norm").max()) for model in models)

    for row in range(n_rows):
        axes = canvas.axes(_LEFT, above + row * row_height + _ABOVE, _PROFILE, _MAP)
        _profile(axes, importance, probability)
        bar_panels.name_features(axes, n_features)
        axes.set_ylabel("feature")
    for index, model in enumerate(models):
        row, column = divmod(index, _COLUMNS)
        top = above + row * row_height + _ABOVE
        left = _LEFT + _PROFILE + _GAP + column * (_BARS + 0.05 + _MAP + _GAP)
        axes = canvas.axes(left, top, _BARS, _MAP)
        bar_panels.draw_bars(axes, model, longest)
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        axes.spines["bottom"].set_visible(True)
        bar_panels.draw_products(canvas.axes(left + _BARS + 0.05, top, _MAP, _MAP), model, longest**2)
        canvas.text(left, top - 0.06, _heading(model, n_variants), fontsize=7.5)
    scales = above + row_height * n_rows + 0.12
    first = _LEFT + _PROFILE + _GAP
    bar_panels.scale(
        canvas.axes(first, scales, _SCALE, 0.07),
        ScalarMappable(style.POLYSEMANTICITY_RANGE, style.POLYSEMANTICITY),
        f"bars: length ‖Wᵢ‖, colour {style.SUPERPOSITION}",
        [0, 0.5, 1],
    )
    bar_panels.scale(
        canvas.axes(first + _BARS + 0.05 + _MAP + _GAP, scales, _SCALE, 0.07),
        ScalarMappable(Normalize(-(longest**2), longest**2), style.SIGNED),
        r"squares: $W^\top W$",
        [-1, 0, 1] if longest > 1 else [0],
    )
    return canvas.figure


def _heading(model: rows.ToyModelRows, n_variants: int) -> str:
    density = f", S = {style.percent(1 - model.values('probability')[0])}" if n_variants > 1 else ""
    n_dedicated = int(model.values("dedicated").sum())
    return f"seed {model.seed}{density}: {model.n_represented} represented, {n_dedicated} dedicated"


def _profile(
    axes: Axes,
    importance: Float[np.ndarray, "variant feature"],
    probability: Float[np.ndarray, "variant feature"],
) -> None:
    """Importance and probability of each feature as two thin lines; of several variants, their range."""
    features = np.arange(importance.shape[1])
    for values, colour, line, label in (
        (importance, style.ACCENT, (0, (3, 1.2)), "I"),
        (probability, style.INK, "-", "p"),
    ):
        if len(values) > 1:
            axes.fill_betweenx(
                features, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, lw=0
            )
        marker = "o" if len(features) <= 20 else None
        axes.plot(
            np.median(values, axis=0),
            features,
            color=colour,
            linestyle=line,
            linewidth=0.7,
            marker=marker,
            markersize=2,
            label=label,
        )
    axes.set_ylim(len(features) - 0.5, -0.5)
    axes.set_xlim(0, 1.05 * max(1.0, float(importance.max())))
    axes.set_xticks([0, 1])
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 0.98),
        ncols=2,
        handlelength=1.3,
        columnspacing=0.8,
        borderpad=0,
    )
