"""Figures of the report: their captions, a finding in bold and what is drawn, and where their labels are."""

import re
from collections.abc import Sequence

from superposition_atlas.config.sections import Section
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.catalogue import FigureTarget
from superposition_atlas.report import blocks, captions, packing
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.markup import literal, places
from superposition_atlas.report.maths import LATEX
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.file_kinds import require_file

TALLEST = 610.0
"""Points: a taller figure is made smaller, and its type with it."""


class Figures:
    """The figures of a configuration, of which the report shows some."""

    def __init__(self, sources: Sources, sections: Sequence[Section] = ("",)) -> None:
        """Checks that all of them are there.

        Args:
            sources: where they are.
            sections: of a further paper; the empty one stands for figures of the report.

        Raises:
            ArtefactError: if a figure is missing.
        """
        self._sources = sources
        self.all = [one for one in catalogue.figures(sources.config) if one.section in sections]
        self.shown: list[FigureTarget] = []
        for figure in self.all:
            require_file(sources.locate(layout.figure(figure.name, "svg")))

    def of_module(self, module: str, **labels: str) -> list[FigureTarget]:
        """Figures that a module draws, with these labels."""
        return [
            figure
            for figure in self.all
            if figure.module == module
            and all(figure.labels.get(name) == want for name, want in labels.items())
        ]

    def blocks(self, figures: Sequence[FigureTarget], finding: str = "", floats: bool = True) -> list[Block]:
        """One block for each figure that is not in the report yet.

        Args:
            figures: which.
            finding: opens the caption, in bold.
            floats: whether it may move to the top or bottom of a page.
        """
        found = []
        for figure in figures:
            if figure in self.shown:
                continue
            self.shown.append(figure)
            found.append(
                {
                    "kind": "figure",
                    "name": figure.name,
                    "label": f"figure-{figure.name}",
                    "alt": figure.alt,
                    "caption": self.caption(figure, finding),
                    "tallest": TALLEST,
                    "floats": floats,
                }
            )
        return found

    def caption(self, figure: FigureTarget, finding: str) -> str:
        """The finding in bold, then what is drawn."""
        labels = {name: literal(label) for name, label in figure.labels.items()}
        drawn = captions.render(self._sources.captions / f"{figure.module}.rst", labels)
        drawn = re.sub(r":math:`([^`]+)`", lambda match: f"${LATEX.get(match[1], match[1])}$", drawn)
        return f"**{finding}** {drawn}" if finding else drawn

    def height(self, block: Block) -> float:
        """Points that a figure's block takes on a page.

        Raises:
            ArtefactError: if the figure is damaged.
        """
        path = self._sources.locate(layout.figure(block["name"], "svg"))
        return packing.height_of(path, block["caption"])

    def height_of(self, figure: FigureTarget) -> float:
        """Points that a figure without a finding would take.

        Raises:
            ArtefactError: if the figure or its caption is damaged.
        """
        path = self._sources.locate(layout.figure(figure.name, "svg"))
        return packing.height_of(path, self.caption(figure, ""))

    def uncited(self, every: Sequence[Block]) -> list[FigureTarget]:
        """Figures that are shown and that no line of these blocks refers to."""
        labels = self.labels()
        named = {labels[name] for line in blocks.lines(every) for name in places(line) if name in labels}
        return [figure for figure in self.shown if f"figure-{figure.name}" not in named]

    def labels(self) -> dict[str, str]:
        """Label in the document by `figure:module`, of the first shown, and by `figure:name`."""
        by_name = {f"figure:{figure.name}": f"figure-{figure.name}" for figure in self.shown}
        by_module = {f"figure:{figure.module}": f"figure-{figure.name}" for figure in reversed(self.shown)}
        return by_module | by_name
