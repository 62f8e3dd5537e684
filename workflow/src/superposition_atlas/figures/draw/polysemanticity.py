"""Slide 6: how many features a neuron answers to, how many an SAE's latent; and how well one unit is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_FEATURE_COLUMNS = (*rows.PLANE_COLUMNS, "probability", "interference")
_LEVEL = ("sae", "sparsity_coefficient", "k")
_UNIT_COLUMNS = ("case", "seed", "kind", "unit", "response", "feature_f1", *_LEVEL)
_SHARES = {"n_answered": "0.1", "n_answered_02": "0.2", "n_answered_05": "0.5"}
_LOOKS: dict[str, dict[str, Any]] = {
    "neuron": {"facecolor": style.MUTED, "hatch": ""},
    "latent": {"facecolor": style.ACCENT, "hatch": "////"},
}
_WRITTEN = 8  # rows and columns of a matrix beyond which numbers don't fit in its cells
_MOST_COUNTS = 9
# Inches.
_HEIGHT = 4.2
_MATRIX = 1.5
_LEAST_ROW = 0.11  # for its number to stand beside it
_TOP, _BELOW = 0.36, 2.62


def draw(paths: Mapping[str, Path], case: str, sae: str) -> Figure:
    """Above, one toy model and its SAE; below, all toy models of the experiment that have one.

    Args:
        paths: `features` and `polysemanticity`, the experiment's tables.
        case: of the toy model above, the first seed that is shown.
        sae: name of the SAE in the configuration.
    """
    features = rows.read(paths["features"], _FEATURE_COLUMNS)
    units = rows.read(paths["polysemanticity"], [*_UNIT_COLUMNS, *_SHARES])
    latents = units[(units["kind"] == "latent") & (units["sae"] == sae)]
    if latents.empty:
        raise ArtefactError(f"{paths['polysemanticity']}: has no rows of the SAE {sae!r}")
    of_first_level = (latents[[*_LEVEL]] == latents[[*_LEVEL]].iloc[0]).all(axis=1)
    units = pd.concat([units[units["kind"] == "neuron"], latents[of_first_level]])
    with_sae = set(zip(latents["case"], latents["seed"], strict=True))
    units = units[[pair in with_sae for pair in zip(units["case"], units["seed"], strict=True)]]
    models = rows.toy_models(features[features["case"] == case])
    model = next((model for model in models if (case, model.seed) in with_sae), None)
    if model is None:
        raise ArtefactError(f"{paths['polysemanticity']}: has no toy model of {case!r} that is shown")
    own = units[(units["case"] == case) & (units["seed"] == model.seed)]

    canvas = Canvas(_HEIGHT)
    _toy_model(canvas, model)
    for left, kind, title in (
        (2.2, "neuron", "neurons of the toy model"),
        (4.32, "latent", "latents of its SAE"),
    ):
        of_kind = own[own["kind"] == kind].sort_values("unit")
        bottom = _matrix(canvas, left, of_kind, kind, title)
        if kind == "neuron" and bottom < 1.5:
            _superposition(canvas, left, bottom + 0.55, model)
    _colour_bar(canvas)
    most = int(units[[*_SHARES]].to_numpy().max())
    for place, (column, share) in enumerate(_SHARES.items()):
        axes = canvas.axes(0.5 + place * 1.08, _BELOW, 0.98, 1.0)
        _counts(axes, units, column, most)
        axes.set_title(f"share above {share}", fontsize=7)
        if place == 0:
            axes.set_ylabel("share of units")
        else:
            axes.tick_params(axis="y", labelleft=False)
        if place == 1:
            axes.set_xlabel("represented features that a unit answers to")
    canvas.figure.legend(
        handles=[Patch(label=f"{kind}s", edgecolor="white", **look) for kind, look in _LOOKS.items()],
        loc=(0.2, 0.005),
        ncols=2,
        borderaxespad=0.2,
    )
    _reading(canvas.axes(4.62, _BELOW, 1.78, 1.0), features, units)
    return canvas.figure


def _toy_model(canvas: Canvas, model: rows.ToyModelRows) -> None:
    axes = canvas.axes(0.08, _TOP, 1.62, 1.62)
    limit = planes.common_limit([model.weights])
    planes.frame_plane(axes, limit)
    planes.draw_features(axes, model.weights, model.represented)
    axes.set_title(f"toy model, seed {model.seed}", fontsize=7.5, pad=4)
    if model.weights.shape[1] == 2:
        axes.text(limit, 0.06, "$h_0$", ha="right", va="bottom", fontsize=7)
        axes.text(0.06, limit, "$h_1$", ha="left", va="top", fontsize=7)


def _superposition(canvas: Canvas, left: float, top: float, model: rows.ToyModelRows) -> None:
    """More features than dimensions, and what that costs."""
    lines = [f"{model.n_represented} features represented in {model.weights.shape[1]} dimensions"]
    if model.n_represented:
        interference = float(model.values("interference")[model.represented].mean())
        lines.append(rf"mean of their $\Sigma_{{j\neq i}}(\hat W_i\cdot W_j)^2$: {interference:.2f}")
    for line, text in enumerate(lines):
        canvas.text(left, top + 0.15 * line, text, fontsize=style.SMALL)


def _matrix(canvas: Canvas, left: float, units: pd.DataFrame, kind: str, title: str) -> float:
    """Responses of one toy model's units, each over its largest; returns where the matrix ends."""
    response = np.stack(units["response"].to_list()).astype(np.float64)
    largest = np.abs(response).max(axis=1, keepdims=True)
    response = np.divide(response, largest, out=np.zeros_like(response), where=largest > 0)
    names = units["unit"].to_numpy()
    if kind == "latent":  # as their features come, so that one each is a diagonal
        order = np.argsort(
            np.where(largest[:, 0] > 0, np.abs(response).argmax(axis=1), len(response.T)), kind="stable"
        )
        response, names = response[order], names[order]
    n_units, n_features = response.shape
    height = min(_MATRIX, _MATRIX / n_features * n_units) if n_units <= n_features else _MATRIX
    axes = canvas.axes(left, _TOP, _MATRIX, height)
    written = np.vectorize(_written)(response) if max(n_units, n_features) <= _WRITTEN else None
    sns.heatmap(
        response, vmin=-1, vmax=1, cmap=style.SIGNED, cbar=False, linewidth=0.4, linecolor="white",
        annot=written, fmt="", annot_kws={"fontsize": style.SMALL}, xticklabels=False, yticklabels=False,
        ax=axes,
    )  # fmt: skip
    axes.set_title(title, fontsize=7.5, pad=4)
    axes.set_xlabel("feature")
    axes.set_ylabel(kind)
    axes.tick_params(length=0, rotation=0)
    shown = style.feature_ticks(n_features)
    axes.set_xticks([feature + 0.5 for feature in shown], [str(feature) for feature in shown])
    named = range(n_units) if height / n_units > _LEAST_ROW else []
    axes.set_yticks([row + 0.5 for row in named], [str(names[row]) for row in named])
    return _TOP + height


def _written(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "−") if abs(value) >= 0.05 else "0"


def _colour_bar(canvas: Canvas) -> None:
    axes = canvas.axes(5.98, _TOP, 0.08, _MATRIX)
    bar = canvas.figure.colorbar(ScalarMappable(Normalize(-1, 1), style.SIGNED), cax=axes, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    axes.tick_params(length=0, labelsize=style.SMALL)
    axes.set_title("response", fontsize=style.SMALL, pad=4)


def _counts(axes: Axes, units: pd.DataFrame, column: str, most: int) -> None:
    """Which share of the neurons and of the latents answers to 0, 1, 2, … features."""
    last = min(most, _MOST_COUNTS)
    places = np.arange(last + 1)
    for side, (kind, look) in zip((-0.21, 0.21), _LOOKS.items(), strict=True):
        counts = units.loc[units["kind"] == kind, column].clip(upper=last)
        share = counts.value_counts(normalize=True).reindex(places, fill_value=0.0)
        axes.bar(places + side, share, width=0.4, edgecolor="white", linewidth=0.0, **look)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    names = [*map(str, places[:-1]), f"{last}+" if last < most else f"{last}"]
    axes.set_xticks(places, names, fontsize=7 if last < 7 else 5.5)
    axes.grid(axis="y")


def _reading(axes: Axes, features: pd.DataFrame, units: pd.DataFrame) -> None:
    """F1 of the best neuron and best latent of each represented feature, and of always saying yes."""
    there = features[features["represented"]].set_index(["case", "seed"])
    best = {
        kind: units[units["kind"] == kind]
        .groupby(["case", "seed"])["feature_f1"]
        .agg(lambda of_units: np.nanmax(np.nan_to_num(np.stack(list(of_units)), nan=0.0), axis=0))
        for kind in _LOOKS
    }
    there = there[there.index.isin(best["latent"].index)]
    values = {"always “active”": (2 * there["probability"] / (1 + there["probability"])).to_numpy()}
    for kind, table in best.items():
        values[f"best {kind}"] = np.array(
            [table[place][feature] for place, feature in zip(there.index, there["feature"], strict=True)]
        )
    colours = ("#444444", style.MUTED, style.ACCENT)
    for row, (own, colour, marker) in enumerate(zip(values.values(), colours, ("D", "o", "s"), strict=True)):
        if not len(own):
            continue
        # A little above one another, so that equal values don't hide one another.
        spread = 0.3 * np.linspace(-1, 1, len(own)) if len(own) > 1 else np.zeros(1)
        axes.plot(
            own,
            row + spread,
            marker=marker,
            markersize=1.6,
            markeredgewidth=0,
            linestyle="",
            alpha=0.5,
            color=colour,
        )
        axes.plot(own.mean(), row, marker=marker, markersize=5.5, markeredgecolor="white", color=colour)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(2.6, -0.6)
    axes.set_yticks(range(3), list(values), fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("F1 for “the feature is active”")
    axes.set_title("reading a feature off one unit", fontsize=7)
    axes.grid(axis="x")
