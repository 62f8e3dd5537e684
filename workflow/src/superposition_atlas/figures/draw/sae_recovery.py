"""Recovery of each case's features by SAEs, by the scheme that resamples dead latents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.storage.experiment_files import read_experiment

_MEASURES = {
    "recall_represented_alive": "cosine > .9",
    "recall_represented_08_alive": "cosine > .8",
    "angle_median": "angle, degrees",
    "dead_fraction": "dead latents",
    "fvu": "FVU",
}
# Inches.
_TALLEST = 8.2
_LABELS, _GAP = 1.42, 0.16
_TOP, _HEADER, _BOTTOM = 0.26, 0.26, 0.62
_LINE = 0.11


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row a case, a column a measure; a faint mark a toy model, a full one for their mean.

    Args:
        paths: `saes.NAME` and `schedules.NAME` of each experiment.
    """
    tables = {
        name: rows.read(paths[f"saes.{name}"], ["case", "sae", "seed", *_MEASURES])
        for name in rows.names(paths, "saes")
    }
    kinds = list(dict.fromkeys(sae for table in tables.values() for sae in table["sae"]))
    n_cases = sum(table["case"].nunique() for table in tables.values())
    fixed = _TOP + _HEADER * len(tables) + _BOTTOM
    cell = min(_LINE * (len(kinds) + 0.6), max(0.16, (_TALLEST - fixed) / n_cases))
    canvas = Canvas(fixed + cell * n_cases)
    width = (style.WIDTH - _LABELS) / len(_MEASURES)
    limits = {measure: _limits(tables, measure) for measure in _MEASURES}

    for column, title in enumerate(_MEASURES.values()):
        middle = _LABELS + column * width + (width - _GAP) / 2
        canvas.text(middle, _TOP - 0.08, title, ha="center", fontsize=8)
    top = _TOP
    for index, (name, table) in enumerate(tables.items()):
        experiment = read_experiment(paths[f"schedules.{name}"])
        n_models = table["seed"].nunique()
        canvas.text(0.02, top + _HEADER - 0.07, rows.spaced(name), fontsize=7, fontweight="bold")
        canvas.text(
            _LABELS,
            top + _HEADER - 0.07,
            f"{experiment.n_features} → {experiment.n_hidden}, {style.literal(experiment.family)}, "
            f"{n_models} toy models each",
            fontsize=style.SMALL,
        )
        top += _HEADER
        cases = list(dict.fromkeys(table["case"]))
        for row, case in enumerate(cases):
            canvas.text(
                _LABELS - 0.1,
                top + (row + 0.5) * cell,
                rows.spaced(case),
                ha="right",
                va="center_baseline",
                fontsize=7,
            )
        for column, measure in enumerate(_MEASURES):
            axes = canvas.axes(_LABELS + column * width, top, width - _GAP, cell * len(cases))
            _points(axes, table, cases, kinds, measure)
            axes.set_xlim(*limits[measure])
            if index < len(tables) - 1:
                axes.tick_params(axis="x", labelbottom=False, length=0)
        top += cell * len(cases)
    canvas.figure.legend(
        handles=_handles(kinds), loc="lower center", ncols=min(6, len(kinds)), borderaxespad=0.1
    )
    return canvas.figure


def _limits(tables: Mapping[str, pd.DataFrame], measure: str) -> tuple[float, float]:
    """The same for all experiments, with room for whole marks; shares from 0 to 1."""
    values = np.concatenate([table[measure].dropna().to_numpy(dtype=float) for table in tables.values()])
    is_share = measure.startswith("recall") or measure == "dead_fraction"
    low, high = 0.0, 1.0 if is_share or not values.size else float(values.max())
    margin = 0.06 * max(high - low, 0.01)
    return low - margin, high + margin


def _points(axes: Axes, table: pd.DataFrame, cases: list[str], kinds: list[str], measure: str) -> None:
    step = 0.8 / len(kinds)
    for row, case in enumerate(cases):
        if row % 2 == 0:
            axes.axhspan(row - 0.5, row + 0.5, color="#f6f6f6", zorder=0)
        for k, kind in enumerate(kinds):
            there = table[(table["case"] == case) & (table["sae"] == kind)]
            values = there[measure].dropna().to_numpy(dtype=float)
            if values.size == 0:
                continue
            middle = row + (k - (len(kinds) - 1) / 2) * step
            # A little above one another, so that equal values don't hide one another.
            spread = step * 0.36 * np.linspace(-1, 1, len(values)) if len(values) > 1 else 0.0
            look = _look(k)
            axes.plot(
                values,
                middle + spread,
                alpha=0.5,
                **{**look, "markersize": 2.2, "markeredgewidth": 0.0},
            )
            axes.plot(values.mean(), middle, markeredgecolor="white", markeredgewidth=0.5, **look)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _look(index: int) -> dict[str, Any]:
    return {**style.series(index), "linestyle": "", "markersize": 5.0}


def _handles(kinds: list[str]) -> list[Line2D]:
    return [Line2D([], [], label=rows.spaced(kind), **_look(k)) for k, kind in enumerate(kinds)]
