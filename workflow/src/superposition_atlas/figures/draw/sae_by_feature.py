"""Which features SAEs recover: the rare, the unimportant, those that share a dimension?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import rows, sae_series, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.sae_series import Series
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.storage.experiment_files import read_experiment

_MOST_VALUES, _MOST_BINS = 7, 6
_MOST_ACROSS = 5  # names of cases
_SPREAD = 0.72
"""Share of a bin's width over which the series are spread."""
_ONE_FEATURE = ["case", "seed", "feature"]
# Inches.
_LEFT, _GAP = 0.44, 0.14
_HEADER, _COUNTS, _PANEL, _AXIS, _LEGEND_ROW = 0.2, 0.34, 1.75, 0.5, 0.17
_LETTER = 0.055


@dataclass(frozen=True)
class _Bins:
    """Bins of a panel's features; `of` has one number a row of the table, its bin."""

    title: str
    labels: list[str]
    of: Integer[np.ndarray, " row"]
    is_ordered: bool = True


def draw(paths: Mapping[str, Path]) -> Figure:
    """Four panels, a bin of features across, the share recovered up; above each bin its number of features.

    Args:
        paths: `recovered`, `levels` (at which each SAE is drawn) and `schedules`, the experiment's.
    """
    columns = ["feature", "importance", "probability", "dimensionality", "represented", "recovered_alive"]
    table = rows.read(paths["recovered"], [*sae_series.COLUMNS, "chooses", *columns])
    levels = rows.read(paths["levels"], ["sae", "sparsity_coefficient", "k", "is_held_out"])
    level_of = {row["sae"]: row for row in levels.to_dict("records")}
    experiment = read_experiment(paths["schedules"])
    represented = sae_series.split(table[table["represented"]])
    chosen = [(one, *_reported(one, level_of[one.name])) for one in represented]
    series = [one for one, _, _ in chosen]
    table = pd.concat([there for _, _, there in chosen], ignore_index=True)
    cases = list(dict.fromkeys(table["case"]))
    panels = [
        _Bins("feature probability p$_i$", *_binned(table["probability"])),
        _Bins("importance I$_i$", *_binned(table["importance"])),
        _Bins("dimensionality D$_i$, rounded", *_rounded(table["dimensionality"])),
        _Bins(
            "case",
            [rows.spaced(case) if len(cases) > _MOST_ACROSS else case.replace("_", "\n") for case in cases],
            np.array([cases.index(case) for case in table["case"]]),
            is_ordered=False,
        ),
    ]
    legend = sae_series.handles(series, [_label(one, value) for one, value, _ in chosen])
    n_legend_rows = -(-len(legend) // 4)
    row_height = _COUNTS + _PANEL + _AXIS
    # Names of many cases stand upright.
    names = _LETTER * max(len(label) for label in panels[-1].labels) if len(cases) > _MOST_ACROSS else 0.12
    canvas = Canvas(_HEADER + 2 * row_height + names + n_legend_rows * _LEGEND_ROW + 0.06)
    width = (style.WIDTH - _LEFT) / 2

    sae_series.headline(canvas, experiment, table)
    for index, bins in enumerate(panels):
        row, column = divmod(index, 2)
        left, top = _LEFT + column * width, _HEADER + row * row_height
        above = canvas.axes(left, top + 0.1, width - _GAP, _COUNTS - 0.1)
        _counts(above, table, bins)
        axes = canvas.axes(left, top + _COUNTS, width - _GAP, _PANEL)
        _shares(axes, table, series, bins)
        axes.tick_params(labelleft=column == 0)
        if column == 0:
            axes.set_ylabel("share recovered")
    canvas.figure.legend(handles=legend, loc="lower center", ncols=min(4, len(legend)), borderaxespad=0.1)
    return canvas.figure


def _reported(series: Series, level: Mapping[Any, Any]) -> tuple[float, pd.DataFrame]:
    """An SAE's chosen level, and its rows on the toy models that had no part in the choice."""
    own = series.table
    own = own[(own["sparsity_coefficient"] == level["sparsity_coefficient"]) & (own["k"] == level["k"])]
    value = np.nan if series.level is None else float(level[series.level])
    return value, own[~own["chooses"]] if level["is_held_out"] else own


def _label(series: Series, value: float) -> str:
    if series.level is None:
        return series.name
    return f"{series.name}, {sae_series.SYMBOLS[series.level]} = {value:g}"


# --- bins --------------------------------------------------------------------------------------------------


def _binned(column: pd.Series) -> tuple[list[str], Integer[np.ndarray, " row"]]:
    """A bin a value where there are few values, else bins that hold about as many rows each."""
    values = column.to_numpy(dtype=float).round(9)
    distinct = np.unique(values)
    if len(distinct) <= _MOST_VALUES:
        return [_number(value) for value in distinct], np.searchsorted(distinct, values)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _MOST_BINS + 1)[1:-1]))
    bins = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1]
    labels = [_range(values[bins == k]) for k in range(bins.max() + 1)]
    return labels, bins


def _rounded(column: pd.Series) -> tuple[list[str], Integer[np.ndarray, " row"]]:
    """Bins of a tenth around the tenths, so that 0.4 (a pentagon), 0.5 (a pair) and 1 are in their middle."""
    tenths = np.rint(column.to_numpy(dtype=float) * 10).astype(int)
    first = int(tenths.min())
    return [_number(k / 10) for k in range(first, int(tenths.max()) + 1)], tenths - first


def _number(value: float) -> str:
    return f"{value:.2g}"


def _range(values: Float[np.ndarray, " value"]) -> str:
    low, high = _number(values.min()), _number(values.max())
    return low if low == high else f"{low}–\n{high}"  # two lines: labels of neighbours would touch


# --- panels ------------------------------------------------------------------------------------------------


def _counts(axes: Axes, table: pd.DataFrame, bins: _Bins) -> None:
    """Represented features of the toy models in each bin, counted once, not once an SAE."""
    n_bins = len(bins.labels)
    once = ~table.duplicated(_ONE_FEATURE).to_numpy()
    n_features = np.bincount(bins.of[once], minlength=n_bins)
    axes.bar(range(n_bins), n_features, width=0.8, color=style.FAINT)
    for position, n in enumerate(n_features):
        axes.text(position, n, str(n), ha="center", va="bottom", fontsize=style.SMALL)
    axes.set_xlim(-0.5, n_bins - 0.5)
    axes.set_ylim(0, 1.5 * n_features.max())
    style.bare(axes)


def _shares(axes: Axes, table: pd.DataFrame, series: Sequence[Series], bins: _Bins) -> None:
    n_bins = len(bins.labels)
    for position in range(0, n_bins, 2):
        axes.axvspan(position - 0.5, position + 0.5, color="#f6f6f6", zorder=0)
    step = _SPREAD / len(series)
    recovered = table["recovered_alive"].to_numpy(dtype=bool)
    for order, one in enumerate(series):
        aside = (order - (len(series) - 1) / 2) * step
        own = (table["sae"] == one.name).to_numpy()
        shares = np.full(n_bins, np.nan)  # lines are broken at empty bins
        for position in range(n_bins):
            there = recovered[own & (bins.of == position)]
            if there.size:
                shares[position] = there.mean()
                interval = exact_interval(int(there.sum()), there.size)
                axes.plot([position + aside] * 2, interval, color=one.look["color"], linewidth=0.7, alpha=0.5)
        look = one.look | {"markersize": 0.8 * one.look["markersize"], "linewidth": 0.7}
        if not bins.is_ordered:
            look["linestyle"] = ""
        axes.plot(np.arange(n_bins) + aside, shares, **look)
    axes.set_xlim(-0.5, n_bins - 0.5)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_xticks(range(n_bins), bins.labels, fontsize=style.SMALL)
    is_upright = not bins.is_ordered and n_bins > _MOST_ACROSS
    axes.tick_params(axis="x", length=0, labelrotation=90 if is_upright else 0)
    axes.set_xlabel(bins.title)
    axes.grid(axis="y")
