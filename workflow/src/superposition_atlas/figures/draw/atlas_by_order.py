"""Numbers of represented features over all schedules: by the best solution, in training, by the matching."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import order_axis, rows, style
from superposition_atlas.figures.parts.atlas_grid import Column
from superposition_atlas.figures.parts.atlas_panel import BOUNDARY, Look, count_look
from superposition_atlas.figures.parts.bar_panels import scale
from superposition_atlas.figures.parts.canvas import Canvas

COLUMNS = {"best": "best_n_represented", "trained": "n_represented", "rule": "n_kept_rule"}
_TITLES = {"best": "best solution", "trained": "trained, mean of {} seeds", "rule": "matching, no training"}
# Inches.
_LEFT, _TOP, _BELOW, _GAP, _BETWEEN, _FAMILIES = 0.98, 0.22, 0.82, 0.1, 0.06, 0.12
_TALLEST, _PAGE = 0.62, 7.6


def draw(paths: Mapping[str, Path], variant: str, panels: Sequence[str], cases: Mapping[str, str]) -> Figure:
    """A row a family and importance, a column a kind of number; dots are the talk's cases.

    Args:
        paths: `points` and `matching`, of a map.
        variant: way of training; empty where nothing is trained.
        panels: keys of COLUMNS, of what the map has.
        cases: names of the talk's cases, by the key of the schedule that they are.
    """
    table = _table(paths, variant, panels)
    schedules = order_axis.ordered(table)
    lines = next((panel for panel in ("best", "rule") if panel in panels), "")
    drawn = schedules.table
    names = [COLUMNS[panel] for panel in panels]
    counts = drawn[names].to_numpy(dtype=float)
    look = count_look(int(np.nanmin(counts)), int(np.ceil(np.nanmax(counts))), "features represented")
    groups = [
        (str(family), Column(float(str(ratio)), "aligned").importance, own)
        for family, of_family in drawn.groupby("family")
        for ratio, own in reversed(list(of_family.groupby("importance_ratio")))
    ]
    n_families = drawn["family"].nunique()
    fixed = _TOP + _BELOW + (n_families - 1) * _FAMILIES
    height = min(_TALLEST, (_PAGE - fixed) / len(groups) - _BETWEEN)
    canvas = Canvas(fixed + len(groups) * (height + _BETWEEN))
    width = min(2.0, (style.WIDTH - _LEFT - _GAP) / len(panels) - _GAP)

    top = _TOP
    for number, (family, importance, own) in enumerate(groups):
        if number and family != groups[number - 1][0]:
            top += _FAMILIES
        canvas.text(0.03, top + height / 2, f"{family}\n{importance}", va="center", fontsize=7.5)
        for place, panel in enumerate(panels):
            axes = canvas.axes(_LEFT + place * (width + _GAP), top, width, height)
            order_axis.draw_values(axes, schedules, own, own[COLUMNS[panel]].to_numpy(dtype=float), look)
            if lines:
                order_axis.draw_changes(axes, schedules, own, own[COLUMNS[lines]].to_numpy(dtype=float))
            order_axis.name_axes(axes, schedules)
            axes.tick_params(labelleft=place == 0, labelbottom=number == len(groups) - 1)
            for case in own[own["key"].isin(cases) & ~own["is_mirrored"]].to_dict("records"):
                label = rows.spaced(cases[case["key"]]) if place == 0 else ""
                order_axis.mark(axes, case["place"], case["mean_density"], style.literal(label))
            if number == 0:
                title = _TITLES[panel].format(int(table["n_seeds"].max()) if panel == "trained" else 0)
                axes.set_title(title, fontsize=8, pad=3)
            if number == len(groups) - 1:
                axes.set_xlabel("← aligned      steepness      reversed →", fontsize=7.5)
        top += height + _BETWEEN
    canvas.text(_LEFT - 0.3, _TOP - 0.07, "mean density", ha="right", fontsize=style.SMALL)
    _key(canvas, look, lines, bool(cases))
    return canvas.figure


def _table(paths: Mapping[str, Path], variant: str, panels: Sequence[str]) -> pd.DataFrame:
    """Points of one way of training, with the number of features that the matching represents."""
    columns = ["key", "family", "mean_density", "steepness", "importance_ratio", "order"]
    columns += [COLUMNS[panel] for panel in panels if panel != "rule"]
    columns += ["variant", "n_seeds"] if variant else []
    points = rows.read(paths["points"], columns)
    matching = rows.read(paths["matching"], ["key", "variant", "n_kept_rule"])
    if variant:
        points = points[points["variant"] == variant]
        matching = matching[matching["variant"] == variant]
    return points.merge(matching.drop(columns="variant"), on="key", how="left")


def _key(canvas: Canvas, look: Look, lines: str, has_cases: bool) -> None:
    axes = canvas.axes(style.WIDTH - 2.4, canvas.height - 0.36, 2.1, 0.08)
    scale(axes, ScalarMappable(look.norm, look.colours), look.label, list(look.ticks))
    axes.set_xticks(list(look.ticks), list(look.ticks.values()))
    axes.minorticks_off()
    handles = []
    if lines:
        whose = {"best": "the best's", "rule": "the matching's"}[lines]
        handles.append(Line2D([], [], label=f"{whose} number changes", **BOUNDARY))
    if has_cases:
        handles.append(Line2D([], [], label="a case of the talk", **order_axis.DOT))
    if handles:
        canvas.figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.1, 0.0), ncols=2)
