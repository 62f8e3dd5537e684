"""The cost of sparsity: L0 against unexplained variance and against recovery, by architecture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import rows, sae_series, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.sae_series import Series
from superposition_atlas.storage.experiment_files import read_experiment

_MEASURES = {"fvu": "FVU", "recall_represented_alive": "recall, alive"}
_FVU_TICKS = {0: "0", 0.5: "½", 1: "1", 3: "3", 10: "10", 100: "100", 1000: "1000"}
_MOST_COLUMNS = 4
# Inches.
_TALLEST = 8.2
_LEFT, _GAP = 0.44, 0.12
_HEADER, _LINE, _BETWEEN, _AXIS, _LEGEND_ROW, _PANEL = 0.2, 0.105, 0.1, 0.34, 0.17, 1.45


def draw(paths: Mapping[str, Path]) -> Figure:
    """A column a case: above FVU, below recall, both against L0; a line an SAE through its levels.

    Args:
        paths: `saes` and `schedules`, the experiment's.
    """
    columns = [*sae_series.COLUMNS, "l0", "collapsed", *_MEASURES]
    table = rows.read(paths["saes"], columns)
    experiment = read_experiment(paths["schedules"])
    cases = list(dict.fromkeys(table["case"]))
    series = sae_series.split(table)
    n_columns = min(_MOST_COLUMNS, len(cases))
    n_blocks = -(-len(cases) // n_columns)
    legend = sae_series.handles(series)
    if table["collapsed"].any():
        legend.append(sae_series.collapsed_handle())
    n_legend_rows = -(-len(legend) // 5)
    width = (style.WIDTH - _LEFT) / n_columns
    labels = {case: _label(case, experiment.case(case).title, series, int(width * 18)) for case in cases}
    title = 0.1 + _LINE * max(label.count("\n") + 1 for label in labels.values())
    fixed = _HEADER + n_blocks * (title + _BETWEEN + _AXIS) + n_legend_rows * _LEGEND_ROW
    panel = min(_PANEL, (_TALLEST - fixed) / (2 * n_blocks))
    canvas = Canvas(fixed + 2 * n_blocks * panel)
    most, highest = _highest(series, cases, "l0") or 1.0, _highest(series, cases, "fvu")

    sae_series.headline(canvas, experiment, table)
    for index, case in enumerate(cases):
        block, column = divmod(index, n_columns)
        left = _LEFT + column * width
        top = _HEADER + block * (title + 2 * panel + _BETWEEN + _AXIS) + title
        canvas.text(left, top - title + 0.03, labels[case], va="top", fontsize=style.SMALL, linespacing=1.1)
        for row, (measure, name) in enumerate(_MEASURES.items()):
            axes = canvas.axes(left, top + row * (panel + _BETWEEN), width - _GAP, panel)
            _panel(axes, [one.of_case(case) for one in series], measure)
            _scale(axes, measure, highest)
            axes.set_xlim(-0.06 * most, 1.06 * most)
            axes.locator_params(axis="x", nbins=5)
            axes.grid()
            axes.tick_params(labelbottom=row == 1, labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(name)
            if row == 1:
                axes.set_xlabel("L0")
    canvas.figure.legend(
        handles=legend, loc="lower center", ncols=min(5, len(legend)), borderaxespad=0.1, numpoints=1
    )
    return canvas.figure


def _panel(axes: Axes, series: Sequence[Series], measure: str) -> None:
    for order, one in enumerate(series):
        points = [
            (sae_series.mean(standing["l0"]), sae_series.mean(standing[measure]))
            for _, there in one.levels()
            if len(standing := there[~there["collapsed"]])
        ]
        height = 2.5 - 0.05 * order  # baselines below the others
        for x, y in points:
            axes.errorbar(
                x.value,
                y.value,
                xerr=x.reach,
                yerr=y.reach,
                color=one.look["color"],
                linewidth=0.7,
                alpha=0.5,
                zorder=height - 1,
            )
        axes.plot([x.value for x, _ in points], [y.value for _, y in points], zorder=height, **one.look)
        gone = one.table[one.table["collapsed"]]
        axes.plot(gone["l0"], gone[measure], color=one.look["color"], zorder=3, **sae_series.CROSS)


def _scale(axes: Axes, measure: str, highest: float) -> None:
    """Scale from 0 to 1; FVU above 1, which is worse than the mean, continues in powers of ten."""
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    if measure == "fvu" and highest > 1.06:
        axes.set_yscale("symlog", linthresh=1.0, linscale=2.0)
        axes.set_ylim(-0.08, 1.2 * highest)
        ticks = [tick for tick in _FVU_TICKS if tick <= 1.2 * highest]
        axes.set_yticks(ticks, [_FVU_TICKS[tick] for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.axhline(1.0, color=style.MUTED, linewidth=0.5, zorder=0.5)


def _highest(series: Sequence[Series], cases: Sequence[str], measure: str) -> float:
    """Height of the highest interval or cross."""
    ends = [0.0]
    for one in series:
        ends.append(one.table.loc[one.table["collapsed"], measure].max())
        for case in cases:
            for _, there in one.of_case(case).levels():
                mean = sae_series.mean(there.loc[~there["collapsed"], measure])
                ends += [mean.value, mean.high]
    return float(np.nanmax(ends))


def _label(case: str, title: str, series: Sequence[Series], width: int) -> str:
    """The case, its title, and how many SAEs of it have collapsed, if any."""
    counts = [(one.name, int(one.of_case(case).table["collapsed"].sum())) for one in series]
    collapsed = ", ".join(f"{name} {count}" for name, count in counts if count)
    label = rows.case_label(case, title, width)
    return f"{label}\n{fill(f'collapsed: {collapsed}', width)}" if collapsed else label
