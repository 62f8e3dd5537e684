"""Abstract, and the page for people in a hurry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from superposition_atlas.observations.words import STATES
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.observation_facts import ObservationFacts, OutcomeFacts
from superposition_atlas.report.facts.schedules import AtlasFacts, PredictorFacts, ProspectiveRow
from superposition_atlas.report.facts.toy_models import CLOSE, CaseFacts, MatchedFacts, unequal
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import ARROW, THIN, between, count, fixed, of, percent, spelled
from superposition_atlas.report.sentences import eighty_features, five_features, theory

WHY = {
    "O1": "A pentagon of all five pays only where all are rare; elsewhere training may end in one.",
    "O2": "The important features are rare: cheap partners.",
    "O2-every": "As in the row above.",
    "O3": "Pairs save most; a frequent feature is dropped, not paired.",
    "O3-almost": "As in the row above.",
    "P1-fewest": "Important frequent features take whole dimensions.",
    "P1-least": "As in the row above.",
    "P1-top": "A frequent feature is a bad partner, and the first is worth a dimension.",
    "P2": "Only where two others save more in its place: $crowded$.",
    "P4-matched": "How importance lines up with sparsity decides, not unequal sparsity.",
}
"""Why, by the two costs: theory, whatever the verdict."""


@dataclass(frozen=True)
class Findings:
    """The facts that abstract, summary and terminal are about; what a configuration lacks is empty."""

    n_models: int
    five: Sequence[CaseFacts]
    n_five: int
    matched: Sequence[MatchedFacts]
    atlas: AtlasFacts | None
    predictor: PredictorFacts | None
    prospective: Sequence[ProspectiveRow]
    observations: Sequence[ObservationFacts]
    slides: str
    """Name of the experiment of the talk's size."""
    post: str


QUESTION = "Which combination of feature sparsity and importance governs what a toy model represents?"
ANSWER = (
    "Two costs decide. A dimension of its own saves feature $i$ the variance $V$; sharing it with $j$ costs "
    "$c$. Each of the $m$ dimensions goes to one feature or to a pair, and what is represented is the choice "
    "that saves most: a matching. No training, no fitted constant."
)


def abstract(found: Findings) -> str:
    """What is true, in 150 words."""
    return " ".join(
        sentence
        for sentence in (
            "Which features does a toy model represent if they are not equally sparse? We reproduce the "
            "talk *Experiments with Mechanistic Interpretability*, whose probabilities are unpublished, and "
            "answer its open question. Two closed-form costs, of dropping a feature and of sharing a "
            "dimension, define a matching that predicts without training what is represented.",
            _agreement(found.matched),
            "The most frequent features, which make bad partners, are mostly alone or absent.",
            eighty_features.in_short(found.matched),
            _never_all(found),
            _limit(found.prospective),
        )
        if sentence
    )


def _agreement(matched: Sequence[MatchedFacts]) -> str:
    if not matched:
        return ""
    n_close = sum(facts.is_close for facts in matched)
    return (
        f"On {of(n_close, len(matched))} schedules of {matched[0].n_features} features in "
        f"{matched[0].n_hidden} dimensions it agrees with a toy model about as well as a second one does."
    )


def _never_all(found: Findings) -> str:
    cases = unequal(found.five)
    if not cases:
        return ""
    shares = [case.all_represented.share for case in cases]
    if max(shares) == 0:
        return f"No toy model represents all {spelled(found.n_five)} features, as the talk says."
    return (
        f"The talk's “never all {spelled(found.n_five)}” does not hold on our schedules: up to "
        f"{percent(max(shares))} of the toy models of a case represent all."
    )


def _limit(rows: Sequence[ProspectiveRow]) -> str:
    whole = [row for row in rows if row.subset == "all"]
    if not whole:
        return ""
    largest = max(whole, key=lambda row: row.n_features)
    if largest.below[0] > CLOSE:
        return (
            f"On random schedules the matching's overlap is {fixed(largest.means['below_ceiling'], 2)} below "
            "a second toy model's, most where more than two rare features share a dimension."
        )
    return ""


def summary(found: Findings, titles: dict[str, str]) -> list[Block]:
    """Question, answer, evidence, what became of the observations, and limits."""
    return [
        blocks.heading("In one page"),
        blocks.paragraph(f"**Question.** {QUESTION}"),
        blocks.paragraph(
            f"**Answer.** {ANSWER} So whether a feature shares a dimension depends on its *partner's* "
            "density; the most frequent features are mostly alone or absent; and the order of importance and "
            "sparsity decides how many features there are ([[figure:answer_matching]])."
        ),
        blocks.paragraph("**Evidence.**", *evidence(found)),
        blocks.paragraph("**How much a picture of eight seeds is worth.**", *eight_seeds(found)),
        blocks.paragraph("**What is not known.**", *unknown(found)),
        *observation_table(found, titles),
    ]


def evidence(found: Findings) -> list[str]:
    """The strongest facts for the answer."""
    sentences = []
    if found.matched:
        sentences.append(f"{theory.closeness(found.matched).rstrip('.')} ([[table:matching]]).")
        sentences.append(eighty_features.order_decides(found.matched))
    if found.predictor:
        facts = found.predictor
        sentences.append(
            f"For {spelled(found.n_five)} features the two costs alone name the best solution's features on "
            f"{percent(facts.matching.share)} of {facts.n} random schedules; with triangles, pentagons and "
            f"best scales and biases, on {percent(facts.full.share)}."
        )
    return sentences


def eight_seeds(found: Findings) -> list[str]:
    """What eight toy models can show."""
    cases = unequal(found.five)
    if not cases:
        return ["No experiment of the talk's size is configured."]
    sentences = [
        five_features.all_features(cases, found.n_five),
        five_features.worth_of_eight(cases, found.n_five),
    ]
    eights = [case.best_of_eight for case in cases if not math.isnan(case.best_of_eight)]
    ones = [case.keeps_best.share for case in cases if case.keeps_best]
    if eights and ones:
        sentences.append(
            f"Depending on the case, {between(100 * min(ones), 100 * max(ones), 0)}{THIN}% of the toy models "
            "represent exactly the best solution's features; of eight, the one of lowest loss does so with "
            f"probability {between(min(eights), max(eights), 2)}."
        )
    return sentences


def unknown(found: Findings) -> list[str]:
    """Limits, the two that matter first."""
    sentences = [
        "Where features are so rare that more than two share a dimension, the matching is no guide, and no "
        "closed form is known for many dimensions."
    ]
    rows = [row for row in found.prospective if row.subset == "all"]
    if rows:
        largest = max(rows, key=lambda row: row.n_features)
        sentences.append(theory.aim_met(largest))
    over = [facts.loss_share_trained / facts.loss_share_rule - 1 for facts in found.matched]
    if over and max(over) > CLOSE:
        sentences.append(
            f"Training leaves up to {percent(max(over))} more loss than what the rule names, so it does not "
            "always find the optimum, and we cannot say beforehand where it ends."
        )
    sentences.append(
        "The author's probabilities are unknown: we chose the family of schedules by four published norms, "
        "which therefore agree by choice. Features are independent and magnitudes uniform."
    )
    return sentences


def observation_table(found: Findings, titles: dict[str, str]) -> list[Block]:
    """The author's words and what became of them."""
    rows = []
    for facts in found.observations:
        if facts.is_control or facts.name not in WHY:
            continue
        rows.append(
            (
                literal(facts.statement),
                *(outcome(facts, one) for one in (found.slides, found.post)),
                "–" if math.isnan(facts.best) else percent(facts.best),
                WHY[facts.name],
            )
        )
    if not rows:
        return []
    return [
        blocks.table(
            "observations",
            f"**{fate(found)}** One test a case. Supported: the interval allows only what the words require; "
            "contradicted: nothing of it; else open. Brackets: share of toy models (of features represented) "
            "or mean difference in features (norms: per cent). Best: share of best solutions that show it.",
            [
                ("The author's words", "left"),
                (titles.get(found.slides, "Slides"), "left"),
                (titles.get(found.post, "Post"), "left"),
                ("Best", "right"),
                ("What the costs say", "left"),
            ],
            rows,
            widths=(3.2, 2.1, 2.1, 0, 2.4),
            floats=False,
        )
    ]


def outcome(facts: ObservationFacts, experiment: str) -> str:
    """States of an observation's tests and the span of shares or differences; a dash without a test."""
    judged = [test for test in facts.of(experiment) if test.state]
    if not judged:
        return "–"
    if facts.kind == "difference":
        low, high = (facts.difference(choose(test.difference for test in judged)) for choose in (min, max))
        span = low if low == high else f"{low} to {high}"
    else:
        shares = [100 * test.share for test in judged]
        span = f"{between(min(shares), max(shares), 0)}{THIN}%"
    return f"{states(judged)} ({span})"


def states(judged: Sequence[OutcomeFacts]) -> str:
    """`supported`, `contradicted in all 4`, or `supported in 1, open in 2 of 3`."""
    counts = {state: sum(test.state == state for test in judged) for state in STATES}
    there = {state: n for state, n in counts.items() if n}
    if len(judged) == 1:
        return next(iter(there))
    if len(there) == 1:
        return f"{next(iter(there))} in all {len(judged)}"
    return ", ".join(f"{state} in {n}" for state, n in there.items()) + f" of {len(judged)}"


def fate(found: Findings) -> str:
    """How many observations survive in every test."""
    judged = [
        [test.state for test in facts.tests if test.state and test.experiment in (found.slides, found.post)]
        for facts in found.observations
        if facts.name in WHY
    ]
    judged = [states for states in judged if states]
    n_safe = sum(set(states) == {"supported"} for states in judged)
    n_lost = sum("contradicted" in states for states in judged)
    return (
        f"Of {count(len(judged), 'observation', 'observations')} {n_safe} {'is' if n_safe == 1 else 'are'} "
        f"supported in every test, {n_lost} {'is' if n_lost == 1 else 'are'} contradicted in some."
    )


def terminal(found: Findings) -> list[str]:
    """What was found, in at most ten lines."""
    lines = [
        QUESTION,
        "Two costs decide: a dimension of its own saves $V$, sharing it with j costs $c$; the choice of m "
        "single features and pairs that saves most is a matching.",
    ]
    if found.matched:
        lines.append(theory.closeness(found.matched))
        lines.append(eighty_features.in_short(found.matched))
    cases = unequal(found.five)
    if cases:
        lines.append(five_features.all_features(cases, found.n_five))
        lines.append(five_features.worth_of_eight(cases, found.n_five))
    if found.atlas:
        lines.append(
            f"Over {found.atlas.n_schedules} schedules {percent(found.atlas.keeps_best)} of toy models "
            f"represent the best solution's features; the best of {found.atlas.n_seeds} does at "
            f"{of(found.atlas.n_frugal, found.atlas.n_schedules)}."
        )
    if any(facts.name in WHY for facts in found.observations):
        lines.append(fate(found))
    lines += [theory.aim_met(max(rows, key=lambda row: row.n_features)) for rows in [_whole(found)] if rows]
    return [line for line in lines if line]


def _whole(found: Findings) -> list[ProspectiveRow]:
    return [row for row in found.prospective if row.subset == "all"]


def size(n_features: int, n_hidden: int) -> str:
    """A size as tables head it."""
    return f"{n_features}{ARROW}{n_hidden}"
