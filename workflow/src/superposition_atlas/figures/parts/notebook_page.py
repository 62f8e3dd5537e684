"""Figures for a notebook: whole ones that the pipeline draws, and axes of the caller's."""

import sys
from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas import arguments
from superposition_atlas.figures.parts import ensemble_tables, fonts, style

_PANEL = 1.6  # inches


def drawing(name: str) -> Any:
    """The module of one of the pipeline's drawings."""
    return import_module(f"superposition_atlas.figures.draw.{name}")


def page(
    name: str, tables: Mapping[str, pd.DataFrame], files: Mapping[str, Path] | None = None, **options: Any
) -> Figure:
    """A whole figure of the pipeline, from tables in memory."""
    with TemporaryDirectory() as folder, style.applied():
        paths = {**ensemble_tables.write_all(tables, Path(folder)), **(files or {})}
        figure: Figure = drawing(name).draw(paths, **options)
    return _shown(figure)


def grid(n: int, width: float = _PANEL, height: float | None = None) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, at most four in a row, and its panels."""
    n_columns = min(n, 4)
    n_rows = -(-n // n_columns)
    size = (width * n_columns + 0.4, (height or min(width, 2.2)) * n_rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    return figure, [figure.add_subplot(n_rows, n_columns, index + 1) for index in range(n)]


def require_axes(ax: Any) -> None:
    """Checks that axes to draw into, if there are any, are those of matplotlib.

    Raises:
        ArgumentTypeError: if they are not.
    """
    if ax is not None:
        arguments.instance("ax", ax, Axes, "axes of matplotlib, as plt.subplots() returns them")


def figure_of(ax: Axes) -> Figure:
    """The figure that axes belong to."""
    return cast(Figure, ax.get_figure(root=True))


def panel(ax: Axes, title: str, pad: float | None = None) -> Figure:
    """The figure of one panel, with a title above the panel."""
    figure = figure_of(ax)
    if title:
        ax.set_title(style.literal(title), fontsize=8, pad=pad)
    return _shown(figure)


def titled(figure: Figure, title: str) -> Figure:
    """The figure with a title above all panels."""
    if title:
        figure.suptitle(style.literal(title), fontsize=8.5, fontweight="bold")
    return _shown(figure)


def _shown(figure: Figure) -> Figure:
    """The figure; IPython learns to show it, which else it does after pyplot was imported alone."""
    fonts.complete(figure, Path("figure"))
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        formatter = shell.display_formatter.formatters["image/png"]
        if Figure not in formatter:
            formatter.for_type(Figure, _png)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()
