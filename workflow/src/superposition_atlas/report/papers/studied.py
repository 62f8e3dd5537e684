"""What a section of a further paper is made from, and what it consists of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from superposition_atlas.config import Experiment, Map
from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.figures_shown import Figures
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.theory.limits import LARGEST_SOLVED


@dataclass(frozen=True)
class Studied:
    """The experiments and maps of one section; its tables are read through the ledger."""

    experiments: Sequence[Experiment]
    maps: Sequence[Map]
    ledger: Ledger
    figures: Figures

    def trained_and_solved(self, kind: str) -> list[Map]:
        """Its maps of a kind of points that have toy models and best solutions."""
        return [
            own
            for own in self.maps
            if own.points["kind"] == kind and own.seeds and own.n_features <= LARGEST_SOLVED
        ]


@dataclass(frozen=True)
class Statement:
    """One statement of a source beside what comes out here."""

    words: str
    """The statement in a few words, with its source as markup (`[@tms]`)."""
    found: str
    """What comes out here, with its interval."""
    verdict: State
    """Chosen by the numbers, see `metrics.verdicts`."""


@dataclass(frozen=True)
class Written:
    """A section: its blocks, and its statements, which the first page sums up."""

    blocks: list[Block]
    statements: list[Statement] = field(default_factory=list)
