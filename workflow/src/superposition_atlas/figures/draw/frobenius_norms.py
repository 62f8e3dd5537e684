"""The post's table of Frobenius norms: what it published, and what the toy models here have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.published import published_norms

_SPREAD = 0.26  # rows that a case's seeds extend above and below its line
_SEED: dict[str, Any] = {"marker": "o", "markersize": 3.5, "markerfacecolor": "white", "linestyle": ""}
_MAXIMUM: dict[str, Any] = {"marker": "o", "markersize": 5.5, "color": style.INK, "linestyle": ""}
_PUBLISHED: dict[str, Any] = {"marker": "D", "markersize": 5.5, "color": style.ACCENT, "linestyle": ""}


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row a case: each seed's norm, the largest of them, and the largest that was published.

    Args:
        paths: `models`, the experiment's, and at the post's size `published`, its table as CSV.
    """
    models = rows.read(paths["models"], ["case", "seed", "shown", "frobenius_norm", "mean_probability"])
    models = models[models["shown"]]
    published = published_norms(paths["published"]) if "published" in paths else {}
    cases = [str(case) for case in models["case"].unique()]

    figure = Figure(figsize=(style.WIDTH, 0.95 + 0.36 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for row, case in enumerate(cases):
        _case(axes, row, models[models["case"] == case]["frobenius_norm"].to_numpy(), published.get(case))
    density = models.groupby("case")["mean_probability"].agg(list)
    axes.set_yticks(
        range(len(cases)),
        [f"{rows.spaced(case)}\nmean probability {style.span(density[case])}" for case in cases],
    )
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(x=0.09)
    axes.set_xlabel("Frobenius norm ‖W‖$_F$, not squared")
    squared = axes.secondary_xaxis("top", functions=(np.square, lambda area: np.sqrt(np.maximum(area, 0))))
    squared.set_xlabel("squared: “effective features”")
    squared.tick_params(length=2.5, width=0.6)
    handles = [
        Line2D([], [], label="a seed", color=style.MUTED, **_SEED),
        Line2D([], [], label="the largest", **_MAXIMUM),
    ]
    if published:
        handles.append(Line2D([], [], label="published: the largest of eight", **_PUBLISHED))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _case(axes: Axes, row: int, norms: np.ndarray, published: float | None) -> None:
    axes.axhline(row, color=style.FAINT, linewidth=0.5, zorder=0)
    others = np.delete(norms, norms.argmax())
    # One above the other, so that equal norms don't hide one another.
    axes.plot(others, row + _SPREAD * np.linspace(-1, 1, len(others)), color=style.MUTED, zorder=2, **_SEED)
    largest = norms.max()
    axes.plot(largest, row, zorder=3, **_MAXIMUM)
    if published is None:
        return
    axes.plot([largest, published], [row, row], color=style.ACCENT, linewidth=0.8, zorder=1)
    axes.plot(published, row, zorder=4, **_PUBLISHED)
    # Right of all marks of the row, in the colour of its own.
    axes.annotate(
        f"{published:.2f}",
        (max(published, largest), row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=7,
        color=style.ACCENT,
    )
