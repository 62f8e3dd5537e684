"""Competing structures as one feature's density varies: losses, crossings, and what training finds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from superposition_atlas.figures.parts import rows, structure_style, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table

_BRANCHES = ("varied", "importance_ratio", "feature", "structure", "relative_loss")
_CROSSINGS = ("varied", "importance_ratio", "below", "above", "relative_loss", "is_best")
_MODELS = ("varied", "importance_ratio", "variant", "structure", "relative_loss", "is_lowest")

_OTHER: dict[str, Any] = {"color": style.MUTED, "marker": "x", "linestyle": ""}
_SWARM = 0.5
"""Share of the distance between densities that toy models are spread over."""
_LEAST_MARKED = 0.05
"""Share of seeds that has room for its structure's mark."""
# Inches.
_LEFT, _WIDTH = 0.56, 5.8
_LOSSES, _SHARES = (0.3, 2.9), (3.62, 1.0)
"""Top and height."""
_AXIS, _LEGEND_ROW = 0.46, 0.17


def draw(paths: Mapping[str, Path], density: float, variant: str) -> Figure:
    """Above, loss against the varied density: lines are structures, marks toy models. Below, shares of seeds.

    Args:
        paths: `branches`, `crossings` and `models`.
        density: of the other features.
        variant: way of training of the toy models.
    """
    branches = rows.read(paths["branches"], _BRANCHES)
    crossings = _first(read_table(paths["crossings"], _CROSSINGS), branches)
    models = _first(rows.read(paths["models"], _MODELS), branches)
    branches = _first(branches, branches)
    models = of_variant(models, variant, paths["models"])
    names = list(dict.fromkeys(branches["structure"]))
    looks = dict(zip(names, style.SERIES, strict=False))
    has_others = not set(models["structure"]) <= set(looks)
    handles = _handles(looks, has_others)
    n_rows = -(-len(handles) // 3)
    canvas = Canvas(sum(_SHARES) + _AXIS + n_rows * _LEGEND_ROW)

    axes = canvas.axes(_LEFT, _LOSSES[0], _WIDTH, _LOSSES[1])
    _trained(axes, models, looks)
    for name, look in looks.items():
        own = branches[branches["structure"] == name].sort_values("varied")
        axes.plot(
            own["varied"], own["relative_loss"], color=look["color"], linestyle=look["linestyle"], lw=1.4
        )
    best = models[models["is_lowest"]].sort_values("varied")
    axes.plot(
        best["varied"],
        best["relative_loss"],
        color=style.INK,
        marker="_",
        markersize=9,
        linestyle="",
        zorder=5,
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(_ticks(axes))
    axes.set_ylabel("loss relative to representing nothing")
    axes.tick_params(labelbottom=False)
    feature = int(branches["feature"].iloc[0])
    below = canvas.axes(_LEFT, _SHARES[0], _WIDTH, _SHARES[1])
    _shares(below, models, looks)
    below.set_xlabel(f"$p_{{{feature}}}$, density of feature {feature} (all others: {density:g})")
    for each in (axes, below):
        _frame(each, models, crossings, density, named=each is axes)
    canvas.figure.legend(handles=handles, loc="lower center", ncols=3, borderaxespad=0.2)
    return canvas.figure


def _first(table: pd.DataFrame, branches: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first importance ratio: further ones have other schedules."""
    return table[table["importance_ratio"] == branches["importance_ratio"].iloc[0]]


def _trained(axes: Axes, models: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """A mark a toy model, spread beside its density."""
    places = np.log(np.unique(models["varied"]))
    step = float(np.diff(places).min()) if len(places) > 1 else 0.2
    order = models.groupby("varied").cumcount() / models.groupby("varied")["varied"].transform("size")
    beside = np.exp(np.log(models["varied"]) + (order - 0.5) * _SWARM * step)
    for name, own in models.groupby("structure"):
        look = looks.get(str(name), _OTHER)
        axes.plot(
            beside[own.index],
            own["relative_loss"],
            color=look["color"],
            marker=look["marker"],
            markersize=2.4,
            linestyle="",
            alpha=0.6,
            markeredgewidth=0 if name in looks else 0.6,
        )


def _shares(axes: Axes, models: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Shares of seeds by structure, as bars on top of each other."""
    places = np.log(np.unique(models["varied"]))
    edges = np.concatenate([[places[0]], (places[1:] + places[:-1]) / 2, [places[-1]]])
    if len(places) > 1:
        edges[[0, -1]] += np.array([-1, 1]) * np.diff(places)[[0, -1]] / 2
    counts = pd.crosstab(models["varied"], models["structure"], normalize="index")
    floor = np.zeros(len(places))
    for name in [*looks, None]:
        own = counts[[n for n in counts if n not in looks]].sum(axis=1) if name is None else counts.get(name)
        if own is None:
            continue
        color = style.FAINT if name is None else looks[name]["color"]
        left, width = np.exp(edges[:-1]), np.diff(np.exp(edges))
        axes.bar(left, own, width, floor, align="edge", color=color, edgecolor="white", linewidth=0.4)
        if name is not None:
            marked = own.to_numpy() > _LEAST_MARKED
            middle = np.exp((edges[1:] + edges[:-1]) / 2)
            marker = looks[name]["marker"]
            heights = (floor + own.to_numpy() / 2)[marked]
            axes.plot(middle[marked], heights, color="white", marker=marker, markersize=2.6, linestyle="")
        floor = floor + own.to_numpy()
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_ylabel("share of seeds")


def _frame(axes: Axes, models: pd.DataFrame, crossings: pd.DataFrame, density: float, named: bool) -> None:
    """The density of the other features, and where the best structure changes."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = np.log(models["varied"].min()), np.log(models["varied"].max())
    margin = 0.03 * (high - low) + 0.02
    axes.set_xlim(np.exp(low - margin), np.exp(high + margin))
    axes.axvline(density, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=0.5)
    top = axes.get_xaxis_transform()
    if named:
        axes.text(
            density, 1.02, "as the others", ha="center", fontsize=style.SMALL, color="#555555", transform=top
        )
    for _, crossing in crossings[crossings["is_best"]].iterrows():
        axes.axvline(crossing["varied"], color=style.INK, linewidth=0.7, zorder=0.6)
        if named:
            said = style.short(crossing["varied"])
            axes.text(crossing["varied"], 1.02, said, ha="center", fontsize=style.SMALL, transform=top)
    other = crossings[~crossings["is_best"].astype(bool)]
    if named:
        axes.plot(
            other["varied"], other["relative_loss"], marker="o", markersize=5, linestyle="",
            markerfacecolor="none", markeredgecolor=style.INK, markeredgewidth=0.7,
        )  # fmt: skip
        best = crossings[crossings["is_best"].astype(bool)]
        axes.plot(
            best["varied"], best["relative_loss"], marker="o", markersize=4, color=style.INK, linestyle=""
        )


def _ticks(axes: Axes) -> list[float]:
    """1, 2, 5 and their decimal multiples within the axis."""
    low, high = axes.get_ylim()
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [value for k in decades for digit in (1, 2, 5) if low <= (value := digit * 10.0**k) <= high]


def _handles(looks: Mapping[str, Mapping[str, Any]], has_others: bool) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], label=structure_style.named(name), markersize=2.8, **{"linewidth": 1.4, **look})
        for name, look in looks.items()
    ]
    if has_others:
        lines.append(Line2D([], [], label="another structure", markersize=2.8, **_OTHER))
    lines.append(
        Line2D([], [], label="best of the seeds", color=style.INK, marker="_", markersize=9, linestyle="")
    )
    return lines
