"""Slides 14 and 16 and their like: norms of eight seeds as thin columns of bars, and WᵀW of the first."""

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

_MODELS = 8
# Inches.
_LEFT, _PROFILE, _MAP, _GAP, _BETWEEN = 0.36, 0.5, 2.05, 0.14, 0.05
_ABOVE, _BELOW, _SCALES = 0.3, 0.92, 0.45
_WIDEST = 0.8


def draw(paths: Mapping[str, Path], title: str = "") -> Figure:
    """A column of bars a seed, features downwards; left of them the case's schedule, right of them WᵀW.

    Features after the last one that any of these toy models represents are left out.

    Args:
        paths: `features`, the case's table.
        title: of the case, written above.
    """
    columns = [*rows.PLANE_COLUMNS, "norm", "polysemanticity", "dedicated", "importance", "probability"]
    shown = rows.toy_models(rows.read(paths["features"], columns))
    importance, probability = (rows.schedules_of(shown, name) for name in ("importance", "probability"))
    has_densities = len(probability) > 1
    models = rows.one_a_density(shown, _MODELS) if has_densities else shown[:_MODELS]
    n_features = len(models[0].weights)
    n_drawn = bar_panels.n_worth_drawing(models)
    above = _ABOVE + (0.16 if title else 0.0)
    canvas = Canvas(above + _MAP + _BELOW)
    if title:
        middle, text = style.WIDTH / 2, style.literal(title)
        canvas.text(middle, 0.03, text, ha="center", va="top", fontsize=8.5, fontweight="bold")
    longest = max(float(model.values("norm").max()) for model in models)

    axes = canvas.axes(_LEFT, above, _PROFILE, _MAP)
    _profile(axes, importance, probability)
    bar_panels.name_features(axes, n_features)
    axes.set_ylim(n_drawn - 0.5, -0.5)
    axes.set_ylabel("feature")
    first = _LEFT + _PROFILE + _GAP
    right = style.WIDTH - 0.03 - _MAP
    step = min(_WIDEST, (right - _GAP - first) / len(models))
    for column, model in enumerate(models):
        left = first + column * step
        axes = canvas.axes(left, above, step - _BETWEEN, _MAP)
        bar_panels.draw_bars(axes, model, longest)
        axes.set_ylim(n_drawn - 0.5, -0.5)
        axes.set_xticks([0, 1])
        axes.spines["bottom"].set_visible(True)
        heading = style.percent(1 - model.values("probability")[0]) if has_densities else str(model.seed)
        canvas.text(left, above - 0.05, f"{heading}\n{_counts(model)}", fontsize=style.SMALL, linespacing=1.1)
    rows_of_heading = f"{'S =' if has_densities else 'seed'}\nalone"
    canvas.text(
        first - 0.06, above - 0.05, rows_of_heading, ha="right", fontsize=style.SMALL, linespacing=1.1
    )
    axes = canvas.axes(right, above, _MAP, _MAP)
    bar_panels.draw_products(axes, models[0], longest**2, n_drawn)
    of_first = "the first column" if has_densities else f"seed {models[0].seed}"
    canvas.text(right, above - 0.05, f"$W^\\top W$ of {of_first}", fontsize=style.SMALL)
    if n_drawn < n_features:
        text = f"features {n_drawn} to {n_features - 1}: not represented in any of these"
        canvas.text(first, above + _MAP + 0.3, text, fontsize=style.SMALL)
    bar_panels.scale(
        canvas.axes(first, above + _MAP + _SCALES, right - _GAP - first, 0.07),
        ScalarMappable(style.POLYSEMANTICITY_RANGE, style.POLYSEMANTICITY),
        f"bars: length {style.NORM}, colour {style.SUPERPOSITION}",
        [0, 0.5, 1],
    )
    bar_panels.scale(
        canvas.axes(right, above + _MAP + _SCALES, _MAP, 0.07),
        ScalarMappable(Normalize(-(longest**2), longest**2), style.SIGNED),
        r"$W^\top W$",
        [-1, 0, 1] if longest > 1 else [0],
    )
    return canvas.figure


def _counts(model: rows.ToyModelRows) -> str:
    """Dedicated of represented features."""
    return f"{int(model.values('dedicated').sum())} of {model.n_represented}"


def _profile(
    axes: Axes,
    importance: Float[np.ndarray, "variant feature"],
    probability: Float[np.ndarray, "variant feature"],
) -> None:
    """Importance and probability of each feature as two thin lines; of several variants, their range."""
    features = np.arange(importance.shape[1])
    for values, colour, line, label in (
        (importance, style.ACCENT, (0, (3, 1.2)), "$I_i$"),
        (probability, style.INK, "-", "$p_i$"),
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
    axes.set_xlim(0, 1.05 * max(1.0, float(importance.max())))
    axes.set_xticks([0, 1])
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.4, -0.09),
        ncols=1,
        handlelength=1.3,
        labelspacing=0.1,
        borderpad=0,
    )
