"""How often five equal, rare features are all represented, by how the toy model starts and is trained."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.metrics.intervals import exact_interval

# Inches.
_TALLEST = 8.2
_LABELS, _BARS, _ABOVE, _GAP, _AXIS = 1.5, 1.7, 0.24, 0.12, 0.36
_MOST_PLANES = 3


def draw(paths: Mapping[str, Path], titles: Mapping[str, str]) -> Figure:
    """A row a case: the share of seeds by number of represented features, and a toy model of each number.

    Args:
        paths: the features table of each case, by its name.
        titles: of the cases, by name.
    """
    tables = {
        case: rows.read(path, [*rows.PLANE_COLUMNS, "importance", "probability"])
        for case, path in paths.items()
    }
    models = {case: rows.toy_models(table, only_shown=False) for case, table in tables.items()}
    counts = sorted({model.n_represented for of_case in models.values() for model in of_case})
    # Where there are more numbers than planes, the most frequent ones are drawn.
    frequency = {
        count: sum(model.n_represented == count for of_case in models.values() for model in of_case)
        for count in counts
    }
    drawn = sorted(sorted(counts, key=lambda count: -frequency[count])[:_MOST_PLANES])
    room = style.WIDTH - _LABELS - _BARS - 0.3
    plane = min(1.25, room / len(drawn) - _GAP, (_TALLEST - _AXIS) / len(models) - _ABOVE)
    plane = max(plane, 0.4)
    canvas = Canvas(len(models) * (plane + _ABOVE) + _AXIS)
    limit = planes.common_limit(model.weights for of_case in models.values() for model in of_case)

    for row, (case, of_case) in enumerate(models.items()):
        top = row * (plane + _ABOVE) + _ABOVE
        canvas.text(
            0.02, top + plane / 2 - 0.06, rows.spaced(case), fontsize=7, fontweight="bold", va="bottom"
        )
        canvas.text(
            0.02,
            top + plane / 2,
            style.literal(fill(titles.get(case, ""), 25)),
            va="top",
            fontsize=style.SMALL,
            linespacing=1.15,
        )
        height = min(plane * 0.85, 0.3 * len(counts))
        axes = canvas.axes(_LABELS + 0.2, top + (plane - height) / 2, _BARS - 0.4, height)
        _shares(axes, of_case, counts)
        if row == len(models) - 1:
            axes.set_xlabel("share of seeds")
        for column, count in enumerate(drawn):
            left = _LABELS + _BARS + 0.3 + column * (plane + _GAP)
            example = next((model for model in of_case if model.n_represented == count), None)
            axes = canvas.axes(left, top, plane, plane)
            if example is None:
                style.bare(axes)
                axes.text(0.5, 0.5, f"no seed has {count}", ha="center", va="center", fontsize=7)
                continue
            planes.frame_plane(axes, limit)
            planes.draw_features(axes, example.weights, example.represented, size=0.95)
            what = " represented" if plane > 1.15 else ""  # as there is room
            axes.set_title(f"seed {example.seed}: {count}{what}", fontsize=7, pad=2)
    return canvas.figure


def _shares(axes: Axes, models: list[rows.ToyModelRows], counts: list[int]) -> None:
    """A bar a number of represented features, with its 95 % interval."""
    n_seeds = len(models)
    for position, count in enumerate(reversed(counts)):
        n_models = sum(model.n_represented == count for model in models)
        low, high = exact_interval(n_models, n_seeds)
        axes.barh(position, n_models / n_seeds, height=0.62, color=style.FAINT, edgecolor=style.MUTED, lw=0.6)
        axes.plot([low, high], [position, position], color=style.INK, linewidth=1.2)
        axes.text(1.04, position, f"{n_models}/{n_seeds}", va="center_baseline", fontsize=style.SMALL)
    axes.set_yticks(range(len(counts)), [str(count) for count in reversed(counts)])
    axes.set_ylim(-0.5, len(counts) - 0.5)
    axes.set_ylabel("represented")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
