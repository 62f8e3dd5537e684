"""The band of each published norm over all schedules, and uniform sparsity of the same mean density."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import rows, style

_CASES = {
    "case1": "case 1\nthe more important, the denser",
    "case2": "case 2\nthe more important, the sparser",
    "case3": "case 3\nin random order",
    "post4": "the post's case 4\nconstant importance",
    "uniform": "uniform sparsity\nall densities",
}
_NORMS = (
    "variant",
    "case",
    "family",
    "first",
    "last",
    "importance_ratio",
    "largest",
    "largest_low",
    "largest_high",
    "published_norm",
    "uniform_norm",
)
_SCHEDULE = ["family", "first", "last"]
_ABOVE, _BETWEEN, _BELOW = -0.19, 0.03, 0.25  # rows, of the two strips of a case and the mark between them
_SPREAD, _APART = 0.06, 0.13
_UNIFORM: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "linestyle": "", "color": style.MUTED}
_PUBLISHED: dict[str, Any] = {"marker": "D", "markersize": 5.5, "color": style.ACCENT, "linestyle": ""}
_NEAREST: dict[str, Any] = {"marker": "o", "markersize": 7, "markerfacecolor": "none", "color": style.INK}


def draw(paths: Mapping[str, Path], variant: str) -> Figure:
    """A row a case: every schedule's norm, the published one, and below uniform sparsity of equal density.

    Args:
        paths: `norms` and `norm_schedules`, of all maps whose norms are compared.
        variant: way of training that is shown.
    """
    norms = rows.read(paths["norms"], _NORMS)
    norms = norms[norms["variant"] == variant]
    schedules = rows.read(
        paths["norm_schedules"],
        ["variant", *_SCHEDULE, "importance_ratio", "n_compared", "largest_difference"],
    )
    schedules = schedules[schedules["variant"] == variant]
    cases = [case for case in _CASES if case in set(norms["case"])]
    families = [family for family in norms["family"].unique() if family != "uniform"]
    nearest = _nearest(schedules)

    figure = Figure(figsize=(style.WIDTH, 1.15 + 0.62 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for row, case in enumerate(cases):
        _case(axes, row, norms[norms["case"] == case], families, nearest)
    axes.set_yticks(range(len(cases)), [_CASES[case] for case in cases])
    axes.set_ylim(len(cases) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("Frobenius norm ‖W‖$_F$, not squared")
    squared = axes.secondary_xaxis("top", functions=(np.square, lambda area: np.sqrt(np.maximum(area, 0))))
    squared.set_xlabel("squared: “effective features”")
    squared.tick_params(length=2.5, width=0.6)
    handles = [
        Line2D([], [], label=f"{family} schedules", markersize=3, **_look(k))
        for k, family in enumerate(families)
    ]
    if nearest is not None:
        ends = f"{nearest['family']} {nearest['first']:.3g} → {nearest['last']:.3g}"
        label = f"the nearest: {ends}, $I_i = {nearest['importance_ratio']:g}^i$"
        handles.append(Line2D([], [], label=label, linewidth=1.2, **_NEAREST))
    handles += [
        Line2D([], [], label="published", **_PUBLISHED),
        Line2D([], [], label="uniform, same mean density", markersize=3, **_UNIFORM),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.0)
    return figure


def _look(index: int) -> dict[str, Any]:
    return {**style.series(index), "linestyle": ""}


def _nearest(schedules: pd.DataFrame) -> dict[str, Any] | None:
    """The schedule with all four cases whose largest difference from the published norms is smallest."""
    complete = schedules[schedules["n_compared"] == schedules["n_compared"].max()]
    known = complete[complete["largest_difference"].notna()]
    if known.empty:
        return None
    row: dict[str, Any] = known.loc[known["largest_difference"].idxmin()].to_dict()
    return row


def _case(
    axes: Axes, row: int, norms: pd.DataFrame, families: list[str], nearest: dict[str, Any] | None
) -> None:
    axes.axhline(row + 0.5, color=style.FAINT, linewidth=0.5, zorder=0)
    uniform = norms["case"].iloc[0] == "uniform"
    strip = row if uniform else row + _ABOVE
    # One beside the other, so that equal norms don't hide one another.
    for k, family in enumerate(["uniform"] if uniform else families):
        values = norms.loc[norms["family"] == family, "largest"].dropna().to_numpy()
        look = {**_UNIFORM, "markerfacecolor": style.MUTED} if uniform else _look(k)
        at = strip + (0 if uniform else _APART * (k - (len(families) - 1) / 2))
        axes.plot(values, at + _jitter(len(values)), **{**look, "markersize": 2.4}, alpha=0.8, zorder=2)
    below = norms["uniform_norm"].dropna().to_numpy()
    if below.size and not uniform:
        axes.plot(below, row + _BELOW + _jitter(len(below)), **{**_UNIFORM, "markersize": 2.4}, zorder=1)
    if nearest is not None and not uniform:
        _mark(axes, strip, norms, nearest)
    published = norms["published_norm"].iloc[0]
    if np.isfinite(published):
        axes.plot(
            [published, published], [row - 0.42, row + 0.42], color=style.ACCENT, linewidth=0.9, zorder=3
        )
        at = row if uniform else row + _BETWEEN
        axes.plot(published, at, zorder=5, **_PUBLISHED)
        axes.annotate(
            f"{published:.2f}",
            (published, at - (0.28 if uniform else 0)),
            xytext=(6, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.SMALL,
            color=style.ACCENT,
        )


def _jitter(n: int) -> np.ndarray:
    return _SPREAD * np.sin(2.4 * np.arange(n))


def _mark(axes: Axes, strip: float, norms: pd.DataFrame, nearest: dict[str, Any]) -> None:
    same = np.all([norms[name] == nearest[name] for name in _SCHEDULE], axis=0)
    ratio = norms["importance_ratio"].isin([nearest["importance_ratio"], 1.0])
    for point in norms[same & ratio].to_dict("records"):
        axes.plot(
            [point["largest_low"], point["largest_high"]],
            [strip] * 2,
            color=style.INK,
            linewidth=1.2,
            zorder=4,
        )
        axes.plot(point["largest"], strip, linestyle="", zorder=6, **_NEAREST)
