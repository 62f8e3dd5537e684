"""The cost of sparsity: L0 against unexplained variance and against recovery, by architecture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from matplotlib.figure import Figure

from superposition_atlas.figures.parts import pareto_panels, rows, sae_series, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.sae_series import Series
from superposition_atlas.storage.experiment_files import read_experiment

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
    table = rows.read(paths["saes"], pareto_panels.COLUMNS)
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
    most, highest = (pareto_panels.highest(series, cases, measure) for measure in ("l0", "fvu"))

    sae_series.headline(canvas, experiment, table)
    for index, case in enumerate(cases):
        block, column = divmod(index, n_columns)
        left = _LEFT + column * width
        top = _HEADER + block * (title + 2 * panel + _BETWEEN + _AXIS) + title
        canvas.text(left, top - title + 0.03, labels[case], va="top", fontsize=style.SMALL, linespacing=1.1)
        for row, (measure, name) in enumerate(pareto_panels.MEASURES.items()):
            axes = canvas.axes(left, top + row * (panel + _BETWEEN), width - _GAP, panel)
            pareto_panels.draw_levels(axes, [one.of_case(case) for one in series], measure)
            pareto_panels.scale_levels(axes, measure, most or 1.0, highest)
            axes.tick_params(labelbottom=row == 1, labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(name)
            if row == 1:
                axes.set_xlabel("L0")
    canvas.figure.legend(
        handles=legend, loc="lower center", ncols=min(5, len(legend)), borderaxespad=0.1, numpoints=1
    )
    return canvas.figure


def _label(case: str, title: str, series: Sequence[Series], width: int) -> str:
    """The case, its title, and how many SAEs of it have collapsed, if any."""
    counts = [(one.name, int(one.of_case(case).table["collapsed"].sum())) for one in series]
    collapsed = ", ".join(f"{name} {count}" for name, count in counts if count)
    label = rows.case_label(case, title, width)
    return f"{label}\n{fill(f'collapsed: {collapsed}', width)}" if collapsed else label
