"""Slide 10: an SAE learns a toy model's features, as its decoder directions at recorded training steps."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MOST_SEEDS = 4
_MOST_STEPS = 8
_LABELLED = 12  # latents
# Inches.
_LABELS, _ABOVE, _BELOW = 0.56, 0.24, 0.3


def draw(paths: Mapping[str, Path], sae: str) -> Figure:
    """A row a toy model, a column a recorded step: features in grey, the SAE's latents above them.

    Args:
        paths: `features`, `latents` and `history`, the case's.
        sae: which of its SAEs.
    """
    models = rows.toy_models(rows.read(paths["features"], rows.PLANE_COLUMNS))
    history = rows.read(paths["history"], ["sae", "seed", "step", "latent", "decoder"])
    history = history[history["sae"] == sae]
    if history.empty:
        raise ArtefactError(f"{paths['history']}: has no rows of the SAE {sae!r}")
    latents = rows.read(paths["latents"], ["sae", "seed", "latent", "dead"])
    latents = latents[latents["sae"] == sae]
    models = [model for model in models if model.seed in set(history["seed"])][:_MOST_SEEDS]
    if not models:
        raise ArtefactError(f"{paths['history']}: has no rows of a seed that is shown")
    steps = _evenly(sorted(history["step"].unique()), _MOST_STEPS)

    cell = min(1.2, (style.WIDTH - _LABELS) / len(steps))
    canvas = Canvas(_ABOVE + cell * len(models) + _BELOW)
    limit = planes.common_limit((model.weights for model in models), labels=True)
    for row, model in enumerate(models):
        top = _ABOVE + row * cell
        canvas.text(0.02, top + cell / 2, f"seed {model.seed}", va="center_baseline", fontsize=7)
        onto = _onto_plane(model.weights)
        for column, step in enumerate(steps):
            axes = canvas.axes(_LABELS + column * cell + 0.01, top + 0.01, cell - 0.02, cell - 0.02)
            planes.frame_plane(axes, limit)
            _features(axes, model.weights[model.represented] @ onto)
            there = history[(history["seed"] == model.seed) & (history["step"] == step)].sort_values("latent")
            tips = np.stack(there["decoder"].to_list()).astype(np.float64) @ onto
            # Whether a latent fires is known of the trained SAE only.
            dead = _dead(latents, model.seed) if step == steps[-1] else np.zeros(len(tips), dtype=bool)
            _latents(axes, tips, dead)
            if row == 0:
                axes.set_title(f"step {step:,}".replace(",", "\u202f"), fontsize=7, pad=3)
    canvas.figure.legend(
        handles=[
            Line2D([], [], color=style.FEATURE, linewidth=4, label="represented feature W$_i$"),
            Line2D([], [], color=style.ACCENT, **style.LATENT, label="latent’s decoder direction"),
            Line2D([], [], color=style.ACCENT, label="of a dead latent, at the end", **style.DEAD_LATENT),
        ],
        loc="lower center",
        ncols=3,
        borderaxespad=0.1,
    )
    return canvas.figure


def _evenly(steps: list[int], most: int) -> list[int]:
    """At most so many of them, the first and the last included."""
    if len(steps) <= most:
        return steps
    return [steps[round(k * (len(steps) - 1) / (most - 1))] for k in range(most)]


def _onto_plane(weights: Float[np.ndarray, "feature hidden"]) -> Float[np.ndarray, "hidden 2"]:
    """Projection of hidden activations to the plane in which `planes.in_plane` draws these features."""
    n_hidden = weights.shape[1]
    if n_hidden <= 2:
        return np.eye(n_hidden, 2)
    _, _, directions = np.linalg.svd(weights, full_matrices=False)
    return np.asarray(directions[:2].T)


def _features(axes: Axes, tips: Float[np.ndarray, "feature 2"]) -> None:
    for x, y in tips:
        axes.plot([0, x], [0, y], color=style.FEATURE, linewidth=3.6, solid_capstyle="round", zorder=1)


def _dead(latents: pd.DataFrame, seed: int) -> Bool[np.ndarray, " latent"]:
    return latents[latents["seed"] == seed].sort_values("latent")["dead"].to_numpy(dtype=bool)


def _latents(axes: Axes, tips: Float[np.ndarray, "latent 2"], dead: Bool[np.ndarray, " latent"]) -> None:
    for (x, y), is_dead in zip(tips, dead, strict=True):
        look = style.DEAD_LATENT if is_dead else style.LATENT
        axes.plot([0, x], [0, y], color=style.ACCENT, markevery=[1], zorder=2, **look)
    if len(tips) > _LABELLED:
        return
    latents = range(len(tips))
    for latent, (x, y) in zip(latents, planes.label_positions(tips, latents), strict=True):
        axes.text(
            x,
            y,
            str(latent),
            ha="center",
            va="center_baseline",
            fontsize=style.SMALL,
            path_effects=[withStroke(linewidth=1.2, foreground="white")],
            zorder=4,
        )
