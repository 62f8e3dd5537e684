"""SAEs as figures compare them: a series is an SAE of the configuration, its levels are its λ or k."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.rows import spaced
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage.experiment_files import ExperimentDescription

COLUMNS = ("case", "sae", "seed", "architecture", "sparsity_coefficient", "k")
"""Columns that `split` needs."""
SYMBOLS = {"sparsity_coefficient": "λ", "k": "k"}
CROSS: dict[str, Any] = {"marker": "x", "linestyle": "", "markersize": 3.6, "markeredgewidth": 0.8}
"""An SAE that has collapsed."""
_LONGEST_TITLE = 64  # characters, beside the size at the right
_FILLS = ("full", "none", "left", "right", "top", "bottom")


@dataclass(frozen=True)
class Series:
    """One SAE of the configuration."""

    name: str
    architecture: str
    table: pd.DataFrame
    """Its rows of saes.parquet or recovered.parquet."""
    n_before: int = 0
    """Series of the same architecture before this one."""

    def of_case(self, case: str) -> "Series":
        """The same with the rows of one case only."""
        return replace(self, table=self.table[self.table["case"] == case])

    @property
    def level(self) -> str | None:
        """The column that sets its SAEs on one toy model apart, if any."""
        return by_name(self.architecture).level

    def levels(self) -> Iterator[tuple[float, pd.DataFrame]]:
        """Value and rows of each level, ascending; a single NaN where there are none."""
        if self.level is None:
            yield np.nan, self.table
            return
        for value, there in self.table.groupby(self.level):
            yield float(str(value)), there

    @property
    def look(self) -> dict[str, Any]:
        """Matplotlib's settings: the architecture's, and another filling for a second series of the same."""
        of_architecture = by_name(self.architecture).look
        look = {name: getattr(of_architecture, name) for name in ("color", "marker", "linestyle")}
        if of_architecture.is_hollow:
            look["markerfacecolor"] = "white"
        if self.n_before:
            look["markerfacecolor"] = look["color"]
            look["fillstyle"] = _FILLS[self.n_before % len(_FILLS)]
        size = 6.0 if look["marker"] == "*" else 4.0
        return {"markersize": size, "markeredgewidth": 0.7, "linewidth": 0.9, **look}


def split(table: pd.DataFrame) -> list[Series]:
    """The series of a table, in its order, but baselines last."""
    series: list[Series] = []
    for name in dict.fromkeys(table["sae"]):
        there = table[table["sae"] == name]
        architecture = str(there["architecture"].iloc[0])
        n_before = sum(other.architecture == architecture for other in series)
        series.append(Series(name, architecture, there, n_before))
    return sorted(series, key=lambda one: by_name(one.architecture).is_baseline)


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % t interval; NaN where there are too few values."""

    value: float
    low: float
    high: float

    @property
    def reach(self) -> tuple[list[float], list[float]]:
        """How far the interval reaches down and up, as Matplotlib's error bars want it."""
        below, above = np.nan_to_num([self.value - self.low, self.high - self.value])
        return [float(below)], [float(above)]


def mean(values: pd.Series) -> Mean:
    """Mean over the values that are not missing."""
    there = values.dropna().to_numpy(dtype=float)
    return Mean(float(there.mean()) if there.size else np.nan, *t_interval(there))


def handles(series: Sequence[Series], labels: Sequence[str] | None = None) -> list[Line2D]:
    """Legend entries, by default by name."""
    names = [style.literal(spaced(name)) for name in labels or [one.name for one in series]]
    return [Line2D([], [], label=name, **one.look) for name, one in zip(names, series, strict=True)]


def collapsed_handle() -> Line2D:
    """The legend entry of the crosses."""
    return Line2D([], [], label="collapsed", color=style.INK, **CROSS)


def headline(canvas: Canvas, experiment: ExperimentDescription, table: pd.DataFrame) -> None:
    """Which experiment this is, and how many toy models of a case have SAEs, in the first 0.2 inches."""
    title = style.literal(
        shorten(experiment.title or spaced(experiment.name), _LONGEST_TITLE, placeholder=" …")
    )
    canvas.text(0.02, 0.13, title, fontsize=7, fontweight="bold")
    canvas.text(
        style.WIDTH - 0.02,
        0.13,
        f"{experiment.n_features} → {experiment.n_hidden}, {style.literal(experiment.family)}, "
        f"{table['seed'].nunique()} toy models each",
        ha="right",
        fontsize=style.SMALL,
    )
