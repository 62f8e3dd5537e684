"""Slide 3: pivot tables of attention, from the true directions and from an SAE's decoder, cell by cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MODEL = ("setting", "n_heads", "seed", "dictionary")
_CELL_COLUMNS = (
    *(*_MODEL, "head", "query", "key", "planted", "tied"),
    *("mean_attention", "contribution", "path"),
)
_OUTPUT_COLUMNS = (*_MODEL, "head", "output", "key", "planted", "output_effect")
_RULE_COLUMNS = (*_MODEL, "query", "key", "output")
_MEASURES = {
    "mean_attention": "mean attention",
    "contribution": "score contribution",
    "output_effect": "output effect",
    "path": "path",
}
_NEVER_BELOW_0 = ("mean_attention", "path")
_NAMES = {"true": "true directions", "sae": "SAE's decoder"}
_MOST_MARKED = 20  # rows beyond which marks don't fit in cells
# Inches.
_LEFT, _PANEL, _GAP = 0.56, 1.18, 0.36
_TOP, _ROW = 0.5, 1.5
_BAR = 0.07


@dataclass(frozen=True)
class _Tables:
    """Tables of a layer of attention and a dictionary, by measure; rows and columns in the rule's order."""

    name: str
    largest: dict[str, Float[np.ndarray, "row column"]]
    """Largest values over the heads."""
    tied: Bool[np.ndarray, "query key"]
    all_heads: dict[str, pd.DataFrame]
    """Value and `planted` of every head's cells, in one order for all dictionaries."""


def draw(paths: Mapping[str, Path], setting: str) -> Figure:
    """The first seed's tables with most heads, and below with fewest.

    Args:
        paths: `cells`, `outputs` and `rules`.
        setting: its name in the configuration.
    """
    cells, outputs, rules = (
        _of_setting(paths[role], columns, setting)
        for role, columns in (
            ("cells", _CELL_COLUMNS),
            ("outputs", _OUTPUT_COLUMNS),
            ("rules", _RULE_COLUMNS),
        )
    )
    most, fewest = cells["n_heads"].max(), cells["n_heads"].min()
    drawn = [_tables(cells, outputs, rules, most, name) for name in ("true", "sae")]
    if fewest < most:
        drawn.append(_tables(cells, outputs, rules, fewest, "true"))

    n_rows = len(drawn) + 1
    canvas = Canvas(_TOP + n_rows * _ROW + 0.02)
    ranges = {measure: _range([own.largest[measure] for own in drawn], measure) for measure in _MEASURES}
    tops = iter(_TOP + row * _ROW for row in range(n_rows))
    rule = _row_of(rules, most)
    for own in drawn[:2]:
        _table_row(canvas, next(tops), own, rule, ranges)
    _agreement_row(canvas, next(tops), *drawn[:2])
    for own in drawn[2:]:
        _table_row(canvas, next(tops), own, rule, ranges)
    for column, (measure, title) in enumerate(_MEASURES.items()):
        left = _LEFT + column * (_PANEL + _GAP)
        canvas.text(left + _PANEL / 2, 0.06, title, ha="center", va="top", fontsize=8)
        _colour_bar(canvas, left, ranges[measure], _colours(measure))
    return canvas.figure


def _of_setting(path: Path, columns: tuple[str, ...], setting: str) -> pd.DataFrame:
    table = rows.read(path, columns)
    table = table[table["setting"] == setting]
    if table.empty:
        raise ArtefactError(f"{path}: has no rows of setting {setting!r}")
    return table[table["seed"] == table["seed"].iloc[0]]


def _row_of(rules: pd.DataFrame, n_heads: int) -> pd.DataFrame:
    own = rules[(rules["n_heads"] == n_heads) & (rules["dictionary"] == "true")]
    return own.sort_values("query")


def _tables(
    cells: pd.DataFrame, outputs: pd.DataFrame, rules: pd.DataFrame, n_heads: int, name: str
) -> _Tables:
    own = cells[(cells["n_heads"] == n_heads) & (cells["dictionary"] == name)]
    written = outputs[(outputs["n_heads"] == n_heads) & (outputs["dictionary"] == name)]
    if own.empty or written.empty:
        raise ArtefactError(f"there are no tables of {n_heads} heads by the {_NAMES[name]}")
    rule = _row_of(rules, n_heads)
    keys, writes = rule["key"].to_numpy(), rule["output"].to_numpy()

    def square(table: pd.DataFrame, row: str, measure: str) -> Float[np.ndarray, "row column"]:
        values = table.sort_values(["head", row, "key"])[measure].to_numpy(dtype=float)
        return np.fmax.reduce(values.reshape(-1, len(rule), len(rule)))

    largest = {
        measure: square(own, "query", measure)[:, keys]
        for measure in ("mean_attention", "contribution", "path")
    }
    largest["output_effect"] = square(written, "output", "output_effect")[writes][:, keys]
    return _Tables(
        name=f"{n_heads} {'head' if n_heads == 1 else 'heads'}, {_NAMES[name]}",
        largest=largest,
        tied=square(own, "query", "tied")[:, keys].astype(bool),
        all_heads={
            measure: (written if measure == "output_effect" else own)
            .sort_values(["head", "output" if measure == "output_effect" else "query", "key"])
            .reset_index(drop=True)[[measure, "planted"]]
            for measure in _MEASURES
        },
    )


def _range(tables: list[Float[np.ndarray, "row column"]], measure: str) -> Normalize:
    size = max(float(np.nan_to_num(np.abs(table)).max()) for table in tables) or 1.0
    return Normalize(0.0 if measure in _NEVER_BELOW_0 else -size, size)


def _colours(measure: str) -> Colormap:
    return style.AMOUNT if measure in _NEVER_BELOW_0 else style.SIGNED


# --- panels ------------------------------------------------------------------------------------------------


def _table_row(
    canvas: Canvas, top: float, tables: _Tables, rule: pd.DataFrame, ranges: Mapping[str, Normalize]
) -> None:
    canvas.text(
        0.04, top + _PANEL / 2, tables.name, rotation=90, ha="left", va="center", fontsize=7, linespacing=1.3
    )
    for column, measure in enumerate(_MEASURES):
        axes = canvas.axes(_LEFT + column * (_PANEL + _GAP), top, _PANEL, _PANEL)
        table = tables.largest[measure]
        n_rows = len(table)
        axes.pcolormesh(
            np.ma.masked_invalid(table),
            cmap=_colours(measure),
            norm=ranges[measure],
            edgecolors="white",
            linewidth=0.3 if n_rows <= _MOST_MARKED else 0.0,
        )
        axes.set_ylim(n_rows, 0)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=style.SMALL, pad=1.5)
        shown = style.feature_ticks(n_rows, most=12)
        sides = rule["output"] if measure == "output_effect" else rule["query"]
        axes.set_xticks([k + 0.5 for k in shown], [str(rule["key"].iloc[k]) for k in shown])
        axes.set_yticks([k + 0.5 for k in shown], [str(sides.iloc[k]) for k in shown])
        axes.set_xlabel("key feature", fontsize=style.SMALL, labelpad=1)
        axes.set_ylabel(
            "output" if measure == "output_effect" else "query feature", fontsize=style.SMALL, labelpad=3
        )
        if n_rows <= _MOST_MARKED and measure != "output_effect":
            _mark(axes, table, tables.tied, ties=measure == "contribution")


def _mark(
    axes: Axes, table: Float[np.ndarray, "query key"], tied: Bool[np.ndarray, "query key"], ties: bool
) -> None:
    """Rows whose largest cell is not the rule's, which is on the diagonal; and cells that geometry ties."""
    if ties:
        queries, keys = np.nonzero(tied)
        axes.plot(
            keys + 0.5, queries + 0.5, "o", markersize=4.2, markeredgecolor=style.INK, markerfacecolor="none",
            markeredgewidth=0.6,
        )  # fmt: skip
    top = np.nan_to_num(table, nan=-np.inf).argmax(axis=1)
    wrong = np.flatnonzero(top != np.arange(len(table)))
    axes.plot(
        top[wrong] + 0.5, wrong + 0.5, "x", markersize=3.2, markeredgecolor=style.ACCENT, markeredgewidth=1.1
    )


def _agreement_row(canvas: Canvas, top: float, true: _Tables, sae: _Tables) -> None:
    canvas.text(
        0.04, top + _PANEL / 2, "cell by cell, all heads", rotation=90, ha="left", va="center", fontsize=7
    )
    for column, measure in enumerate(_MEASURES):
        axes = canvas.axes(_LEFT + column * (_PANEL + _GAP) + 0.04, top, _PANEL - 0.04, _PANEL)
        x, y = (own.all_heads[measure][measure].to_numpy(dtype=float) for own in (true, sae))
        planted = true.all_heads[measure]["planted"].to_numpy(dtype=bool)
        both = np.isfinite(x) & np.isfinite(y)
        if not both.any():  # no pair of features was ever seen together
            axes.set_axis_off()
            continue
        low, high = float(min(x[both].min(), y[both].min())), float(max(x[both].max(), y[both].max()))
        margin = 0.05 * (high - low) or 1.0
        axes.plot([low, high], [low, high], color=style.FAINT, linewidth=0.8, zorder=0)
        for chosen, colour, marker in (
            (both & ~planted, style.MUTED, "o"),
            (both & planted, style.ACCENT, "D"),
        ):
            axes.plot(
                x[chosen], y[chosen], marker, color=colour, markersize=2.0, markeredgewidth=0, alpha=0.6
            )
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(low - margin, high + margin)
        axes.tick_params(labelsize=style.SMALL, pad=1.5)
        axes.locator_params(nbins=3)
        axes.set_xlabel("by true directions", fontsize=style.SMALL, labelpad=1)
        if column == 0:
            axes.set_ylabel("by the SAE", fontsize=style.SMALL, labelpad=1)


def _colour_bar(canvas: Canvas, left: float, values: Normalize, colours: Colormap) -> None:
    axes = canvas.axes(left + 0.15, 0.26, _PANEL - 0.3, _BAR)
    ends = [float(values.vmin or 0.0), float(values.vmax or 0.0)]
    bar = canvas.figure.colorbar(
        ScalarMappable(values, colours), cax=axes, orientation="horizontal", ticks=ends
    )
    bar.outline.set_visible(False)
    axes.set_xticks(ends, [style.short(end).replace("-", "−") for end in ends])
    axes.tick_params(length=0, labelsize=style.SMALL, pad=1)
