"""Feature directions in the plane, as in Toy Models of Superposition: a line from the origin to each W_i."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from superposition_atlas.figures.parts import style
from superposition_atlas.metrics.features import REPRESENTED_NORM

Points = Float[np.ndarray, "feature 2"]
Weights = Float[np.ndarray, "feature hidden"]

_LABELLED = 12  # with more features than this, their numbers would cover the picture
_LEAST_LIMIT = 1.3


def in_plane(weights: Weights) -> Points:
    """Feature directions as points of a plane: themselves for two hidden dimensions.

    One hidden dimension becomes the horizontal axis. More are seen along the two directions in which the
    features extend most.
    """
    n_hidden = weights.shape[1]
    if n_hidden == 2:
        return weights
    if n_hidden == 1:
        return np.hstack([weights, np.zeros_like(weights)])
    _, _, directions = np.linalg.svd(weights, full_matrices=False)
    return np.asarray(weights @ directions[:2].T)


def common_limit(ensemble: Iterable[Weights], labels: bool = True) -> float:
    """Half the width of planes that hold all of these, with room for labels."""
    longest = max(float(np.linalg.norm(in_plane(weights), axis=1).max()) for weights in ensemble)
    return max(_LEAST_LIMIT, longest * 1.05) + (0.35 if labels else 0.1)


def frame_plane(axes: Axes, limit: float) -> None:
    """An empty plane: its axes, the unit circle, and shaded where features are not represented."""
    style.bare(axes)
    axes.set_aspect("equal")
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    axes.add_patch(Circle((0, 0), REPRESENTED_NORM, facecolor=style.SHADE, edgecolor="none", zorder=0))
    axes.add_patch(Circle((0, 0), 1.0, facecolor="none", edgecolor=style.FAINT, linewidth=0.5, zorder=0.5))
    for x, y in (([-limit, limit], [0, 0]), ([0, 0], [-limit, limit])):
        axes.plot(x, y, color=style.FAINT, linewidth=0.5, zorder=0.5)


def draw_features(
    axes: Axes,
    weights: Weights,
    represented: Bool[np.ndarray, " feature"],
    labels: bool = True,
    size: float = 1.0,
    label_gap: float = 0.24,
) -> None:
    """Each feature's direction: coloured with a full dot if represented, grey with a hollow one if not.

    Args:
        axes: a plane.
        weights: columns of W.
        represented: which features are.
        labels: whether the features' numbers stand beside the dots.
        size: of lines and dots.
        label_gap: distance of a number from its dot.
    """
    tips = in_plane(weights)
    colours = np.where(represented[:, None], style.feature_colours(len(tips)), to_rgba(style.MUTED))
    # Earlier features on top: where several coincide, the more important one is seen.
    order = np.lexsort((-np.arange(len(tips)), represented))
    axes.add_collection(
        LineCollection(
            [np.stack([np.zeros(2), tips[feature]]) for feature in order],
            colors=colours[order],
            linewidths=np.where(represented, 1.5, 0.9)[order] * size,
            capstyle="round",
            zorder=2,
        )
    )
    axes.scatter(
        tips[order, 0],
        tips[order, 1],
        s=np.where(represented, 16.0, 8.0)[order] * size**2,
        facecolors=np.where(represented[:, None], colours, to_rgba("white"))[order],
        edgecolors=[tuple(colour) for colour in colours[order]],
        linewidths=0.8 * size,
        zorder=3,
        clip_on=False,
    )
    if labels and len(tips) <= _LABELLED:
        named = np.flatnonzero(represented)
        for feature, position in zip(
            named, label_positions(tips, named, label_gap, 1.5 * label_gap), strict=True
        ):
            axes.text(
                float(position[0]),
                float(position[1]),
                str(feature),
                ha="center",
                va="center_baseline",
                fontsize=style.SMALL,
                color=style.INK,
                path_effects=[withStroke(linewidth=1.4, foreground="white")],
                zorder=4,
            )


def label_positions(
    tips: Points, named: Iterable[int], gap: float = 0.24, apart: float = 0.3
) -> Float[np.ndarray, "label 2"]:
    """Places of labels: beyond the tips, pushed away from each other and from the lines.

    Args:
        tips: all features' ends.
        named: the features that have a label.
        gap: distance of a label from its own tip, and from others' lines.
        apart: distance between labels.
    """
    indices = np.asarray(list(named), dtype=int)
    own = tips[indices]
    length = np.linalg.norm(own, axis=1, keepdims=True)
    outward = np.divide(own, length, out=np.tile([1.0, 0.0], (len(own), 1)), where=length > 0)
    # A little aside, each by another amount, so that coinciding features are told apart.
    aside = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
    position = own + gap * outward + 0.01 * (np.arange(len(own))[:, None] + 1) * aside
    squared = np.maximum((tips**2).sum(axis=1), 1e-12)
    for _ in range(80):
        push = np.zeros_like(position)
        along = np.clip(position @ tips.T / squared, 0.0, 1.0)
        nearest = along[:, :, None] * tips[None]
        push += _repulsion(position[:, None] - nearest, gap * 0.85).sum(axis=1)
        between = _repulsion(position[:, None] - position[None], apart)
        between[np.arange(len(own)), np.arange(len(own))] = 0.0
        push += between.sum(axis=1)
        if not push.any():
            break
        position = position + 0.35 * push
        # Never far from its own tip.
        offset = position - own
        distance = np.linalg.norm(offset, axis=1, keepdims=True)
        position = own + offset * np.minimum(1.0, 1.6 * gap / np.maximum(distance, 1e-9))
    return position


def _repulsion(difference: Float[np.ndarray, "*pair 2"], least: float) -> Float[np.ndarray, "*pair 2"]:
    """Vector in the direction of the difference that makes up the missing distance."""
    distance = np.linalg.norm(difference, axis=-1, keepdims=True)
    unit = np.divide(difference, distance, out=np.zeros_like(difference), where=distance > 1e-9)
    return np.asarray(unit * np.maximum(least - distance, 0.0))
