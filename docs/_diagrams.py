"""Flowcharts in Mermaid's notation as SVG, drawn as the site is built: Mermaid would come from the network.

Nodes `id["first line<br/>second line"]`, edges `a --> b` and subgraphs are read, which GitHub draws too. Rows
follow the arrows, from top to bottom.
"""

import re
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any

_LETTER, _SMALL, _LINE = 7.6, 6.2, 17.0
"""Widths of a letter of a node's name and of its second line, and the height of a line, in pixels."""
_PADDING, _GAP, _ROW_GAP, _PER_ROW = 10.0, 18.0, 44.0, 3
_STEP_ASIDE = 14.0
"""Width that an arrow takes in rows that it passes."""

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Box:
    """A node or subgraph with its place."""

    lines: tuple[str, ...]
    inner: list["Box"] = field(default_factory=list)
    is_waypoint: bool = False
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        """Horizontal middle."""
        return self.x + self.width / 2

    def move(self, x: float, y: float) -> None:
        """Moves it with what is in it."""
        for box in self.inner:
            box.move(box.x + x - self.x, box.y + y - self.y)
        self.x, self.y = x, y


def with_pictures(markdown: str) -> str:
    """The text with a picture for each flowchart."""
    return FENCE.sub(lambda match: f'<div class="diagram">{picture(match[1])}</div>', markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls this with each page, as the configuration's second hook."""
    return with_pictures(markdown)


def picture(text: str) -> str:
    """A flowchart as SVG on one line.

    Raises:
        ValueError: if a line is none of those that this module reads.
    """
    boxes, edges = _read(text)
    rows, paths = _placed(boxes, edges)
    width = max(box.x + box.width for row in rows for box in row)
    height = max(box.y + box.height for row in rows for box in row)
    parts = [_arrow(path) for path in paths]
    parts += [_drawn(box) for row in rows for box in row if not box.is_waypoint]
    names = ", ".join(box.lines[0] for box in boxes.values())
    head = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>'
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="-4 -4 {width + 8:.0f} {height + 8:.0f}" '
        f'aria-label="{escape(f"Flowchart of {names}")}" font-family="sans-serif" width="100%">'
        f"{head}{''.join(parts)}</svg>"
    )


# --- reading -----------------------------------------------------------------------------------------------


def _read(text: str) -> tuple[dict[str, Box], list[tuple[str, str]]]:
    """Boxes by name, subgraphs with theirs inside, and edges."""
    labels: dict[str, tuple[str, ...]] = {}
    groups: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    order: list[str] = []
    group = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("flowchart"):
            continue
        if match := re.fullmatch(r"subgraph (\w+) \[(.*)\]", line):
            group, titles[match[1]] = match[1], match[2]
            groups[group] = []
            order.append(group)
            continue
        if line == "end":
            group = ""
            continue
        names = []
        for part in line.split(" --> "):
            match = re.fullmatch(r'(\w+)(?:\[+"(.*?)"\]+)?', part)
            if match is None:
                raise ValueError(f"{part!r}: is no node of a flowchart")
            name, label = match.groups()
            if label or name not in labels:
                labels[name] = tuple((label or name).split("<br/>")) if label else labels.get(name, (name,))
            names.append(name)
            if group:
                groups[group].append(name)
            elif name not in order:
                order.append(name)
        edges += pairwise(names)
    made = {name: _node(lines) for name, lines in labels.items() if name not in groups}
    boxes = {
        name: _group(titles[name], [made[inner] for inner in groups[name]]) if name in groups else made[name]
        for name in order
    }
    return boxes, edges


def _node(lines: tuple[str, ...]) -> Box:
    widths = [len(line) * (_LETTER if number == 0 else _SMALL) for number, line in enumerate(lines)]
    return Box(lines, width=max(widths) + 2 * _PADDING, height=len(lines) * _LINE + _PADDING)


def _group(title: str, inner: list[Box]) -> Box:
    """A box around others, some in a row."""
    box = Box((title,), inner)
    y = _LINE + _PADDING
    for start in range(0, len(inner), _PER_ROW):
        row = inner[start : start + _PER_ROW]
        x = _PADDING
        for one in row:
            one.x, one.y = x, y
            x += one.width + _PADDING
        box.width = max(box.width, x)
        y += max(one.height for one in row) + _PADDING
    box.height = y
    return box


# --- places ------------------------------------------------------------------------------------------------


def _placed(boxes: dict[str, Box], edges: list[tuple[str, str]]) -> tuple[list[list[Box]], list[list[Box]]]:
    """Boxes in rows below what leads to them, and the boxes that each arrow passes."""
    rank = dict.fromkeys(boxes, 0)
    for _ in boxes:
        for one, other in edges:
            rank[other] = max(rank[other], rank[one] + 1)
    rows: list[list[Box]] = [[] for _ in range(max(rank.values()) + 1)]
    for name, box in boxes.items():
        rows[rank[name]].append(box)
    paths = []
    for one, other in edges:
        path = [boxes[one]]
        for row in range(rank[one] + 1, rank[other]):
            path.append(Box((), is_waypoint=True, width=_STEP_ASIDE))
            rows[row].append(path[-1])
        paths.append([*path, boxes[other]])
    before: dict[int, list[Box]] = {}
    for path in paths:
        for one, other in pairwise(path):
            before.setdefault(id(other), []).append(one)
    y = 0.0
    for row in rows:
        # Below the middle of what leads there, so that arrows are short.
        row.sort(key=lambda box: _mean([one.middle for one in before.get(id(box), [])]))
        x = -(sum(box.width for box in row) + _GAP * (len(row) - 1)) / 2
        height = max(box.height for box in row)
        for box in row:
            box.height = height if box.is_waypoint else box.height
            box.move(x, y + (height - box.height) / 2)
            x += box.width + _GAP
        y += height + _ROW_GAP
    left = min(box.x for row in rows for box in row)
    for row in rows:
        for box in row:
            box.move(box.x - left, box.y)
    return rows, paths


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


# --- drawing -----------------------------------------------------------------------------------------------


def _drawn(box: Box) -> str:
    is_group = bool(box.inner)
    frame = (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="5" '
        f'fill="{"none" if is_group else "rgba(63, 81, 181, 0.08)"}" stroke="currentColor" '
        f'stroke-opacity="{0.35 if is_group else 0.7}"/>'
    )
    words = "".join(
        f'<text x="{box.middle:.0f}" y="{box.y + 4 + _LINE * (number + 0.75):.0f}" text-anchor="middle" '
        f'fill="currentColor" font-size="{13 if number == 0 else 11}"'
        f"{' font-weight=' + chr(34) + 'bold' + chr(34) if number == 0 else ''}>{escape(line)}</text>"
        for number, line in enumerate(box.lines)
    )
    return frame + words + "".join(map(_drawn, box.inner))


def _arrow(path: list[Box]) -> str:
    """A smooth line from the lower edge of the first box to the upper edge of the last."""
    points = [(path[0].middle, path[0].y + path[0].height)]
    for box in path[1:]:
        points.append((box.middle, box.y))
        if box.is_waypoint:
            points.append((box.middle, box.y + box.height))
    d = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y1 - y0) / 2
        d += f"C{x0:.0f} {y0 + half:.0f} {x1:.0f} {y1 - half:.0f} {x1:.0f} {y1:.0f}"
    return f'<path d="{d}" fill="none" stroke="currentColor" stroke-opacity="0.6" marker-end="url(#arrow)"/>'
