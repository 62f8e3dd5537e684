"""The talk's toy models against the best solutions for their schedules: excess loss, and what both keep."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import exact_interval

_LOSSES = ("case", "seed", "n_represented", "relative_excess", "keeps_best")
_SOLUTIONS = ("case", "key", "kind", "rank", "n_represented")
_LEAST = 1e-5
_GOLDEN = 0.618
"""Its multiples spread neighbours evenly over the height of a row."""
_DOT = "#20639b"
# Inches.
_LEFT, _EXCESS, _SHARE, _CELL, _GAP = 1.3, 2.1, 0.95, 0.26, 0.16
_ROW, _TOP, _BETWEEN, _AXIS = 0.22, 0.3, 0.24, 0.3
_TALLEST = 8.2


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A row a case: excess losses of all seeds, share that keeps the best's features, numbers represented.

    Args:
        paths: `losses.{experiment}` and `solutions.{experiment}` for each experiment.
        titles: of the experiments, by name.
    """
    names = rows.names(paths, "losses")
    losses = {name: rows.read(paths[f"losses.{name}"], _LOSSES) for name in names}
    solutions = {name: rows.read(paths[f"solutions.{name}"], _SOLUTIONS) for name in names}
    n_cases = {name: losses[name]["case"].nunique() for name in names}
    fixed = (_TOP + _BETWEEN) * len(names) + _AXIS
    row = min(_ROW, (_TALLEST - fixed) / sum(n_cases.values()))
    canvas = Canvas(fixed + row * sum(n_cases.values()))
    counted = [table["n_represented"] for table in losses.values()]
    counted += [_best(table)["n_represented"] for table in solutions.values()]
    numbers = np.arange(min(map(min, counted)), max(map(max, counted)) + 1)
    cell = min(_CELL, (style.WIDTH - _LEFT - _EXCESS - _SHARE - 3 * _GAP) / len(numbers))

    top = _TOP
    for name in names:
        last = name == names[-1]
        height = row * n_cases[name]
        left = _LEFT
        canvas.text(0.02, top - 0.2, style.literal(titles.get(name, name)), fontsize=7, fontweight="bold")
        panels = [canvas.axes(left, top, _EXCESS, height)]
        left += _EXCESS + _GAP
        panels.append(canvas.axes(left, top, _SHARE, height))
        left += _SHARE + 0.34
        panels.append(canvas.axes(left, top, cell * len(numbers), height))
        cases = list(dict.fromkeys(losses[name]["case"]))
        for place, case in enumerate(cases):
            own = losses[name][losses[name]["case"] == case]
            _excess(panels[0], own["relative_excess"].to_numpy(dtype=float), place)
            _share(panels[1], own["keeps_best"].dropna().astype(bool), place)
            best = _best(solutions[name])
            of_case = set(best.loc[best["case"] == case, "n_represented"])
            _counts(panels[2], own["n_represented"], of_case, numbers, place)
        for axes in panels:
            axes.set_ylim(len(cases) - 0.5, -0.5)
            axes.tick_params(axis="y", length=0, labelleft=False)
        panels[0].set_yticks(range(len(cases)), list(map(rows.spaced, cases)))
        panels[0].tick_params(labelleft=True)
        _dress(panels, numbers, last)
        top += height + _TOP + _BETWEEN
    return canvas.figure


def _best(solutions: pd.DataFrame) -> pd.DataFrame:
    return solutions[(solutions["kind"] == "minimum") & (solutions["rank"] == 0)]


def _excess(axes: Axes, excess: np.ndarray, place: int) -> None:
    """A dot a seed, and their median."""
    ordered = np.sort(excess[np.isfinite(excess)]).clip(min=_LEAST)
    if not len(ordered):
        return
    beside = 0.6 * ((np.arange(len(ordered)) * _GOLDEN) % 1 - 0.5)
    axes.plot(ordered, place + beside, ".", color=_DOT, markersize=2.2, alpha=0.45, markeredgewidth=0)
    axes.plot(np.median(ordered), place, "|", color=style.INK, markersize=8, markeredgewidth=1.2)


def _share(axes: Axes, keeps: "pd.Series[bool]", place: int) -> None:
    if keeps.empty:
        return
    n_keeping = int(keeps.sum())
    low, high = exact_interval(n_keeping, len(keeps))
    axes.plot([low, high], [place, place], color=_DOT, linewidth=1.1)
    axes.plot(n_keeping / len(keeps), place, "o", color=_DOT, markersize=3)
    said = style.percent(round(n_keeping / len(keeps), 2))
    axes.text(1.08, place, said, fontsize=style.SMALL, va="center_baseline")


def _counts(axes: Axes, counts: "pd.Series[int]", best: set[int], numbers: np.ndarray, place: int) -> None:
    """Shares of seeds by number represented; the best solution's number is framed."""
    for number in numbers:
        share = float((counts == number).mean())
        face = style.AMOUNT(share) if share > 0 else "#f4f4f4"
        axes.add_patch(
            Rectangle((number - 0.5, place - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=0.8)
        )
        if share > 0:
            axes.text(
                *(number, place, f"{100 * share:.0f}" if share >= 0.005 else "<1"),
                ha="center",
                va="center_baseline",
                fontsize=style.SMALL,
                color="white" if share > 0.55 else style.INK,
            )
    for number in best:
        axes.add_patch(
            Rectangle(
                (number - 0.44, place - 0.42),
                0.88,
                0.84,
                facecolor="none",
                edgecolor=style.ACCENT,
                linewidth=1.2,
            )
        )


def _dress(panels: list[Axes], numbers: np.ndarray, last: bool) -> None:
    excess, share, counts = panels
    excess.set_xscale("log")
    excess.set_xlim(_LEAST * 0.7, 1.0)
    excess.set_xticks([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.001", "0.01", "0.1", "1", "10", "100"])
    excess.minorticks_off()
    excess.grid(axis="x")
    share.set_xlim(0, 1.02)
    share.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    share.grid(axis="x")
    counts.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    counts.set_xticks(numbers, [str(number) for number in numbers])
    counts.tick_params(axis="x", length=0)
    counts.spines[:].set_visible(False)
    if last:
        excess.set_xlabel("excess loss, % of representing nothing")
        share.set_xlabel("keep the best's\nfeatures, share")
        counts.set_xlabel("represented, % of seeds\n(frame: the best)")
