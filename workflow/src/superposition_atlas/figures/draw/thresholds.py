"""How the share of toy models that show an observation moves with the thresholds of its criterion."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import claim_rows, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_SWEEPS = {
    "norm_threshold": "threshold of ‖W$_i$‖",
    "dedicated_threshold": "threshold of D$_i$",
}
_LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))
_MARKERS = "osD^vP<>X*"
_COLOURS = ("#1f4e79", "#c8440b", "#2a8f83", "#7b4ea3", "#8a8a8a", "#222222", "#b8860b", "#a0a0a0")
# Inches.
_TALLEST = 8.2
_LABELS, _GAP = 1.98, 0.12
_BLOCK, _AXIS, _BETWEEN, _LEGEND = 0.36, 0.4, 0.1, 0.36
_PANEL = 0.56


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row an observation, a column an experiment, a line a case; first one threshold moves, then the other.

    Args:
        paths: `claims`.
    """
    claims = claim_rows.widest(claim_rows.read(paths["claims"]))
    claims = claims[claims["kind"] != "difference"]
    cases = [str(case) for case in claims["label"].unique()]
    parts = [
        (sweep, block, moving)
        for block in claim_rows.blocks(claims)
        for sweep in _SWEEPS
        if (moving := _that_depend(claims, sweep, list(block.observations)))
    ]
    n_rows = sum(len(moving) for _, _, moving in parts)
    fixed = (_BLOCK + _AXIS) * len(parts) + _BETWEEN * (n_rows - len(parts)) + _LEGEND
    panel = min(_PANEL, max(0.3, (_TALLEST - fixed) / max(n_rows, 1)))
    canvas = Canvas(fixed + panel * n_rows)
    width = (style.WIDTH - _LABELS) / max((len(block.experiments) for _, block, _ in parts), default=1)

    top = 0.0
    for sweep, block, moving in parts:
        for column, name in enumerate(block.experiments):
            canvas.text(
                _LABELS + column * width + (width - _GAP) / 2,
                top + 0.27,
                rows.spaced(name),
                ha="center",
                fontsize=7.5,
                fontweight="bold",
            )
        top += _BLOCK
        for line, observation in enumerate(moving):
            canvas.text(0.02, top + 0.1, observation, fontsize=7, fontweight="bold")
            canvas.text(
                0.02,
                top + 0.13,
                fill(block.observations[observation].replace(" %", "\u00a0%"), 42),
                va="top",
                fontsize=style.SMALL,
                linespacing=1.05,
            )
            for column, name in enumerate(block.experiments):
                axes = canvas.axes(_LABELS + column * width, top, width - _GAP, panel)
                there = claims[(claims["observation"] == observation) & (claims["experiment"] == name)]
                last = line == len(moving) - 1
                _lines(axes, there, sweep, cases, numbers=column == 0)
                if not last:
                    axes.tick_params(axis="x", labelbottom=False)
                else:
                    axes.set_xlabel(_SWEEPS[sweep])
            top += panel + (_BETWEEN if line < len(moving) - 1 else _AXIS)
    canvas.figure.legend(
        handles=_handles(cases), loc="lower center", ncols=min(5, len(cases)), borderaxespad=0.1
    )
    return canvas.figure


def _that_depend(claims: pd.DataFrame, sweep: str, observations: Sequence[str]) -> list[str]:
    """The observations whose criterion names this threshold, if it was moved at all."""
    swept = claims[_swept(claims, sweep)].drop_duplicates(["observation", "criterion"])
    n_criteria = swept["observation"].value_counts()
    return [name for name in observations if n_criteria.get(name, 0) > 1]


def _swept(claims: pd.DataFrame, sweep: str) -> "pd.Series[bool]":
    """The claims at the primary value of the other threshold."""
    (other,) = set(_SWEEPS) - {sweep}
    return claims[other].isin(claims.loc[claims["primary"], other])


def _lines(axes: Axes, claims: pd.DataFrame, sweep: str, cases: list[str], numbers: bool) -> None:
    axes.set_ylim(-0.08, 1.08)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"] if numbers else ["", "", ""])
    if claims.empty:
        axes.set_axis_off()
        return
    axes.grid(axis="y")
    swept = claims[_swept(claims, sweep)].sort_values(sweep)
    for case, of_case in swept.groupby("label", sort=False):
        axes.plot(of_case[sweep], of_case["fraction"], clip_on=False, **_look(cases.index(str(case))))
    primary = float(claims.loc[claims["primary"], sweep].iloc[0])
    axes.axvline(primary, color=style.INK, linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0)
    values = np.sort(swept[sweep].unique())
    axes.set_xticks(values, [f"{value:g}".removeprefix("0") for value in values])
    axes.margins(x=0.06)


def _look(index: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "linestyle": _LINES[index % len(_LINES)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 3.0,
        "linewidth": 0.9,
    }


def _handles(cases: list[str]) -> list[Line2D]:
    return [Line2D([], [], label=rows.spaced(case), **_look(index)) for index, case in enumerate(cases)]
