"""Role of the bias: features represented with a bias that is trained, fixed, or relieved of the mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.features import REPRESENTED_NORM

_FEATURES = (
    "key",
    "variant",
    "feature",
    "importance",
    "probability",
    "share_represented",
    "mean_norm",
    "mean_bias",
    "best_represented",
    "best_norm",
    "best_bias",
)
_MOST_SCHEDULES = 9
"""Number of schedules that fit on a page."""
_SHARE: dict[str, Any] = {"facecolor": "#cfe0ee", "edgecolor": "#7fa6c6", "linewidth": 0.5}
_TRAINED: dict[str, Any] = {"color": "#20639b", "marker": "o", "markersize": 3.4}
_BEST: dict[str, Any] = {"color": style.ACCENT, "marker": "D", "markersize": 4.4, "markerfacecolor": "none"}
_TRAINED_BIAS: dict[str, Any] = {"color": "#20639b", "marker": "+", "markersize": 4.4}
_BEST_BIAS: dict[str, Any] = {"color": style.ACCENT, "marker": "x", "markersize": 3.6}
_MEAN: dict[str, Any] = {"color": style.MUTED, "linestyle": (0, (1, 1.5)), "linewidth": 0.8}
# Inches.
_LABELS, _GAP, _TOP, _AXIS, _LEGEND = 1.1, 0.1, 0.22, 0.36, 0.4
_TALLEST, _PANEL = 7.4, 1.25


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A row a schedule, a column a variant: features by density, over seeds and in the best solution.

    The schedules whose densest feature is the densest come first, as far as they fit on a page.

    Args:
        paths: `features`, and `points` for the schedules' coordinates.
        titles: of the variants, by name.
    """
    features = rows.read(paths["features"], _FEATURES)
    points = rows.read(paths["points"], ["key", "family", "importance_ratio", "order"])
    densest = features.groupby("key")["probability"].max()
    order = points.drop_duplicates("key").assign(densest=lambda table: table["key"].map(densest))
    order = order.sort_values(
        ["densest", "family", "importance_ratio", "order"], ascending=[False, True, False, True]
    )
    shown = order.head(_MOST_SCHEDULES)
    variants = list(dict.fromkeys(features["variant"]))
    variants.sort(key=lambda name: list(titles).index(name) if name in titles else len(titles))

    cell = min(_PANEL + _GAP, (_TALLEST - _TOP - _AXIS - _LEGEND) / len(shown))
    canvas = Canvas(_TOP + cell * len(shown) + _AXIS + _LEGEND)
    width = (style.WIDTH - _LABELS - 0.06) / len(variants)
    highest = max(1.3, float(features[["mean_norm", "best_norm"]].max().max()) * 1.08)
    for row, (_, schedule) in enumerate(shown.iterrows()):
        top = _TOP + row * cell
        canvas.text(
            0.02,
            top + (cell - _GAP) / 2,
            _label(schedule),
            fontsize=style.SMALL,
            va="center",
            linespacing=1.3,
        )
        for column, variant in enumerate(variants):
            own = features[(features["key"] == schedule["key"]) & (features["variant"] == variant)]
            axes = canvas.axes(_LABELS + column * width, top, width - _GAP, cell - _GAP)
            _panel(axes, own.sort_values("probability"), highest)
            axes.tick_params(labelleft=column == 0, labelbottom=row == len(shown) - 1)
            if row == 0:
                axes.set_title(style.literal(titles.get(variant, variant)), fontsize=7)
            if row == len(shown) - 1:
                axes.set_xlabel("$p_i$")
    canvas.figure.legend(handles=_handles(), loc="lower center", ncols=3, borderaxespad=0.2)
    return canvas.figure


def _label(schedule: "pd.Series[Any]") -> str:
    importance = (
        "equal importance"
        if schedule["importance_ratio"] == 1
        else f"importance {schedule['importance_ratio']:g}$^i$"
    )
    lines = [f"{schedule['family']}", f"largest $p_i$ {schedule['densest']:.2g}", importance]
    order = {"aligned": "the densest first", "reversed": "the densest last"}.get(schedule["order"])
    if schedule["importance_ratio"] != 1:
        lines.append(order or f"order {schedule['order']}")
    return "\n".join(lines)


def _panel(axes: Axes, own: pd.DataFrame, highest: float) -> None:
    density = own["probability"].to_numpy()
    room = np.diff(density).min() if len(density) > 1 else 0.2
    width = float(np.clip(0.72 * room, 0.012, 0.13))
    axes.bar(density, own["share_represented"], width, **_SHARE)
    axes.plot([0, 1], [0, 0.5], **_MEAN)
    axes.axhline(REPRESENTED_NORM, color=style.FAINT, linewidth=0.6, zorder=0.5)
    for column, look in (
        ("mean_norm", _TRAINED),
        ("mean_bias", _TRAINED_BIAS),
        ("best_norm", _BEST),
        ("best_bias", _BEST_BIAS),
    ):
        axes.plot(density, own[column], linestyle="", **look)
    axes.set_xlim(0, 1.06)
    axes.set_ylim(min(-0.08, float(own[["mean_bias", "best_bias"]].min().min()) - 0.05), highest)
    axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])


def _handles() -> list[Line2D | Patch]:
    def mark(look: Mapping[str, Any], label: str) -> Line2D:
        return Line2D([], [], label=label, **{"linestyle": "", **look})

    return [
        Patch(label="share of seeds that represent it", **_SHARE),
        mark(_TRAINED, "norm, mean over seeds"),
        mark(_BEST, "norm in the best solution"),
        mark(_TRAINED_BIAS, "bias, mean over seeds"),
        mark(_BEST_BIAS, "bias in the best solution"),
        mark(_MEAN, "$p_i/2$, its mean"),
    ]
