"""One feature's density varied among five equal ones."""

from collections.abc import Sequence

from superposition_atlas.config import Map
from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.perturbed_facts import Crossing, PerturbedFacts, perturbed_facts
from superposition_atlas.report.papers.counted import arrow, counted, joint
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import enumerated, fixed, of, percent, short

_PENTAGON, _PAIR = "pentagon", "pair"
_THRESHOLD = 2.5
"""How many times rarer than the others the varied feature is at the change, as the paper says."""
_ROUNDED = 0.25
"""A threshold this close to it would be rounded to it, to halves."""
_OPPOSITE: dict[State, State] = {"supported": "contradicted", "contradicted": "supported", "open": "open"}


def perturbation(studied: Studied) -> Written:
    """The structures that compete, where they cross, and how often training finds the better one."""
    maps = studied.trained_and_solved("perturbation")
    found = [(own, perturbed_facts(studied.ledger, own)) for own in maps]
    drawn: list[Block] = []
    statements: list[Statement] = []
    for map_, facts in found:
        shown = [one for one in studied.figures.all if one.labels.get("map") == map_.name]
        drawn.append(blocks.paragraph(_text(map_, facts)))
        drawn += studied.figures.blocks(shown, _finding(facts), floats=False)
        statements += _statements(facts)
    return Written(
        [
            blocks.heading("Perturbing a single feature"),
            blocks.paragraph(
                "All features are equally important and, but for one, equally frequent. For each structure "
                "that the search of the exact loss finds, its least loss is followed over the density of "
                "that feature; where two of these curves cross, the best structure changes.",
            ),
            *drawn,
        ],
        statements,
    )


def _finding(facts: PerturbedFacts) -> str:
    if not facts.crossings:
        return f"One structure is the best at every density: {facts.best_when_equal}."
    return f"The best structure changes at {enumerated([short(own.varied) for own in facts.crossings])}."


def _text(map_: Map, facts: PerturbedFacts) -> str:
    changes = enumerated([_change(own, facts) for own in facts.crossings])
    words = f"At {arrow(map_.n_features, map_.n_hidden)}, {changes}. " if changes else ""
    words += (
        f"{percent(facts.n_best / facts.n_models)} of the toy models have the best structure of their "
        f"schedule ([[figure:{map_.name}_branches]])."
    )
    if facts.mostly_from == facts.mostly_from:  # NaN: nowhere
        words += f" Most are a {facts.best_when_equal} from a density of {short(facts.mostly_from)} on."
    return words


def _change(crossing: Crossing, facts: PerturbedFacts) -> str:
    return (
        f"the best is *{crossing.below}* below a density of {short(crossing.varied)} "
        f"({_ratio(crossing, facts)} of the others) and *{crossing.above}* above it"
    )


def _ratio(crossing: Crossing, facts: PerturbedFacts) -> str:
    return percent(crossing.varied / facts.density)


def _statements(facts: PerturbedFacts) -> list[Statement]:
    equal = counted("", facts.n_found_when_equal, facts.n_when_equal, "at least mostly")
    is_pentagon: State = "supported" if facts.best_when_equal == _PENTAGON else "contradicted"
    best = counted("", facts.n_best, facts.n_models, "always")
    return [
        Statement(
            "Equally frequent features form a regular pentagon, which training finds [@tms].",
            f"Best: {facts.best_when_equal}; toy models that have it: {equal}",
            joint([is_pentagon, equal.verdict]),
        ),
        _collapse(facts.crossings, facts),
        _room(facts),
        Statement(
            "Gradient descent has trouble to move between structures: not always is the best one found.",
            f"Toy models with the best structure: {best}",
            _OPPOSITE[best.verdict],
        ),
    ]


def _collapse(crossings: Sequence[Crossing], facts: PerturbedFacts) -> Statement:
    words = (
        f"Where it is rarer than about 1/{_THRESHOLD:g} of the others, the pentagon collapses to two pairs "
        "without the varied feature: a crossing of losses."
    )
    wanted = [
        own
        for own in crossings
        if own.above == _PENTAGON and own.below.startswith(_PAIR) and "without" in own.below
    ]
    if not wanted:
        return Statement(words, "No such crossing", "contradicted")
    times = facts.density / wanted[0].varied
    is_near = abs(times - _THRESHOLD) <= _ROUNDED
    return Statement(
        words,
        f"A crossing at {short(wanted[0].varied)}, {fixed(times, 1)} times rarer than the others",
        "supported" if is_near else "contradicted",
    )


def _room(facts: PerturbedFacts) -> Statement:
    words = "A feature that is more frequent than the others gets more room from them, and a rarer one less."
    if not facts.n_other:
        return Statement(words, "One density only", "open")
    return Statement(
        words,
        f"{fixed(facts.room_low, 0)}° where it is rarest to {fixed(facts.room_high, 0)}° where it is most "
        f"frequent, in a {facts.best_when_equal}; so at {of(facts.n_as_frequent, facts.n_other)} densities",
        "supported" if facts.n_as_frequent == facts.n_other else "contradicted",
    )
