"""Pairs of features that are active together, or never, and how they lie in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.dependence import ORTHOGONAL_COSINE, by_probability, pair_summary
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.markup import literal
from superposition_atlas.report.papers.shares import Share, shares_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import fixed, of, percent, sentence, short
from superposition_atlas.sampling.structure import SHARED
from superposition_atlas.storage.layout import experiment_table
from superposition_atlas.theory.best_arrangement import REACHED

_COLUMNS = (
    *(
        "case",
        "instance",
        "seed",
        "feature",
        "other",
        "probability",
        "other_probability",
        "joint_probability",
    ),
    *("cosine", "arrangement", "best", "matched", "excess", "reaches"),
)
_RARE = 0.1
"""Three pairs are rare up to this probability, the highest of ARENA's demonstration."""
_MATCHED = {"shared": "one dimension", "apart": "two dimensions"}


@dataclass(frozen=True)
class PairFacts:
    """The toy models of one schedule, or of the schedules of several."""

    n: int
    probabilities: tuple[float, ...]
    orthogonal: Share
    side_by_side: Share
    antipodal: Share
    same_side: Share
    """All pairs are represented, and their cosines are above ORTHOGONAL_COSINE."""
    not_opposed: Share
    """All pairs are represented, and orthogonal or with a cosine above that."""
    mean_cosine: float
    best: str
    matched: str
    reaches: Share | None
    excess: float | None
    """The median, as a share of the loss of nothing."""

    @property
    def is_equal(self) -> bool:
        """Whether all features have one probability."""
        return len(self.probabilities) == 1


def facts_of(summary: pd.DataFrame) -> PairFacts:
    """What some toy models of `pair_summary` show."""
    arrangement, complete = summary["arrangement"], summary["arrangement"] != "incomplete"
    solved = "best" in summary
    return PairFacts(
        n=len(summary),
        probabilities=tuple(sorted({p for row in summary["probabilities"] for p in row}, reverse=True)),
        orthogonal=shares_of(arrangement == "orthogonal"),
        side_by_side=shares_of(arrangement == "side by side"),
        antipodal=shares_of(arrangement == "antipodal"),
        same_side=shares_of(complete & (summary["least_cosine"] > ORTHOGONAL_COSINE)),
        not_opposed=shares_of(complete & (summary["least_cosine"] > -ORTHOGONAL_COSINE)),
        mean_cosine=float(summary["mean_cosine"].mean()),
        best=str(summary["best"].iloc[0]) if solved else "–",
        matched=_MATCHED.get(str(summary["matched"].iloc[0]), "in part") if solved else "–",
        reaches=shares_of(summary["reaches"].astype(bool)) if solved else None,
        excess=float(summary["excess"].median()) if solved else None,
    )


def section(studied: Studied) -> Written:
    """What becomes of pairs of features that depend on one another."""
    found: list[Block] = [
        blocks.heading("Pairs"),
        blocks.paragraph(
            "ARENA [@arena] demonstrates, after *Toy Models of Superposition* [@tms], how two dimensions "
            "hold pairs of features that are always active together, or never. Two features of a pair are "
            "*orthogonal* if the cosine of their directions is within ±0.2, *side by side* above 0.8, "
            "*antipodal* below −0.8. A toy model counts if all its pairs lie so. It *reaches* the best "
            f"solution if its exact loss exceeds that of the best solution by at most {percent(REACHED)} of "
            "the loss of representing nothing, which takes the right partners across pairs too. What the "
            "source shows is *supported* if the exact interval of the share of toy models is above one half.",
        ),
    ]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        path = experiment_table(experiment.name, "pairs")
        summary = pair_summary(studied.ledger.read(path, _COLUMNS))
        own = _statements(experiment, summary)
        statements += own
        schedules = [
            (str(case), facts_of(one))
            for case, of_case in summary.groupby("case", sort=False)
            for one in by_probability(of_case)
        ]
        studied.ledger.note(path, f"pairs.{experiment.name}", [facts for _, facts in schedules])
        found += [
            blocks.heading(literal(experiment.title), 2),
            blocks.paragraph(*(f"{statement.found}." for statement in own), _best(schedules)),
            *studied.figures.blocks(
                studied.figures.of_module("pair_planes", experiment=experiment.name), floats=False
            ),
            _table(experiment, schedules),
        ]
    return Written(found, statements)


def _joined(experiment: Experiment) -> str:
    """together, exclusive, or other: what the features of each group are to one another."""
    structures = [case for case in experiment.cases.values() if case.structure is not None]
    starts = [case.structure[0] for case in structures[:1] if case.structure is not None]
    if not starts:
        return "other"
    (structure,) = starts
    in_groups = structure[structure[:, 0] >= SHARED]
    return "together" if not in_groups[:, 1].any() else "exclusive"


def _statements(experiment: Experiment, summary: pd.DataFrame) -> list[Statement]:
    """The statements of the source about these pairs, at equal and at unequal probabilities."""
    equal = summary[summary["probabilities"].map(len) == 1]
    unequal = summary[summary["probabilities"].map(len) > 1]
    crowded = experiment.n_features > 2 * experiment.n_hidden
    if _joined(experiment) == "exclusive":
        return [
            *_one(equal, "Two features that exclude each other are antipodal [@arena]", "antipodal"),
            *_one(unequal, "So they are where one is more frequent (extended here)", "antipodal"),
        ]
    if not crowded:
        return [
            *_one(equal, "Two correlated features are orthogonal or side by side [@arena]", "not_opposed"),
            *_one(unequal, "So they are where one is more frequent (extended here)", "not_opposed"),
        ]
    rare = equal[equal["probabilities"].map(lambda p: p[0] <= _RARE * 1.001)]
    dense = equal[equal["probabilities"].map(lambda p: p[0] > _RARE * 1.001)]
    return [
        *_one(
            rare, "Correlated pairs that do not all fit lie beside each other where rare [@tms]", "same_side"
        ),
        *_one(_densest(rare), "They collapse to principal components by *p* = 0.1 [@arena]", "side_by_side"),
        *_one(dense, "They collapse where they are denser than that (extended here)", "side_by_side"),
        *_one(unequal, "So they lie where one of each pair is more frequent (extended here)", "same_side"),
    ]


def _densest(summary: pd.DataFrame) -> pd.DataFrame:
    return by_probability(summary)[0] if len(summary) else summary


_MEANT = {
    "antipodal": "all pairs are antipodal",
    "not_opposed": "all pairs are orthogonal or on one side",
    "same_side": "all pairs are on one side (cosine above 0.2)",
    "side_by_side": "all pairs are side by side",
}


def _one(summary: pd.DataFrame, words: str, measure: str) -> list[Statement]:
    """One statement with the share of these toy models, and how it differs between probabilities."""
    if summary.empty:
        return []
    share: Share = getattr(facts_of(summary), measure)
    groups = [facts_of(one) for one in by_probability(summary)]
    found = sentence(f"{_MEANT[measure]} in {share}")
    if len(groups) == 1:
        found = f"At *p* = {_numbers(groups[0])} {_MEANT[measure]} in {share}"
    if len(groups) > 1:
        low, high = (
            choose(groups, key=lambda one: getattr(one, measure).n_holding / one.n) for choose in (min, max)
        )
        few, many = (getattr(one, measure) for one in (low, high))
        if few.n_holding * many.n != many.n_holding * few.n:
            found += (
                f", from {of(few.n_holding, few.n)} at *p* = {short(low.probabilities[0])} to "
                f"{of(many.n_holding, many.n)} at *p* = {short(high.probabilities[0])}"
            )
    n_incomplete = int((summary["arrangement"] == "incomplete").sum())
    if n_incomplete > 0.1 * len(summary):
        found += f"; a feature is not represented in {of(n_incomplete, len(summary))}"
    return [Statement(words, found, share.verdict())]


def _best(schedules: Sequence[tuple[str, PairFacts]]) -> str:
    """What best solutions have, and how many toy models reach them."""
    known = [(facts, facts.reaches) for _, facts in schedules if facts.reaches is not None]
    if not known:
        return ""
    n_holding, n = sum(share.n_holding for _, share in known), sum(share.n for _, share in known)
    kinds = list(dict.fromkeys(facts.best for facts, _ in known))
    low = min(known, key=lambda one: one[1].n_holding / one[1].n)
    high = max(known, key=lambda one: one[1].n_holding / one[1].n)
    span = ""
    if low[1].n_holding / low[1].n < high[1].n_holding / high[1].n:
        span = (
            f", from {percent(low[1].n_holding / low[1].n)} at *p* = {_numbers(low[0])} to "
            f"{percent(high[1].n_holding / high[1].n)} at *p* = {_numbers(high[0])}"
        )
    reached = f"{Share(n_holding, n)} toy models reach the best solution{span}"
    return f"In the best solutions all pairs are {kinds[0]}; {reached}." if len(kinds) == 1 else f"{reached}."


def _numbers(facts: PairFacts) -> str:
    return " and ".join(short(p) for p in facts.probabilities)


def _table(experiment: Experiment, schedules: Sequence[tuple[str, PairFacts]]) -> Block:
    rows, is_exclusive = [], _joined(experiment) == "exclusive"
    for _, facts in schedules:
        shares = (facts.orthogonal, facts.side_by_side, facts.antipodal if is_exclusive else facts.same_side)
        rows.append(
            (
                _numbers(facts),
                str(facts.n),
                *(str(share.n_holding) for share in shares),
                fixed(facts.mean_cosine, 2),
                facts.best,
                facts.matched,
                "–" if facts.reaches is None else _with_interval(facts.reaches),
            )
        )
    return blocks.table(
        f"pairs-{experiment.name}",
        f"**{literal(experiment.title)}.** Toy models by how all their pairs lie, the mean cosine of a pair, "
        "the best solution and the matching, and the share that reaches the best solution, with exact 95 % "
        "intervals.",
        [
            ("*p*", "left"),
            ("Toy models", "right"),
            ("Orthogonal", "right"),
            ("Side by side", "right"),
            ("Antipodal" if is_exclusive else "On one side", "right"),
            ("Cosine", "right"),
            ("Best", "left"),
            ("Matching", "left"),
            ("Reach the best", "right"),
        ],
        rows,
    )


def _with_interval(share: Share) -> str:
    low, high = share.interval
    return f"{percent(share.n_holding / share.n)} ({100 * low:.0f}–{100 * high:.0f})"
