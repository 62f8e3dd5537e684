"""What holds in general: of random schedules, never of a grid."""

from collections.abc import Sequence

from superposition_atlas.observations.words import STATES
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.general_facts import GeneralFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import count, enumerated

_MOST_QUOTED = 3


def in_general(found: Sequence[GeneralFacts]) -> str:
    """How many observations are supported in general, and which; of toy models, then of best solutions."""
    most = max(facts.n_schedules for facts in found)
    words = (
        f"On up to {count(most, 'random schedule', 'random schedules')}, each in the order that an "
        f"observation is about, {_states([facts.state for facts in found])} for trained toy models"
    )
    known = [facts.best_state for facts in found if facts.best_state]
    if known:
        words += f", and {_states(known)} for the best solutions"
    supported = [facts for facts in found if facts.state == "supported"]
    if not supported:
        return f"{words}. None is supported for toy models."
    if len(supported) > _MOST_QUOTED:
        return f"{words}."
    quoted = enumerated([f"“{literal(facts.statement.rstrip('.'))}”" for facts in supported])
    return f"{words}. Supported for toy models: {quoted}."


def _states(states: Sequence[str]) -> str:
    """`2 of 10 observations are supported, 5 contradicted and 3 open`."""
    counts = [(state, states.count(state)) for state in STATES if state in states]
    (first, n), *others = counts
    if len(states) == 1:
        return f"the one observation is {first}"
    start = f"{n} of {len(states)} observations {'is' if n == 1 else 'are'} {first}"
    return enumerated([start, *(f"{n} {state}" for state, n in others)])


def paragraph(found: Sequence[GeneralFacts]) -> list[Block]:
    """The text; nothing where no random schedules were trained."""
    if not found:
        return []
    return [
        blocks.paragraph(
            f"**In general.** {in_general(found)}",
            "Toy models of one schedule count as a cluster, as do those of one seed.",
        )
    ]
