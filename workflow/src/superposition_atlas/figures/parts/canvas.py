"""A figure whose panels are placed in inches, where squares must stay squares and rows must line up."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from superposition_atlas.figures.parts.style import WIDTH


class Canvas:
    """A page of the report's width; positions are inches from its top left corner."""

    def __init__(self, height: float) -> None:
        """An empty page of that height in inches."""
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height))

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A panel whose frame is this rectangle."""
        return self.figure.add_axes(
            (
                left / WIDTH,
                1 - (top + height) / self.height,
                width / WIDTH,
                height / self.height,
            )
        )

    def text(self, left: float, top: float, text: str, **style: object) -> Text:
        """Text at a place; `style` as for Matplotlib's text."""
        return self.figure.text(left / WIDTH, 1 - top / self.height, text, **style)  # type: ignore[arg-type]


def columns_of(n_panels: int, most: int = 4) -> int:
    """Columns in which so many panels fill their rows as evenly as they can.

    Args:
        n_panels: number of panels, at least 1.
        most: panels a row at most.
    """
    n_rows = -(-n_panels // most)
    return -(-n_panels // n_rows)
