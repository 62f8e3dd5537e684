"""Bars of feature norms coloured by superposition, and the heat map of WᵀW beside them, as in the post."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from superposition_atlas.figures.parts import style
from superposition_atlas.figures.parts.rows import ToyModelRows
from superposition_atlas.metrics.features import REPRESENTED_NORM


def draw_bars(axes: Axes, model: ToyModelRows, longest: float) -> None:
    """A bar a feature, the first on top: its length is ‖W_i‖, its colour the superposition, 0 to 1.

    A dotted line stands where features begin to be represented; those left of it stay blank.
    """
    norm = model.values("norm")
    n_features = len(norm)
    colours = style.POLYSEMANTICITY(style.POLYSEMANTICITY_RANGE(model.values("polysemanticity")))
    blank = ~model.represented
    colours[blank] = (1.0, 1.0, 1.0, 1.0)
    few = n_features <= 20
    axes.barh(
        np.arange(n_features),
        norm,
        height=0.8 if few else 1.0,
        color=colours,
        edgecolor=np.where(blank[:, None], (0.54, 0.54, 0.54, 1.0), (0.0, 0.0, 0.0, 0.0)),
        linewidth=0.5 if few else 0.0,
    )
    axes.axvline(REPRESENTED_NORM, color=style.INK, linewidth=0.6, linestyle=(0, (1, 1.5)))
    axes.set_xlim(0, longest * 1.03)
    axes.set_ylim(n_features - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)


def n_worth_drawing(models: Sequence[ToyModelRows]) -> int:
    """Number of features up to the last one that any of these toy models represents, and one more."""
    last = max(int(np.flatnonzero(model.represented).max(initial=0)) for model in models)
    return min(last + 2, len(models[0].weights))


def draw_products(axes: Axes, model: ToyModelRows, limit: float, n_drawn: int | None = None) -> None:
    """WᵀW as a heat map, features down and across; with few features their values stand in it.

    Args:
        axes: a square.
        model: a toy model.
        limit: value of the strongest colours.
        n_drawn: number of features, the first ones; all by default.
    """
    weights = model.weights[:n_drawn]
    products = weights @ weights.T
    axes.imshow(products, cmap=style.SIGNED, vmin=-limit, vmax=limit, aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    if len(products) <= 6:
        for (row, column), value in np.ndenumerate(products):
            axes.text(
                column,
                row,
                f"{value:.1f}".replace("-0.0", "0.0").replace("-", "−"),
                ha="center",
                va="center_baseline",
                fontsize=style.SMALL,
                color="white" if abs(value) > 0.65 * limit else style.INK,
            )


def name_features(axes: Axes, n_features: int) -> None:
    """Numbers of features along the vertical axis."""
    axes.set_yticks(style.feature_ticks(n_features))
    axes.tick_params(axis="y", length=0 if n_features <= 10 else 2)


def scale(axes: Axes, mappable: ScalarMappable, label: str, ticks: Sequence[float]) -> None:
    """A horizontal scale of colours that fills `axes`, with its label below."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", ticks=ticks)
    axes.spines["outline"].set_linewidth(0.4)
    axes.tick_params(length=2, pad=1.5, labelsize=style.SMALL)
    bar.set_label(label, fontsize=7.5, labelpad=1)
