"""Every observation on every schedule that it is about: shares of toy models, or differences to rivals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import claim_rows, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.verdicts import ALWAYS, HALF, NEVER
from superposition_atlas.observations.definitions import IN_PERCENT

_SIZES = {"o": 4.5, "D": 4.0, "X": 5.0}
_RANGE = (-0.03, 1.03)  # of shares, with room for half a marker
# Inches.
_TALLEST = 8.2
_LABELS, _COUNTS = 1.0, 0.47
_TOP, _BLOCK, _BOTTOM = 0.0, 0.5, 0.46
_ROW, _HEADER, _SCALE = 0.148, 0.2, 0.18
_OF_SHARES = ((0.0, "0"), (0.5, "½"), (1.0, "1"))
_OF_DIFFERENCES = ((0.0, "less"), (0.5, "0"), (1.0, "more"))


def draw(paths: Mapping[str, Path]) -> Figure:
    """A row a schedule below each observation, a column an experiment; the marker is the state of the claim.

    Shares come first, then comparisons, which have a scale of their own.

    Args:
        paths: `claims`.
    """
    claims = claim_rows.widest(claim_rows.read(paths["claims"]).query("primary"))
    blocks = claim_rows.blocks(claims)
    n_rows = sum(len(block.cases) for block in blocks)
    n_headers = sum(len(block.observations) for block in blocks)
    compared = set(claims.loc[claims["kind"] == "difference", "observation"])
    fixed = _TOP + _BOTTOM + _BLOCK * len(blocks) + _SCALE * bool(compared)
    # To fit a page, but never so far that rows touch; beyond that the report scales the whole figure.
    shrink = min(1.0, max(0.75, (_TALLEST - fixed) / (_ROW * n_rows + _HEADER * n_headers)))
    row_height, header = _ROW * shrink, _HEADER * shrink
    canvas = Canvas(fixed + row_height * n_rows + header * n_headers)

    # The same width for all blocks, so that shares compare across them.
    width = (style.WIDTH - _LABELS) / max(len(block.experiments) for block in blocks)
    top = _TOP
    for block in blocks:
        for column, (name, family) in enumerate(block.experiments.items()):
            left, panel = _LABELS + column * width + 0.04, width - _COUNTS - 0.08
            canvas.text(left, top + 0.18, rows.spaced(name), fontsize=7.5, fontweight="bold")
            canvas.text(left, top + 0.31, style.literal(family), fontsize=style.SMALL)
            _scale(canvas, left, panel, top + _BLOCK - 0.02, _OF_SHARES)
        top += _BLOCK
        ordered = sorted(block.observations.items(), key=lambda item: item[0] in compared)
        first = next((name for name, _ in ordered if name in compared), None)
        for observation, statement in ordered:
            if observation == first:
                top += _SCALE
                for column in range(len(block.experiments)):
                    left, panel = _LABELS + column * width + 0.04, width - _COUNTS - 0.08
                    _scale(canvas, left, panel, top - 0.02, _OF_DIFFERENCES)
            base = top + header * 0.82
            canvas.text(0.02, base, observation, fontsize=7, fontweight="bold")
            canvas.text(_LABELS + 0.04, base, statement, fontsize=style.SMALL, fontstyle="italic")
            top += header
            cases = [case for name, case in block.cases if name == observation]
            height = row_height * len(cases)
            for row, case in enumerate(cases):
                canvas.text(
                    _LABELS - 0.06,
                    top + (row + 0.5) * row_height,
                    rows.spaced(case),
                    ha="right",
                    va="center_baseline",
                    fontsize=style.SMALL,
                )
            for column, name in enumerate(block.experiments):
                left, panel = _LABELS + column * width + 0.04, width - _COUNTS - 0.08
                axes = canvas.axes(left, top, panel, height)
                there = claims[(claims["observation"] == observation) & (claims["experiment"] == name)]
                if (there["kind"] == "difference").any():
                    _differences(axes, there, cases)
                else:
                    _shares(axes, there, cases)
            top += height
    _legend(canvas)
    return canvas.figure


def _scale(
    canvas: Canvas, left: float, width: float, base: float, ticks: Sequence[tuple[float, str]]
) -> None:
    """Labels of shares of a panel's range, above it."""
    for share, text in ticks:
        x = left + width * (share - _RANGE[0]) / (_RANGE[1] - _RANGE[0])
        canvas.text(x, base, text, ha="center", fontsize=style.SMALL, color=style.MUTED)


def _shares(axes: Axes, claims: pd.DataFrame, labels: list[str]) -> None:
    """Shares with their intervals, and right of them the counts."""
    _prepare(axes, claims, labels, _RANGE, (NEVER, HALF, ALWAYS))
    for row in claims.to_dict("records"):
        counts = f"{row['n_holding']}/{row['n_models']}" if row["kind"] == "models" else ""
        _draw_row(axes, labels.index(row["label"]), row, row["fraction"], counts or f"{row['fraction']:.2f}")


def _differences(axes: Axes, claims: pd.DataFrame, labels: list[str]) -> None:
    """Mean differences with their intervals around 0, each panel to its own scale, and their values."""
    ends = claims[["ci_low", "ci_high", "difference"]].abs().to_numpy()
    reach = 1.1 * ends[np.isfinite(ends)].max(initial=1e-9)
    _prepare(axes, claims, labels, (-reach, reach), (0.0,))
    for row in claims.to_dict("records"):
        row |= {"ci_low": max(row["ci_low"], -reach), "ci_high": min(row["ci_high"], reach)}
        value = row["difference"]
        written = f"{100 * value:+.1f}\u202f%" if row["observation"] in IN_PERCENT else f"{value:+.2f}"
        _draw_row(axes, labels.index(row["label"]), row, value, written.replace("-", "−"))


def _prepare(
    axes: Axes, claims: pd.DataFrame, labels: list[str], ends: tuple[float, float], lines: Sequence[float]
) -> None:
    axes.set_xlim(*ends)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    if claims.empty:
        return
    axes.axvspan(*ends, color="#f6f6f6", zorder=0)
    for x in lines:
        axes.axvline(x, color=style.FAINT, linewidth=0.6, zorder=0.5)


def _draw_row(axes: Axes, row: int, claim: dict[Any, Any], value: float, written: str) -> None:
    look = _look(claim["state"])
    axes.plot([claim["ci_low"], claim["ci_high"]], [row, row], color=look["color"], linewidth=1.1, zorder=2)
    axes.plot(value, row, linestyle="", zorder=3, clip_on=False, **look)
    axes.annotate(
        written,
        (1.04, row),
        xycoords=("axes fraction", "data"),
        va="center_baseline",
        fontsize=style.SMALL,
        color="#444444",
        annotation_clip=False,
    )


def _look(state: str) -> dict[str, Any]:
    """A state's marker; a half-full one is blank on its other half, whatever it stands on."""
    look = style.STATES[state]
    return {
        **look,
        "markersize": _SIZES[look["marker"]],
        "markerfacecoloralt": "white",
        "markeredgewidth": 0.3 if state == "contradicted" else 0.8,
    }


def _legend(canvas: Canvas) -> None:
    legend = canvas.figure.legend(
        handles=[Line2D([], [], linewidth=1.1, label=name, **_look(name)) for name in style.STATES],
        loc="lower center",
        ncols=len(style.STATES),
        borderaxespad=0.1,
    )
    legend.set_title(
        "share of toy models (lines at .05, .5, .95) or mean difference around 0; intervals hold together"
    )
    legend.get_title().set_fontsize(7)
