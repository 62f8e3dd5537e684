"""Statements about shares: the numbers that a section prints, and the verdict, follow from one interval."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from superposition_atlas.metrics.verdicts import State, share_verdict
from superposition_atlas.report.phrases import FIXED_SPACE, THIN, of, percent


@dataclass(frozen=True)
class Counted:
    """How many of some toy models, points or pairs show what a statement says."""

    where: str
    """What they are of; empty where the statement says it."""
    n_holding: int
    n: int
    low: float
    """Ends of the exact 95 % interval."""
    high: float
    verdict: State

    def __str__(self) -> str:
        interval = f"95{THIN}%: {percent(self.low)} to {percent(self.high)}"
        text = f"{of(self.n_holding, self.n)} ({interval})"
        return f"{self.where}: {text}" if self.where else text


def counted(where: str, n_holding: int, n: int, requirement: str) -> Counted:
    """A share beside what the statement requires of it.

    Args:
        where: as of `Counted`.
        n_holding: how many show it.
        n: of how many, at least 1.
        requirement: one of `metrics.verdicts.REQUIREMENTS`.
    """
    verdict = share_verdict(n_holding, n)
    return Counted(where, n_holding, n, verdict.low, verdict.high, verdict.of_claim(requirement))


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
