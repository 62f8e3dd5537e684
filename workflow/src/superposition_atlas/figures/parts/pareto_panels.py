"""Panels of SAEs against their L0: FVU or recall, a line an SAE through its levels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from superposition_atlas.figures.parts import sae_series, style
from superposition_atlas.figures.parts.sae_series import Series

MEASURES = {"fvu": "FVU", "recall_represented_alive": "recall, alive"}
"""Columns that are drawn against L0, with their labels."""
COLUMNS = (*sae_series.COLUMNS, "l0", "collapsed", *MEASURES)
"""Columns that the panels need."""
_FVU_TICKS = {0: "0", 0.5: "½", 1: "1", 3: "3", 10: "10", 100: "100", 1000: "1000"}


def draw_levels(axes: Axes, series: Sequence[Series], measure: str) -> None:
    """Means with 95 % intervals of each level; SAEs that collapsed as crosses."""
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


def scale_levels(axes: Axes, measure: str, most: float, highest: float) -> None:
    """L0 from 0; heights from 0 to 1; FVU above 1, worse than the mean, goes on in powers of ten.

    Args:
        axes: a panel.
        measure: what is drawn.
        most: the largest L0.
        highest: the largest FVU.
    """
    axes.set_xlim(-0.06 * most, 1.06 * most)
    axes.locator_params(axis="x", nbins=5)
    axes.grid()
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    if measure == "fvu" and highest > 1.06:
        axes.set_yscale("symlog", linthresh=1.0, linscale=2.0)
        axes.set_ylim(-0.08, 1.2 * highest)
        ticks = [tick for tick in _FVU_TICKS if tick <= 1.2 * highest]
        axes.set_yticks(ticks, [_FVU_TICKS[tick] for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.axhline(1.0, color=style.MUTED, linewidth=0.5, zorder=0.5)


def highest(series: Sequence[Series], cases: Sequence[str], measure: str) -> float:
    """Height of the highest interval or cross."""
    ends = [0.0]
    for one in series:
        ends.append(one.table.loc[one.table["collapsed"], measure].max())
        for case in cases:
            for _, there in one.of_case(case).levels():
                mean = sae_series.mean(there.loc[~there["collapsed"], measure])
                ends += [mean.value, mean.high]
    return float(np.nanmax(ends))
