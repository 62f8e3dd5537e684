"""How often a prediction keeps the features that the best solution keeps, and where it does not."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from superposition_atlas.figures.parts import rows, structure_style, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import exact_interval

_COLUMNS = (
    "family",
    "mean_density",
    "steepness",
    "margin",
    "best_n_represented",
    "best_shape",
    "predicted_n_represented",
    "matching_n_represented",
    "agrees",
    "matching_agrees",
)
_RULES = {
    "matching": ("matching_agrees", "matching"),
    "predicted": ("agrees", "full predictor"),
}
"""Column of agreement and name of each rule, by the prefix of its columns."""
_LOOKS: dict[str, dict[str, Any]] = {
    "matching": {"color": style.MUTED, "marker": "s", "markerfacecolor": "white"},
    "predicted": {"color": style.INK, "marker": "o"},
}
_RIGHT: dict[str, Any] = {"color": "#c9c9c9", "marker": ".", "markersize": 2.2, "linestyle": ""}
_WRONG: dict[str, Any] = {"markersize": 3.0, "markeredgewidth": 0.0, "linestyle": "", "alpha": 0.85}
_MANY_DECADES = 1e3
"""Largest over smallest value of an axis that has room for powers of ten only."""
_LEAST_MARGIN = 1e-4
_MARGINS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, np.inf)
"""Edges of the bins."""
# Inches.
_HEIGHT = 7.5
_TABLE, _PANEL, _TALL = 1.42, 2.58, 1.62
_LEFT, _RIGHT_LEFT = 0.6, 3.82
_TOPS = (0.42, 2.6, 4.86)
_FAMILIES, _WIDTH_OF_FAMILIES = 4.98, 1.3


def draw(paths: Mapping[str, Path]) -> Figure:
    """Tables of numbers kept, agreement by family and by margin, and failures over density and steepness.

    Args:
        paths: `predictions`.
    """
    table = rows.read(paths["predictions"], _COLUMNS)
    canvas = Canvas(_HEIGHT)
    numbers = np.unique(table[["best_n_represented", *(f"{rule}_n_represented" for rule in _RULES)]])
    for column, (rule, (agrees, title)) in enumerate(_RULES.items()):
        left = _LEFT + column * (_TABLE + 0.22)
        axes = canvas.axes(left, _TOPS[0], _TABLE, _TABLE)
        _confusion(axes, table, rule, numbers)
        n_right = int(table[agrees].sum())
        share = style.percent(round(n_right / len(table), 3))
        canvas.text(left, _TOPS[0] - 0.24, f"the {title}", fontsize=7, fontweight="bold")
        canvas.text(
            left, _TOPS[0] - 0.1, f"right in {n_right} of {len(table)}, {share}", fontsize=style.SMALL
        )
        axes.tick_params(labelleft=column == 0)
        if column == 0:
            axes.set_ylabel("number predicted")
    _families(canvas.axes(_FAMILIES, _TOPS[0], _WIDTH_OF_FAMILIES, _TABLE), table)
    canvas.text(_FAMILIES, _TOPS[0] - 0.1, "right, by family", fontsize=7)

    for column, (agrees, title) in enumerate(_RULES.values()):
        left = (_LEFT, _RIGHT_LEFT)[column]
        axes = canvas.axes(left, _TOPS[1], _PANEL, _TALL)
        _failures(axes, table, agrees, "steepness")
        axes.set_title(f"where the {title} is wrong", fontsize=7, loc="left")
        axes.set_ylabel("steepness, largest over smallest $p_i$" if column == 0 else "")
    axes = canvas.axes(_LEFT, _TOPS[2], _PANEL, _TALL)
    shown = table.assign(margin=table["margin"].clip(lower=_LEAST_MARGIN))
    _failures(axes, shown, "agrees", "margin")
    axes.set_title("what it costs where the full predictor is wrong", fontsize=7, loc="left")
    axes.set_ylabel("margin over other features")
    _by_margin(canvas.axes(_RIGHT_LEFT, _TOPS[2], _PANEL, _TALL), table)
    canvas.figure.legend(handles=_handles(), loc="lower center", ncols=3, borderaxespad=0.2)
    return canvas.figure


def _confusion(axes: Axes, table: pd.DataFrame, rule: str, numbers: np.ndarray) -> None:
    """Counts of schedules: a row a predicted number, a column the best solution's; right ones are framed."""
    predicted, best = table[f"{rule}_n_represented"], table["best_n_represented"]
    counts = pd.crosstab(predicted, best).reindex(index=numbers, columns=numbers, fill_value=0).to_numpy()
    wrong = (predicted == best) & ~table[_RULES[rule][0]]
    n_wrong = [int(wrong[best == number].sum()) for number in numbers]
    labels = counts.astype(str).astype(object)
    for place, n in enumerate(n_wrong):
        if n:
            labels[place, place] = f"{counts[place, place]}\n{n} wrong"
    sns.heatmap(
        np.sqrt(counts / len(table)), vmin=0, vmax=1, cmap=style.AMOUNT, cbar=False, mask=counts == 0,
        annot=labels, fmt="", annot_kws={"fontsize": style.SMALL}, linewidth=0.8, linecolor="white",
        xticklabels=numbers, yticklabels=numbers, ax=axes,
    )  # fmt: skip
    axes.invert_yaxis()
    for text in axes.texts:
        if not text.get_text().isdigit():
            text.set_fontsize(5.0)
    axes.tick_params(length=0, rotation=0)
    axes.set_xlabel("number that the best keeps")


def _families(axes: Axes, table: pd.DataFrame) -> None:
    groups = [("all", table), *table.groupby("family")]
    for place, (_, own) in enumerate(reversed(groups)):
        for offset, (rule, (agrees, _)) in zip((0.14, -0.14), _RULES.items(), strict=True):
            _interval(axes, place + offset, own[agrees], rule, horizontal=True)
    names = [f"{str(name).replace('_', ' ')} ({len(own)})" for name, own in reversed(groups)]
    axes.set_yticks(range(len(groups)), names, fontsize=style.SMALL)
    axes.set_ylim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="y", length=0)
    _share_axis(axes, horizontal=True)
    axes.set_xlabel("share of schedules")


def _by_margin(axes: Axes, table: pd.DataFrame) -> None:
    """The two rules' agreement, by how much the runner-up loses more; those without one come last."""
    margin = table["margin"].fillna(np.inf).clip(upper=1e9)
    bins = np.searchsorted(_MARGINS, margin, side="right") - 1
    names = []
    for place in range(len(_MARGINS) - 1):
        own = table[bins == place]
        for offset, (rule, (agrees, _)) in zip((-0.1, 0.1), _RULES.items(), strict=True):
            if len(own):
                _interval(axes, place + offset, own[agrees], rule, horizontal=False)
        high = _MARGINS[place + 1]
        names.append(f"{'more' if high == np.inf else f'{100 * high:g}'}\n({len(own)})")
    axes.set_xticks(range(len(names)), names, fontsize=style.SMALL)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_title("right, by margin (number of schedules)", fontsize=7, loc="left")
    axes.set_xlabel("margin, up to so many per cent")
    _share_axis(axes, horizontal=False)


def _interval(axes: Axes, place: float, agrees: pd.Series, rule: str, horizontal: bool) -> None:
    """A share with its 95 % interval."""
    n_right = int(agrees.sum())
    share, (low, high) = n_right / len(agrees), exact_interval(n_right, len(agrees))
    look = {name: value for name, value in _LOOKS[rule].items() if name != "linestyle"}
    ends, places = [low, high], [place, place]
    axes.plot(*((ends, places) if horizontal else (places, ends)), color=look["color"], linewidth=1.1)
    axes.plot(*((share, place) if horizontal else (place, share)), markersize=3.2, linestyle="", **look)


def _share_axis(axes: Axes, horizontal: bool) -> None:
    name = "x" if horizontal else "y"
    axes.set(**{f"{name}lim": (0, 1.04), f"{name}ticks": [0, 0.5, 1], f"{name}ticklabels": ["0", "½", "1"]})
    axes.grid(axis="x" if horizontal else "y")


def _failures(axes: Axes, table: pd.DataFrame, agrees: str, height: str) -> None:
    """Schedules as dots over mean density, those that are not predicted marked by what was missed."""
    right = table[table[agrees].astype(bool)]
    wrong = table[~table[agrees].astype(bool)]
    axes.plot(right["mean_density"], right[height], **_RIGHT)
    kinds = wrong["best_shape"].map(structure_style.kind_of)
    for kind, look in structure_style.KINDS.items():
        own = wrong[kinds == kind]
        axes.plot(own["mean_density"], own[height], **look, **_WRONG)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("mean density")
    if height == "margin":
        axes.set_ylim(bottom=_LEAST_MARGIN * 0.7)
    _label_decades(axes.xaxis, lambda value, _: f"{value:g}")
    _label_decades(axes.yaxis, lambda value, _: _percent(value) if height == "margin" else f"{value:g}")


def _label_decades(axis: Axis, words: Callable[[float, int], str]) -> None:
    """Labels at each power of ten, and at 2 and 5 of them where there are few; none between."""
    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > _MANY_DECADES else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(words))
    axis.set_minor_formatter(NullFormatter())


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _handles() -> list[Line2D]:
    missed = [
        Line2D([], [], label=f"wrong: misses {structure_style.WORDS[kind]}", **{**look, **_WRONG})
        for kind, look in structure_style.KINDS.items()
    ]
    right = Line2D([], [], label="a schedule where it is right", **{**_RIGHT, "markersize": 4})
    rules = [
        Line2D(
            [],
            [],
            label=f"right: {title}",
            linewidth=1.1,
            markersize=3.2,
            **{**_LOOKS[rule], "linestyle": "-"},
        )
        for rule, (_, title) in _RULES.items()
    ]
    return [*missed, right, *rules]
