"""The effect of an SAE's level, its λ or k: recall, angles and dead latents, by architecture and case."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows, sae_series, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.sae_series import Series
from superposition_atlas.storage.experiment_files import read_experiment

_MEASURES = {
    "recall_represented_alive": "recall, alive",
    "angle_median": "angle / 90°",
    "dead_fraction": "dead latents",
}
_APART = 0.018
"""Share of a panel's width between series at the same level."""
# Inches.
_TALLEST = 8.2
_LABELS, _NUMBERS, _GAP, _BETWEEN = 0.92, 0.22, 0.1, 0.12
_HEADER, _TITLE, _AXIS, _LEGEND_ROW, _PANEL = 0.2, 0.24, 0.28, 0.17, 1.0


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row a case, a column a measure, first against λ, then against k; a line an SAE.

    Args:
        paths: `saes` and `schedules`, the experiment's.

    Raises:
        ArtefactError: if no SAE has a λ or k.
    """
    table = rows.read(paths["saes"], [*sae_series.COLUMNS, "collapsed", *_MEASURES])
    table["angle_median"] /= 90.0
    experiment = read_experiment(paths["schedules"])
    cases = list(dict.fromkeys(table["case"]))
    series = [one for one in sae_series.split(table) if one.level]
    if not series:
        raise ArtefactError(f"{paths['saes']}: has no SAE with a λ or k, so there is nothing to draw")
    groups = {
        level: of_level
        for level in sae_series.SYMBOLS
        if (of_level := [one for one in series if one.level == level])
    }
    legend = sae_series.handles(series)
    if any(one.table["collapsed"].any() for one in series):
        legend.append(sae_series.collapsed_handle())
    n_legend_rows = -(-len(legend) // 5)
    fixed = _HEADER + _TITLE + _AXIS + n_legend_rows * _LEGEND_ROW
    cell = min(_PANEL + _BETWEEN, (_TALLEST - fixed) / len(cases))
    canvas = Canvas(fixed + cell * len(cases))
    room = style.WIDTH - _LABELS - _NUMBERS * len(groups)
    width = room / (len(_MEASURES) * len(groups))

    sae_series.headline(canvas, experiment, table)
    highest = float(table["angle_median"].max())
    top = _HEADER + _TITLE
    for row, case in enumerate(cases):
        canvas.text(
            0.02,
            top + row * cell + (cell - _BETWEEN) / 2,
            f"{rows.case_label(case, experiment.case(case).title, 17)}{_count(series, case)}",
            va="center",
            fontsize=style.SMALL,
            linespacing=1.15,
        )
    for index, (level, of_level) in enumerate(groups.items()):
        values = np.unique(np.concatenate([one.table[level].to_numpy(dtype=float) for one in of_level]))
        for column, (measure, title) in enumerate(_MEASURES.items()):
            left = _LABELS + (index + 1) * _NUMBERS + (index * len(_MEASURES) + column) * width
            canvas.text(left + (width - _GAP) / 2, top - 0.08, title, ha="center", fontsize=7)
            for row, case in enumerate(cases):
                axes = canvas.axes(left, top + row * cell, width - _GAP, cell - _BETWEEN)
                _lines(axes, [one.of_case(case) for one in of_level], measure, values)
                axes.set_ylim(-0.07, max(1.0, highest) + 0.07)
                axes.tick_params(labelleft=column == 0, labelbottom=row == len(cases) - 1)
                if row == len(cases) - 1:
                    axes.set_xlabel(sae_series.SYMBOLS[level])
    canvas.figure.legend(handles=legend, loc="lower center", ncols=min(5, len(legend)), borderaxespad=0.1)
    return canvas.figure


def _lines(axes: Axes, series: Sequence[Series], measure: str, values: np.ndarray) -> None:
    places = _places(values)
    span = max(float(np.ptp(list(places.values()))), 1.0)
    for order, one in enumerate(series):
        aside = (order - (len(series) - 1) / 2) * _APART * span * (4 if len(places) < 4 else 1)
        levels = [(places[value] + aside, there) for value, there in one.levels()]
        means = [(x, sae_series.mean(there[measure])) for x, there in levels]
        for x, mean in means:
            axes.errorbar(x, mean.value, yerr=mean.reach, color=one.look["color"], linewidth=0.7, alpha=0.5)
        axes.plot([x for x, _ in means], [mean.value for _, mean in means], **one.look)
        if measure == "dead_fraction":
            gone = [x for x, there in levels if there["collapsed"].any()]
            axes.plot(gone, np.ones(len(gone)), color=one.look["color"], zorder=3, **sae_series.CROSS)
    margin = 0.14 * span
    axes.set_xlim(min(places.values()) - margin, max(places.values()) + margin)
    _ticks(axes, places)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.grid(axis="y")


def _places(values: np.ndarray) -> dict[float, float]:
    """Places of levels: their decimal logarithm, with 0 half a decade before the first."""
    positive = values[values > 0]
    first = float(np.log10(positive.min())) if positive.size else 0.0
    return {float(value): float(np.log10(value)) if value > 0 else first - 0.5 for value in values}


def _ticks(axes: Axes, places: Mapping[float, float]) -> None:
    """At the levels where they are few, else at the powers of ten among them."""
    shown = dict(places)
    if len(places) > 3:
        low, high = np.ceil(min(places.values())), np.floor(max(places.values()))
        shown = {10.0**place: place for place in np.arange(low, high + 1)}
        shown |= {value: place for value, place in places.items() if value == 0}
    axes.set_xticks(list(shown.values()), [f"{value:g}" for value in shown], fontsize=style.SMALL)


def _count(series: Sequence[Series], case: str) -> str:
    """How many SAEs of a case have collapsed, below its name; nothing where none has."""
    collapsed = np.concatenate([one.of_case(case).table["collapsed"].to_numpy(dtype=bool) for one in series])
    return f"\n{collapsed.sum()} of {len(collapsed)} collapsed" if collapsed.any() else ""
