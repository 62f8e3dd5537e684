"""Slide 9: the toy model and its SAE as a diagram, with the shapes and the weights of a trained pair."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_HEIGHT = 3.1
_X = {"x": 0.6, "h": 2.2, "a": 4.1, "h'": 5.72}
"""Columns of the diagram, inches."""
_TOP, _BOTTOM = 0.78, 2.22
_POSITIVE, _NEGATIVE = "#20639b", "#c8440b"
_MOST_LINES = 400  # between two columns: more can't be told apart


def draw(paths: Mapping[str, Path], sae: str) -> Figure:
    """Features, hidden dimensions, latents, reconstruction; the wider a line, the larger the weight.

    Args:
        paths: `features` and `latents`, the case's tables.
        sae: name of the SAE in the configuration.
    """
    model, latents = _pair(paths, sae)
    weights = model.weights
    n_features, n_hidden = weights.shape
    encoder = np.stack(latents["encoder"].to_list()).astype(np.float64)
    decoder = np.stack(latents["decoder"].to_list()).astype(np.float64)
    decoder /= np.maximum(np.linalg.norm(decoder, axis=1, keepdims=True), 1e-12)
    canvas = Canvas(_HEIGHT)
    axes = canvas.axes(0, 0, style.WIDTH, _HEIGHT)
    axes.set_xlim(0, style.WIDTH)
    axes.set_ylim(_HEIGHT, 0)
    style.bare(axes)
    places = {
        "x": _column(n_features),
        "h": _column(n_hidden),
        "a": _column(len(latents)),
        "h'": _column(n_hidden),
    }
    _box(axes, 0.12, 2.78, "toy model")
    _box(axes, 1.62, 6.38, "sparse autoencoder")
    _connect(axes, _X["x"], places["x"], _X["h"], places["h"], weights)
    _connect(axes, _X["h"], places["h"], _X["a"], places["a"], encoder.T)
    _connect(axes, _X["a"], places["a"], _X["h'"], places["h'"], decoder)

    colours = style.feature_colours(n_features)
    features = np.where(model.represented[:, None], colours, 1.0)
    _nodes(axes, _X["x"], places["x"], features, colours, [str(i) for i in range(n_features)])
    for name in ("h", "h'"):
        blank = np.ones((n_hidden, 4))
        _nodes(axes, _X[name], places[name], blank, np.tile(_ink(), (n_hidden, 1)), [""] * n_hidden)
    best = latents["best_feature"].to_numpy()
    is_named = ~latents["dead"].to_numpy(dtype=bool) & (best >= 0)
    own = colours[np.where(best >= 0, best, 0)]
    _nodes(
        axes,
        _X["a"],
        places["a"],
        np.where(is_named[:, None], own, 1.0),
        np.where(is_named[:, None], own, _ink()),
        [str(feature) if named else "×" for feature, named in zip(best, is_named, strict=True)],
    )
    _name_columns(axes, n_features, n_hidden, len(latents))
    _legend(axes, to_hex(colours[0]), has_dead=not is_named.all())
    return canvas.figure


def _pair(paths: Mapping[str, Path], sae: str) -> tuple[rows.ToyModelRows, pd.DataFrame]:
    """The first shown toy model that has the SAE, and the SAE's latents."""
    latents = rows.read(
        paths["latents"], ["sae", "seed", "latent", "dead", "best_feature", "decoder", "encoder"]
    )
    latents = latents[latents["sae"] == sae]
    with_sae = set(latents["seed"])
    models = rows.toy_models(rows.read(paths["features"], rows.PLANE_COLUMNS))
    model = next((model for model in models if model.seed in with_sae), None)
    if model is None:
        raise ArtefactError(f"{paths['latents']}: has no SAE {sae!r} of a toy model that is shown")
    latents = latents[latents["seed"] == model.seed].sort_values("latent")
    return model, latents


def _name_columns(axes: Axes, n_features: int, n_hidden: int, n_latents: int) -> None:
    for name, symbol, what, formula in (
        ("x", "$x$", f"{n_features} features", ""),
        ("h", "$h$", f"{n_hidden} hidden dimensions", "$h = W x$"),
        ("a", "$a$", f"{n_latents} latents", r"$a = \mathrm{ReLU}(W_{enc}^\top (h - b_{dec}) + b_{enc})$"),
        ("h'", "$h'$", "reconstruction of $h$", r"$h' = \hat W_{dec}^\top\, a + b_{dec}$"),
    ):
        axes.text(_X[name], _TOP - 0.22, symbol, ha="center", va="bottom", fontsize=10)
        axes.text(_X[name], _BOTTOM + 0.27, what, ha="center", va="baseline", fontsize=7)
        axes.text(_X[name], _BOTTOM + 0.48, formula, ha="center", va="baseline", fontsize=7.5)
    axes.text(
        0.14,
        _HEIGHT - 0.14,
        r"trained first, on $x' = \mathrm{ReLU}(W^\top h + b)$",
        va="center_baseline",
        fontsize=7,
    )


def _legend(axes: Axes, colour: str, has_dead: bool) -> None:
    handles = [
        Line2D([], [], color=_POSITIVE, linewidth=1.6, label="weight > 0"),
        Line2D([], [], color=_NEGATIVE, linewidth=1.6, linestyle=(0, (3, 1.2)), label="weight < 0"),
        Line2D([], [], marker="o", linestyle="", color=colour, label="latent, as its feature"),
    ]
    if has_dead:
        handles.append(Line2D([], [], marker="x", linestyle="", color=style.INK, label="dead latent"))
    axes.legend(
        handles=handles,
        loc="lower right",
        ncols=4,
        bbox_to_anchor=(0.985, -0.01),
        borderaxespad=0.2,
        columnspacing=0.9,
    )


def _ink() -> Float[np.ndarray, " 4"]:
    return np.array([0.13, 0.13, 0.13, 1.0])


def _column(number: int) -> Float[np.ndarray, " node"]:
    """Heights of a column's nodes, in the middle and never further apart than is good to look at."""
    apart = min(0.36, (_BOTTOM - _TOP) / max(number - 1, 1))
    middle = (_TOP + _BOTTOM) / 2
    return middle + (np.arange(number) - (number - 1) / 2) * apart


def _box(axes: Axes, left: float, right: float, name: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left, 0.3),
            right - left,
            2.5,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor="#00000008",
            edgecolor=style.MUTED,
            linewidth=0.6,
            zorder=0,
        )
    )
    axes.text((left + right) / 2, 0.26, name, ha="center", va="bottom", fontsize=8, fontweight="bold")


def _connect(
    axes: Axes,
    from_x: float,
    from_y: Float[np.ndarray, " source"],
    to_x: float,
    to_y: Float[np.ndarray, " target"],
    weights: Float[np.ndarray, "source target"],
) -> None:
    """Lines between two columns, the largest weights where there are too many to tell apart."""
    sources, targets = np.indices(weights.shape)
    flat = weights.reshape(-1)
    order = np.argsort(np.abs(flat), kind="stable")[-_MOST_LINES:]
    largest = max(float(np.abs(flat).max()), 1e-12)
    for sign, colour, line in ((1, _POSITIVE, "-"), (-1, _NEGATIVE, (0, (3, 1.2)))):
        chosen = order[np.sign(flat[order]) == sign]
        axes.add_collection(
            LineCollection(
                [
                    [(from_x, from_y[source]), (to_x, to_y[target])]
                    for source, target in zip(
                        sources.reshape(-1)[chosen], targets.reshape(-1)[chosen], strict=True
                    )
                ],
                colors=colour,
                linewidths=0.2 + 2.0 * np.abs(flat[chosen]) / largest,
                linestyles=[line],
                alpha=0.75,
                zorder=1,
            )
        )


def _nodes(
    axes: Axes,
    x: float,
    ys: Float[np.ndarray, " node"],
    faces: Float[np.ndarray, "node 4"],
    edges: Float[np.ndarray, "node 4"],
    labels: list[str],
) -> None:
    apart = float(np.diff(ys).min()) if len(ys) > 1 else 0.36
    side = 72 * min(0.21, 0.85 * apart)
    axes.scatter(
        np.full(len(ys), x),
        ys,
        s=side**2,
        facecolors=list(faces),
        edgecolors=[tuple(edge) for edge in edges],
        linewidths=0.9,
        zorder=3,
    )
    if side < 8:
        return
    for y, face, label in zip(ys, faces, labels, strict=True):
        luminance = float(face[:3] @ [0.299, 0.587, 0.114])
        axes.text(
            x,
            y,
            label,
            ha="center",
            va="center_baseline",
            fontsize=7,
            color="white" if luminance < 0.5 else style.INK,
            zorder=4,
        )
