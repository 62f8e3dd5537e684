"""Panels that slide 4's figures share: a response over the plane, and the data on it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import style

EXTENT = 6.0
"""The plane is [-EXTENT, EXTENT]²."""
POSITIVE, NEGATIVE = "#20639b", "#c8440b"
"""Colours of weights and labels; dashes and diamonds say the same."""
BEHIND_POINTS = 0.6
"""How strong the colours of a response are behind points."""

_MARKS: tuple[tuple[str, str, str], ...] = (("1", POSITIVE, "o"), ("−1", NEGATIVE, "D"))


def draw_response(axes: Axes, response: np.ndarray, strength: float = 1.0) -> None:
    """A unit's responses, orange at -1 and below, white at 0, blue at 1 and above.

    Args:
        axes: a square panel.
        response: of one unit, as the table of units has it.
        strength: below 1 the colours are lighter.
    """
    side = round(len(response) ** 0.5)
    axes.imshow(
        np.reshape(response, (side, side)),
        cmap=style.SIGNED,
        vmin=-1.0,
        vmax=1.0,
        origin="lower",
        extent=(-EXTENT, EXTENT, -EXTENT, EXTENT),
        alpha=strength,
    )
    axes.set_xlim(-EXTENT, EXTENT)
    axes.set_ylim(-EXTENT, EXTENT)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set(color=style.INK, linewidth=0.5)


def draw_points(axes: Axes, points: pd.DataFrame, size: float) -> None:
    """Points learned from, full, and points tested on, hollow; the marker is the sign of the label.

    A label between -1 and 1 is the fainter the nearer it is to 0; one that is 0 is a grey dot.
    """
    for is_training in (False, True):
        own = points[points["is_training"] == is_training]
        zero = own[own["label"] == 0]
        axes.scatter(zero["x1"], zero["x2"], marker=".", color=style.MUTED, s=0.3 * size, linewidths=0)
        for sign, (_, colour, marker) in zip((1, -1), _MARKS, strict=True):
            here = own[np.sign(own["label"]) == sign]
            look: dict[str, Any] = (
                {"facecolors": colour, "edgecolors": "white", "linewidths": 0.35, "s": size}
                if is_training
                else {"facecolors": "white", "edgecolors": colour, "linewidths": 0.45, "s": 0.55 * size}
            )
            strength = here["label"].abs().clip(0.15, 1.0).to_numpy()
            axes.scatter(here["x1"], here["x2"], marker=marker, alpha=strength, **look)


def point_handles(size: float = 4.0) -> list[Line2D]:
    """Legend entries of `draw_points`."""
    handles = []
    for text, is_full in (("learned from", True), ("tested on", False)):
        for label, colour, marker in _MARKS:
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=marker,
                    markersize=size if is_full else 0.8 * size,
                    color=colour,
                    markerfacecolor=colour if is_full else "white",
                    markeredgecolor="white" if is_full else colour,
                    markeredgewidth=0.5,
                    label=f"{text}, label {label}",
                )
            )
    return handles
