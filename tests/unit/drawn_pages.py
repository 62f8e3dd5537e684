"""What every figure must keep to on a page: its width, readable type, and no text over another."""

from itertools import combinations, pairwise

import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from superposition_atlas.figures.parts import style

SMALLEST_TYPE = 7.0
"""Points, at the width of the page."""


def assert_readable(figure: Figure) -> None:
    small = {
        text.get_text(): text.get_fontsize()
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text.get_fontsize() < SMALLEST_TYPE
    }
    assert small == {}


def assert_words_apart(figure: Figure) -> None:
    """No two texts of more than a digit cover each other."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        if axes.axison:
            texts += [axes.xaxis.label, axes.yaxis.label]
        texts += [axes.title, *axes.texts]
    boxes = [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in texts
        if text.get_visible() and len(text.get_text().strip()) > 1
    ]
    covered = [
        (one, other)
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    assert covered == []


def assert_labels_apart(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        boxes = label_boxes(axis, canvas)
        assert [one for one, other in pairwise(boxes) if one.overlaps(other)] == [], axis.get_label_text()


def label_boxes(axis: Axis, canvas: FigureCanvasAgg) -> list[Bbox]:
    """Extents of the labels that an axis shows, in their order along it."""
    labels = [*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)]
    low, high = sorted(axis.get_view_interval())
    places = [text.get_position()[axis.axis_name == "y"] for text in labels]
    drawn = [
        (place, text.get_window_extent(canvas.get_renderer()))
        for place, text in zip(places, labels, strict=True)
        if text.get_visible() and text.get_text() and low <= place <= high and axis.axes.axison
    ]
    return [box for _, box in sorted(drawn, key=lambda one: one[0])]


def assert_fits_the_page(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    assert width == pytest.approx(style.WIDTH)
    assert 1.0 < height <= 8.5
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (left, bottom), (right, top) = figure.bbox.get_points()
    for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
        if text.get_visible() and text.get_text():
            box = text.get_window_extent(canvas.get_renderer())
            assert left - 1 <= box.x0 <= box.x1 <= right + 1, text.get_text()
            assert bottom - 1 <= box.y0 <= box.y1 <= top + 1, text.get_text()
    assert_readable(figure)
    assert_labels_apart(figure)
    assert_words_apart(figure)
