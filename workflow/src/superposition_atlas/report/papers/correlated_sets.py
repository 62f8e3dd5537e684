"""Two sets of correlated features: local bases, and the arrangements that learning passes through."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.markup import literal
from superposition_atlas.report.papers.shares import Average, Share, average_of, shares_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import fixed, grouped, short
from superposition_atlas.storage.layout import experiment_table

_COLUMNS = (
    *("case", "instance", "seed", "probability", "step", "loss", "n_represented", "within", "across"),
    *("largest_within", "arrangement"),
)
_BASES = ("bases", "antipodal bases")
_PASSED = ("directions", "bases", "antipodal bases")
"""Arrangements in the order in which learning is said to pass through them."""
_WORDS = {
    "directions": "one direction a set",
    "bases": "a basis a set",
    "antipodal bases": "antipodal bases",
}


@dataclass(frozen=True)
class SetFacts:
    """The trained toy models of one case and mean probability."""

    case: str
    title: str
    independent: bool
    """Whether it is the control."""
    unequal: bool
    probability: float
    bases: Share
    """All features are represented, and any two of a set are orthogonal."""
    within: Average
    across: Average
    largest: float
    """The mean over toy models of the largest |cosine| of two features of a set."""


@dataclass(frozen=True)
class LearningFacts:
    """The toy models of one case while they learn."""

    case: str
    title: str
    init_scale: float | str
    unequal: bool
    passes: Share
    """They have all three of _PASSED, each for the first time after the one before it."""
    direct: Share
    """They come to bases without one direction a set before."""
    first_steps: dict[str, int | None]
    """The median step at which each arrangement is first recorded, of the toy models that have it."""
    ends: dict[str, Share]
    """The last arrangements."""


def section(studied: Studied) -> Written:
    """What becomes of sets of correlated features."""
    found: list[Block] = [
        blocks.heading("Sets of correlated features"),
        blocks.paragraph(
            "*Toy Models of Superposition* [@tms] finds that sets of correlated features form almost "
            "orthogonal *local bases*, though the model as a whole has more features than dimensions. In "
            "numbers: a set is a local basis if all its features are represented and the cosine of any two "
            "is within ±0.2. Features of the same probabilities that are independent are the control.",
        ),
    ]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        path = experiment_table(experiment.name, "sets")
        table = studied.ledger.read(path, _COLUMNS)
        recorded = any(case.training.record_steps for case in experiment.cases.values())
        write = _learning if recorded else _bases
        own, facts, more = write(experiment, table, studied)
        studied.ledger.note(path, f"sets.{experiment.name}", facts)
        statements += own
        found += [blocks.heading(literal(experiment.title), 2), *more]
    return Written(found, statements)


# --- local bases -------------------------------------------------------------------------------------------


def _bases(
    experiment: Experiment, table: pd.DataFrame, studied: Studied
) -> tuple[list[Statement], list[SetFacts], list[Block]]:
    facts = [
        _set_facts(experiment, str(case), one)
        for case, of_case in table.groupby("case", sort=False)
        for _, one in reversed(list(of_case.groupby(of_case["probability"].round(6))))
    ]
    statements = []
    for unequal in (False, True):
        sets = [one for one in facts if one.unequal == unequal and not one.independent]
        controls = [one for one in facts if one.unequal == unequal and one.independent]
        if not sets:
            continue
        share = _pooled([one.bases for one in sets])
        words = (
            "They do so where their features are not equally frequent (extended here)"
            if unequal
            else "Sets of correlated features form almost orthogonal local bases [@tms]"
        )
        text = f"Each set is a local basis in {share}"
        if unequal:
            text = f"At unequal probabilities each set is a local basis in {share}"
        if controls:
            text += f", of independent features in {_pooled([one.bases for one in controls])}"
        text += (
            f"; two features of a set have a mean |cosine| of {_span([one.within.mean for one in sets])}, of "
            f"two sets {_span([one.across.mean for one in sets])}"
        )
        statements.append(Statement(words, text, share.verdict()))
    more = [
        blocks.paragraph(*(f"{statement.found}." for statement in statements)),
        *studied.figures.blocks(
            studied.figures.of_module("set_cosines", experiment=experiment.name), floats=False
        ),
        _set_table(experiment, facts),
    ]
    return statements, facts, more


def _set_facts(experiment: Experiment, case: str, table: pd.DataFrame) -> SetFacts:
    own = experiment.cases[case]
    last = table[table["step"] == table["step"].max()]
    return SetFacts(
        case=case,
        title=own.title,
        independent=own.structure is None,
        unequal=_is_unequal(experiment, case),
        probability=float(last["probability"].mean()),
        bases=shares_of(last["arrangement"].isin(_BASES)),
        within=average_of(last["within"].to_numpy()),
        across=average_of(last["across"].to_numpy()),
        largest=float(last["largest_within"].mean()),
    )


def _is_unequal(experiment: Experiment, case: str) -> bool:
    probability = experiment.cases[case].probability
    return bool((probability.max(axis=1) > probability.min(axis=1) * 1.001).any())


def _pooled(shares: Sequence[Share]) -> Share:
    return Share(sum(share.n_holding for share in shares), sum(share.n for share in shares))


def _span(values: Sequence[float]) -> str:
    low, high = fixed(min(values), 3), fixed(max(values), 3)
    return low if low == high else f"{low} to {high}"


def _set_table(experiment: Experiment, facts: Sequence[SetFacts]) -> Block:
    return blocks.table(
        f"sets-{experiment.name}",
        f"**{literal(experiment.title)}.** Toy models in which each set is a local basis, and mean "
        "|cosines|, means over toy models with 95 % intervals.",
        [
            ("Case", "left"),
            ("Mean *p*", "right"),
            ("Local bases", "right"),
            ("Within a set", "right"),
            ("Largest within", "right"),
            ("Across sets", "right"),
        ],
        [
            (
                literal(one.title),
                short(one.probability),
                f"{one.bases.n_holding} of {one.bases.n}",
                one.within.words(3),
                fixed(one.largest, 2),
                one.across.words(3),
            )
            for one in facts
        ],
    )


# --- while learning ----------------------------------------------------------------------------------------


def _learning(
    experiment: Experiment, table: pd.DataFrame, studied: Studied
) -> tuple[list[Statement], list[LearningFacts], list[Block]]:
    facts = [_learning_facts(experiment, str(case), one) for case, one in table.groupby("case", sort=False)]
    statements = []
    for number, one in enumerate(facts):
        text = (
            f"{literal(one.title)} (scale {_scale(one.init_scale)}): {one.passes} pass through one direction "
            "a set, a basis a set and antipodal bases, in this order"
        )
        if one.direct.n_holding:
            text += f"; {one.direct} come to bases without one direction a set before"
        words = (
            "Learning passes through distinct geometric arrangements [@tms]"
            if number == 0
            else f"So it does: {literal(one.title)[0].lower()}{literal(one.title)[1:]} (extended here)"
        )
        statements.append(Statement(words, text, one.passes.verdict()))
    more = [
        blocks.paragraph(
            "The arrangement at each recorded step is found by rule, from the cosines of all features: *one "
            "direction a set* if all features of a set lie side by side, *a basis a set* if they are "
            "orthogonal, *antipodal bases* if in addition each is antipodal to one of the other set and "
            "orthogonal to the rest, as the corners of an octahedron are.",
            *(f"{statement.found}." for statement in statements),
        ),
        *studied.figures.blocks(
            studied.figures.of_module("set_learning", experiment=experiment.name), floats=False
        ),
        _learning_table(experiment, facts),
    ]
    return statements, facts, more


def _learning_facts(experiment: Experiment, case: str, table: pd.DataFrame) -> LearningFacts:
    own = experiment.cases[case]
    passed = table[table["arrangement"].isin(_PASSED)]
    first = passed.pivot_table(index="instance", columns="arrangement", values="step", aggfunc="min").reindex(
        index=sorted(set(table["instance"])), columns=list(_PASSED)
    )
    steps = first.to_numpy(dtype=float)
    passes = (steps[:, 0] < steps[:, 1]) & (steps[:, 1] < steps[:, 2])
    reached = first[list(_BASES)].notna().any(axis=1).to_numpy()
    last = table[table["step"] == table["step"].max()]
    medians = first.median()
    return LearningFacts(
        case=case,
        title=own.title,
        init_scale=own.training.init_scale,
        unequal=_is_unequal(experiment, case),
        passes=shares_of(passes),
        direct=shares_of(reached & first["directions"].isna().to_numpy()),
        first_steps={str(name): None if pd.isna(step) else int(step) for name, step in medians.items()},
        ends={name: shares_of(last["arrangement"] == name) for name in _PASSED},
    )


def _scale(scale: float | str) -> str:
    return scale if isinstance(scale, str) else short(scale)


def _learning_table(experiment: Experiment, facts: Sequence[LearningFacts]) -> Block:
    def cell(one: LearningFacts, name: str) -> str:
        step = one.first_steps[name]
        return "–" if step is None else grouped(step)

    return blocks.table(
        f"learning-{experiment.name}",
        f"**{literal(experiment.title)}.** Median step at which an arrangement is first recorded, of the toy "
        "models that have it, and how many end in a basis a set or in antipodal bases.",
        [
            ("Case", "left"),
            *((_WORDS[name].capitalize(), "right") for name in _PASSED),
            ("End in bases", "right"),
            ("in antipodal ones", "right"),
        ],
        [
            (
                literal(one.title),
                *(cell(one, name) for name in _PASSED),
                *(f"{one.ends[name].n_holding} of {one.ends[name].n}" for name in _BASES),
            )
            for one in facts
        ],
    )
