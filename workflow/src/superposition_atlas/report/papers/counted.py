"""Counts in several places beside what a statement requires of them, and the verdict on all together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report.papers.shares import Share
from superposition_atlas.report.phrases import FIXED_SPACE


@dataclass(frozen=True)
class Counted:
    """How many of some toy models, points or pairs show what a statement says."""

    where: str
    """What they are of; empty where the statement says it."""
    share: Share
    verdict: State

    def __str__(self) -> str:
        return f"{self.where}: {self.share}" if self.where else str(self.share)


def counted(where: str, n_holding: int, n: int, requirement: str) -> Counted:
    """A share beside what the statement requires of it.

    Args:
        where: as of `Counted`.
        n_holding: how many show it.
        n: of how many, at least 1.
        requirement: one of `metrics.verdicts.REQUIREMENTS`.
    """
    share = Share(n_holding, n)
    return Counted(where, share, share.verdict(requirement))


def joint(verdicts: Iterable[State]) -> State:
    """The verdict on several statements at once: contradicted if one is, supported if all are, else open."""
    found = set(verdicts)
    if "contradicted" in found:
        return "contradicted"
    return "supported" if found == {"supported"} else "open"


def in_a_line(tests: Sequence[Counted]) -> str:
    """All of them in a line."""
    return "; ".join(map(str, tests))


def arrow(n_features: int, n_hidden: int) -> str:
    """`20 → 5`: features in dimensions."""
    return f"{n_features}{FIXED_SPACE}→{FIXED_SPACE}{n_hidden}"
