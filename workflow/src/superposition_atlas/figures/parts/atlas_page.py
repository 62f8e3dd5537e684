"""The page that the atlas's figures have in common: strips of panels, their headings, scales and legend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from matplotlib.cm import ScalarMappable
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import style
from superposition_atlas.figures.parts.atlas_grid import Atlas, Column
from superposition_atlas.figures.parts.atlas_panel import BOUNDARY, CASE, OTHER, Layers, Look, draw_panel
from superposition_atlas.figures.parts.bar_panels import scale
from superposition_atlas.figures.parts.canvas import Canvas

# Inches.
_TALLEST_PAGE = 7.9
_LEFT, _BETWEEN, _BETWEEN_GROUPS, _BETWEEN_FAMILIES = 0.62, 0.05, 0.07, 0.1
_WIDEST, _MOST_BETWEEN_GROUPS = 1.3, 0.35
_TITLE, _HEADING, _AXIS, _LEGEND = 0.18, 0.115, 0.32, 0.4
_SCALE, _BETWEEN_SCALES = 1.6, 0.35
_LETTER = 0.047
"""Width of a letter in headings."""


@dataclass(frozen=True)
class Group:
    """Panels side by side under one title."""

    title: str
    columns: list[Column]
    headings: list[list[str]]
    """Lines above each panel."""
    name: str
    """Column of the table; stands for the braces in the names of a line's layers."""


@dataclass(frozen=True)
class Line:
    """Panels of one kind: a row for each family."""

    label: str
    layers: Layers
    """Names may have braces for that of the group."""

    def of(self, group: Group) -> Layers:
        """Layers of its panels in this group."""
        names = ("cells", "boundary", "agreement")
        filled = {name: getattr(self.layers, name).format(group.name) for name in names}
        return replace(self.layers, **filled)


@dataclass(frozen=True)
class Strip:
    """Lines of all families under the same columns."""

    groups: list[Group]
    lines: list[Line]
    title: str = ""
    title_room: float = 0.0
    """Inches that each group has at least, for its title."""

    @property
    def head(self) -> float:
        """Inches above the panels."""
        n_lines = max(len(heading) for group in self.groups for heading in group.headings)
        return (_TITLE if self.title else 0.0) + _TITLE + (n_lines + 1) * _HEADING + 0.04

    @property
    def widest(self) -> float:
        """Inches that a panel has at most, so that all fit side by side."""
        sizes = [len(group.columns) for group in self.groups]
        return (style.WIDTH - _LEFT - (len(sizes) - 1) * _BETWEEN_GROUPS) / sum(sizes) - _BETWEEN

    def height(self, atlas: Atlas, panel: float) -> float:
        """Inches, with panels of this height."""
        n_families = len(atlas.families)
        lines = n_families * len(self.lines) * (panel + _BETWEEN) - _BETWEEN
        return self.head + lines + (n_families - 1) * _BETWEEN_FAMILIES + _AXIS

    def places(self, width: float) -> list[list[float]]:
        """Left ends of panels of this width in inches, group by group."""
        taken = [max(len(group.columns) * (width + _BETWEEN), self.title_room) for group in self.groups]
        spare = style.WIDTH - _LEFT - sum(taken)
        apart = min(_MOST_BETWEEN_GROUPS, spare / max(len(taken) - 1, 1))
        lefts = [_LEFT + sum(taken[:index]) + index * apart for index in range(len(taken))]
        return [
            [left + index * (width + _BETWEEN) for index in range(len(group.columns))]
            for left, group in zip(lefts, self.groups, strict=True)
        ]


def by_importance(atlas: Atlas, name: str) -> list[Group]:
    """All columns of panels, a group for each importance."""
    return [
        Group(title, columns, [[column.order_words] for column in columns], name)
        for title, part in groupby(atlas.columns, key=lambda column: column.importance)
        for columns in [list(part)]
    ]


def draw_page(atlas: Atlas, strips: Sequence[Strip], tallest: float, boundary: str) -> Canvas:
    """A page with these strips below each other, and below them a legend and the scales.

    Args:
        atlas: what is drawn.
        strips: at least one.
        tallest: inches of a panel's height, where the page has room.
        boundary: what the lines in panels are.
    """
    lines = [line for strip in strips for line in strip.lines]
    fixed = sum(strip.height(atlas, 0.0) for strip in strips) + _LEGEND
    n_rows = len(lines) * len(atlas.families)
    height = min(tallest, (_TALLEST_PAGE - fixed) / n_rows)
    canvas = Canvas(fixed + n_rows * height)
    width = min(_WIDEST, *(strip.widest for strip in strips))
    top = 0.0
    for strip in strips:
        _draw_strip(canvas, atlas, strip, top, width, height)
        top += strip.height(atlas, height)
    _legend(canvas, top, boundary, has_agreement=any(line.layers.agreement for line in lines))
    _scales(canvas, top, [line.layers.look for line in lines])
    return canvas


def _draw_strip(canvas: Canvas, atlas: Atlas, strip: Strip, top: float, width: float, height: float) -> None:
    places = strip.places(width)
    canvas.text(_LEFT, top + 0.12, strip.title, fontsize=7)
    for group, lefts in zip(strip.groups, places, strict=True):
        _headings(canvas, atlas, group, top + (_TITLE if strip.title else 0.0), lefts, width)
    upright = {"rotation": 90, "ha": "center"}
    top += strip.head
    for family in atlas.families:
        below = top + len(strip.lines) * (height + _BETWEEN)
        middle = (top + below - _BETWEEN) / 2
        canvas.text(0.09, middle, family, **upright, va="center", fontsize=7, fontweight="bold")
        for line in strip.lines:
            is_last = family == atlas.families[-1] and line is strip.lines[-1]
            canvas.text(0.24, top + height / 2, line.label, **upright, va="center", fontsize=style.SMALL)
            for group, lefts in zip(strip.groups, places, strict=True):
                for column, left in zip(group.columns, lefts, strict=True):
                    axes = canvas.axes(left, top, width, height)
                    draw_panel(axes, atlas, family, column, line.of(group))
                    axes.tick_params(labelleft=left == _LEFT, labelbottom=is_last)
            top += height + _BETWEEN
        top += _BETWEEN_FAMILIES
    top -= _BETWEEN + _BETWEEN_FAMILIES
    canvas.text(_LEFT, top + 0.24, "steepness →", fontsize=style.SMALL)
    canvas.text(0.38, top, "mean density →", **upright, va="bottom", fontsize=style.SMALL)


def _headings(
    canvas: Canvas, atlas: Atlas, group: Group, top: float, lefts: Sequence[float], width: float
) -> None:
    """A title over all panels of a group; over each panel its own lines, and the talk's cases in it."""
    left, right = lefts[0], lefts[-1] + width
    canvas.text((left + right) / 2, top + 0.12, group.title, ha="center", fontsize=7)
    ends, height = (left / style.WIDTH, right / style.WIDTH), 1 - (top + _TITLE) / canvas.height
    canvas.figure.add_artist(Line2D(ends, (height, height), color=style.MUTED, linewidth=0.5))
    for column, heading, left in zip(group.columns, group.headings, lefts, strict=True):
        names = style.literal(_shortened(", ".join(atlas.case_names(column)), int(width / _LETTER)))
        for index, text in enumerate([*heading, names], start=1):
            canvas.text(
                left + width / 2,
                top + _TITLE + index * _HEADING - 0.015,
                text,
                ha="center",
                fontsize=style.SMALL,
                color=style.ACCENT if index > len(heading) else style.INK,
            )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _legend(canvas: Canvas, top: float, boundary: str, has_agreement: bool) -> None:
    handles = [Line2D([], [], label=boundary, **BOUNDARY), Line2D([], [], label="a case of the talk", **CASE)]
    if has_agreement:
        handles.append(Line2D([], [], label="other features than the best's", **(OTHER | {"markersize": 3})))
    canvas.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=((_LEFT - 0.1) / style.WIDTH, 1 - (top - 0.02) / canvas.height),
        borderaxespad=0.0,
        fontsize=style.SMALL,
        labelspacing=0.25,
    )


def _scales(canvas: Canvas, top: float, looks: Sequence[Look]) -> None:
    """Draws the labelled colour scales, each once, on the right."""
    shown = [look for look in dict.fromkeys(looks) if look.label]
    for index, look in enumerate(reversed(shown), start=1):
        left = style.WIDTH - index * (_SCALE + _BETWEEN_SCALES) + _BETWEEN_SCALES - 0.15
        axes = canvas.axes(left, top + 0.06, _SCALE, 0.08)
        scale(axes, ScalarMappable(look.norm, look.colours), look.label, list(look.ticks))
        axes.set_xticks(list(look.ticks), list(look.ticks.values()))
        axes.minorticks_off()
