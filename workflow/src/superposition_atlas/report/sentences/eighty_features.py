"""The post's experiment: how many features, and its table of norms."""

from collections.abc import Mapping, Sequence

from superposition_atlas.config import Experiment
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.toy_models import MatchedFacts, NormFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import between, fixed, of, percent

NEARLY_NONE = 0.05
"""Below this many features alone on average, none is."""


def order_decides(matched: Sequence[MatchedFacts]) -> str:
    """Aligned, uniform and reversed schedules of the same values; empty where one is missing."""
    by_role = {facts.role: facts for facts in reversed(matched)}
    if not {"aligned", "reversed"} <= by_role.keys():
        return ""
    first, last = by_role["aligned"], by_role["reversed"]
    words = (
        "From the same importances and probabilities, paired in opposite orders, toy models represent "
        f"{fixed(first.n_kept_trained, 1)} "
        f"features, {some_alone(first)}, if the important ones are frequent, and "
        f"{fixed(last.n_kept_trained, 1)}, {some_alone(last)}, if the important ones are rare. The matching "
        f"says {first.n_kept_rule} and {first.n_alone_rule}, {last.n_kept_rule} and {last.n_alone_rule}."
    )
    if "matched" in by_role:
        uniform = by_role["matched"]
        lies = first.n_kept_trained <= uniform.n_kept_trained <= last.n_kept_trained
        place = "between them" if lies else "outside this range"
        words += (
            f" Uniform sparsity of the same mean density lies {place} ({fixed(uniform.n_kept_trained, 1)} "
            f"represented, {fixed(uniform.n_alone_trained, 1)} alone)."
        )
    return words


def in_short(matched: Sequence[MatchedFacts]) -> str:
    """The same in one sentence."""
    by_role = {facts.role: facts for facts in reversed(matched)}
    if not {"aligned", "reversed"} <= by_role.keys():
        return ""
    first, last = by_role["aligned"], by_role["reversed"]
    return (
        f"Of {first.n_features} features in {first.n_hidden} dimensions {fixed(first.n_kept_trained, 0)} are "
        f"represented, {alone(first)}, if the important ones are frequent, and "
        f"{fixed(last.n_kept_trained, 0)}, {alone(last)}, if they are rare."
    )


def some_alone(facts: MatchedFacts) -> str:
    """How many of a case's features have a dimension to themselves, to a tenth."""
    number = fixed(facts.n_alone_trained, 1)
    return "none of them alone" if number == "0.0" else f"{number} of them alone"


def alone(facts: MatchedFacts) -> str:
    """How many of a case's features have a dimension to themselves, in toy models on average."""
    if facts.n_alone_trained < NEARLY_NONE:
        return "none alone"
    number = fixed(facts.n_alone_trained, 0)
    return f"{fixed(facts.n_alone_trained, 1) if number == '0' else number} alone"


def case_finding(matched: Sequence[MatchedFacts], case: str) -> str:
    """What toy models of one case represent, as the finding of its figure; empty where it has no row."""
    own = [facts for facts in matched if case in facts.case.split(", ")]
    if not own:
        return ""
    kept = fixed(own[0].n_kept_trained, 0)
    return f"{kept} of {own[0].n_features} features are represented, {alone(own[0])}."


def norms(found: Sequence[NormFacts]) -> str:
    """Whether the published norms are ours."""
    if not found:
        return ""
    n_met = sum(facts.is_met for facts in found)
    worst = max(found, key=lambda facts: abs(facts.miss))
    order = [sorted(found, key=key) for key in (lambda facts: facts.published, lambda facts: facts.largest)]
    same = "in the same order" if order[0] == order[1] else "not in the same order"
    return (
        "Of the post's norms of unequal sparsity, each the largest of eight toy models, "
        f"{of(n_met, len(found))} lie in the 95 % "
        f"prediction interval for a maximum of {found[0].n_models} new ones; the largest miss is "
        f"{percent(abs(worst.miss), 1)} (“{literal(worst.title)}”), and the cases are {same}."
    )


def norms_table(groups: Sequence[tuple[Experiment, list[NormFacts]]]) -> list[Block]:
    """Published norms beside ours, by family."""
    groups = [(experiment, found) for experiment, found in groups if found]
    if not groups:
        return []
    rows: list[Sequence[str] | str] = []
    for experiment, found in groups:
        rows.append(literal(experiment.title))
        rows += [
            (
                literal(facts.title),
                fixed(facts.published, 2),
                fixed(facts.largest, 2),
                between(facts.low, facts.high, 2),
                "yes" if facts.is_met else "no",
                fixed(facts.published**2, 1),
                fixed(facts.largest**2, 1),
            )
            for facts in found
        ]
    return [
        blocks.table(
            "norms",
            f"**{selection(groups)}** Frobenius norms $norm$: published (largest of eight), ours (largest of "
            "those shown), 95 % prediction interval for the largest of as many new toy models, whether it "
            "holds the published one, and squares, which the post reads as effective features.",
            [
                ("Case", "left"),
                ("Post", "right"),
                ("Ours", "right"),
                ("Interval", "right"),
                ("Holds", "left"),
                ("Post, squared", "right"),
                ("Ours, squared", "right"),
            ],
            rows,
        )
    ]


def selection(groups: Sequence[tuple[Experiment, Sequence[NormFacts]]]) -> str:
    """Which families have the published norms."""
    met = [experiment.family for experiment, found in groups if all(facts.is_met for facts in found)]
    if not met:
        return "No family of schedules has all published norms."
    if len(met) == len(groups):
        return f"{'All families have' if len(met) > 1 else 'This family has'} all published norms."
    return f"The {met[0]} family has the published norms of all cases of unequal sparsity."


def section(
    experiment: Experiment,
    matched: Sequence[MatchedFacts],
    found: Sequence[NormFacts],
    published: Mapping[str, float],
) -> list[Block]:
    """The text of the section."""
    decided = order_decides(matched)
    text = [blocks.heading(f"{experiment.n_features} features in {experiment.n_hidden} dimensions")]
    if decided:
        see = "Two cases are drawn with all their seeds ([[figure:bars]])."
        text.append(blocks.paragraph(f"**Order decides how many.** {decided}", see))
    if not found:
        return [*text, blocks.paragraph("No case of this experiment has a published norm.")]
    unequal = [facts.published for facts in found]
    text.append(
        blocks.paragraph(
            "**Which schedule is the post's?** The author's probabilities are unknown. Ours was selected by "
            "the post's norms alone; its words and observations are then tests of what was selected "
            "([[table:norms]]).",
            norms(found),
            "The family is ARENA's formula for the densities of toy models that are trained side by side, "
            "applied to features.",
            beside_uniform(published.get("uniform"), max(unequal)),
        )
    )
    return text


def beside_uniform(uniform: float | None, largest: float) -> str:
    """What the post's row of uniform sparsity is."""
    if uniform is None:
        return ""
    more = "above" if uniform > largest else "not above"
    return (
        f"The post's row of uniform sparsity ({fixed(uniform, 2)}, {more} every case) is of a sparse "
        "instance (a dense toy model has about the square root of the number of dimensions) and so of "
        "another mean density than its cases: it cannot show that uniform sparsity "
        "represents most."
    )
