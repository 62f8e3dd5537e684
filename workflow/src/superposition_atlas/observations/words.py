"""The words of verdicts: sentences that change when the numbers do."""

from collections.abc import Mapping

from superposition_atlas.metrics.verdicts import State

STATES: tuple[State, ...] = ("supported", "open", "contradicted")

NOT_TESTED = "no test"
NOT_IN_GENERAL = "not asked of random schedules"


def tally(counts: Mapping[str, int]) -> str:
    """States of some tests in words: "supported in all 5 tests", "supported in 1, open in 2 of 3 tests".

    Args:
        counts: number of tests by state; a state that is missing has none.
    """
    there = [(state, counts.get(state, 0)) for state in STATES if counts.get(state, 0)]
    total = sum(n for _, n in there)
    if not total:
        return NOT_TESTED
    if len(there) == 1:
        return f"{there[0][0]} in {'its one test' if total == 1 else f'all {total} tests'}"
    return ", ".join(f"{state} in {n}" for state, n in there) + f" of {total} tests"


def in_general(trained: str, best: str) -> str:
    """What random schedules say: of trained toy models, and of the best solutions where it differs.

    Args:
        trained: state of the claim for toy models; empty where it was not asked.
        best: the same for best solutions.
    """
    if not trained and not best:
        return NOT_IN_GENERAL
    if trained == best:
        return f"{trained} in general"
    parts = [(trained, "of toy models"), (best, "of best solutions")]
    return "in general " + ", ".join(f"{state} {whose}" for state, whose in parts if state)
