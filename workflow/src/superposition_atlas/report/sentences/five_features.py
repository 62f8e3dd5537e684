"""The talk's five features in two dimensions, and how much a picture of eight seeds is worth."""

import math
from collections.abc import Sequence

from superposition_atlas.config import Experiment
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.toy_models import SAMPLE, CaseFacts, pooled, unequal
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import between, count, enumerated, fixed, of, percent, spelled

LEAST_CHANCE = 0.01
"""Below this chance a picture of eight seeds counts as telling."""


def all_features(cases: Sequence[CaseFacts], n_features: int) -> str:
    """Whether toy models represent all features, and in which cases."""
    some = [case for case in cases if case.all_represented.n_holding]
    n_models = sum(case.all_represented.n for case in cases)
    if not some:
        return (
            f"None of {n_models} toy models of {count(len(cases), 'case', 'cases')} represents all "
            f"{n_features} features."
        )
    shares = [case.all_represented.share for case in some]
    low, high = percent(min(shares)), percent(max(shares))
    span = low if low == high else f"{low} to {high}"
    return (
        f"In {of(len(some), len(cases))} {'cases' if len(cases) > 1 else 'case'} some toy models represent "
        f"all {n_features} features, {span} of them."
    )


def chance_of_none(cases: Sequence[CaseFacts]) -> float:
    """Chance that eight toy models of every case show none with all features; NaN where a case has fewer."""
    return math.prod(case.eight_without_all for case in cases)


def worth_of_eight(cases: Sequence[CaseFacts], n_features: int) -> str:
    """What a picture of eight seeds a case can miss."""
    chance = chance_of_none(cases)
    if math.isnan(chance):
        return f"There are too few toy models here to say what {spelled(SAMPLE)} of them would show."
    if chance == 1:
        return "Eight seeds of each case would not show one either."
    seen = fixed(chance, 2) if chance >= LEAST_CHANCE else f"below {LEAST_CHANCE}"
    alone = [case.eight_without_all for case in cases]
    told = (
        "a picture without one neither excludes them nor speaks for this schedule"
        if chance >= LEAST_CHANCE
        else "a picture without one is not of this schedule"
    )
    return (
        f"Eight seeds of one case show no toy model with all {n_features} with probability "
        f"{between(min(alone), max(alone), 2)}, eight of every case with {seen}: {told}."
    )


def dedicated(cases: Sequence[CaseFacts]) -> str:
    """Whether some feature has a dimension to itself where the talk says that none has."""
    own = [case for case in cases if case.role in ("reversed", "equal")]
    if not own:
        return ""
    shares = [case.some_dedicated.share for case in own]
    low, high = percent(min(shares)), percent(max(shares))
    words = (
        "Where the important features are rare, or all equally important, "
        f"{low if low == high else f'{low} to {high}'} of the toy models of a case give some feature a "
        "dimension to itself"
    )
    known = [max(case.best_dedicated) for case in own if case.best_dedicated]
    if known:
        words += ", the best solutions none" if max(known) == 0 else ", and so do some best solutions"
    return f"{words}."


def fewest(cases: Sequence[CaseFacts]) -> str:
    """Whether the aligned case has the fewest features on average; nothing without rivals."""
    aligned = [case for case in cases if case.role == "aligned"]
    rivals = [case for case in cases if case.role != "aligned"]
    if not aligned or not rivals:
        return ""
    mean, least = aligned[0].mean_represented, min(case.mean_represented for case in rivals)
    if mean >= least:
        return "The aligned case does not have the fewest features."
    return (
        f"The aligned case has the fewest features on average, {fixed(mean, 2)}; the others have "
        f"{fixed(least, 2)} or more."
    )


def best_solutions(cases: Sequence[CaseFacts], n_features: int) -> str:
    """Whether the best solutions represent all features; nothing where none is known."""
    known = [case for case in cases if case.best_represented]
    if not known:
        return ""
    full = [case for case in known if max(case.best_represented) == n_features]
    numbers = sorted({number for case in known for number in case.best_represented})
    span = spelled(numbers[0]) if len(numbers) == 1 else f"{spelled(numbers[0])} to {spelled(numbers[-1])}"
    if not full:
        return (
            f"The best solutions of the {spelled(len(known))} cases represent {span} features, never all "
            f"{n_features}: toy "
            "models that do have more loss than the best."
        )
    return (
        f"The best solutions represent {span} features; in {of(len(full), len(known))} cases they represent "
        f"all {n_features}."
    )


def section(
    experiment: Experiment,
    cases: Sequence[CaseFacts],
    others: Sequence[tuple[Experiment, Sequence[CaseFacts]]],
) -> list[Block]:
    """The text of the section."""
    observed = unequal(cases)
    n = experiment.n_features
    text = [blocks.heading(f"The talk's {spelled(n)} features in {spelled(experiment.n_hidden)} dimensions")]
    if observed:
        text.append(
            blocks.paragraph(
                f"**Never all {spelled(n)}?** {all_features(observed, n)}",
                worth_of_eight(observed, n),
                best_solutions(observed, n),
                "Every case is drawn with its first eight seeds ([[figure:all_cases]]); numbers of all "
                "seeds are in the table ([[table:five]]).",
                dedicated(observed),
                fewest(observed),
                *(elsewhere(experiment, cases, other, found) for other, found in others),
            )
        )
    return text


def elsewhere(
    experiment: Experiment, cases: Sequence[CaseFacts], other: Experiment, found: Sequence[CaseFacts]
) -> str:
    """The same in another family of schedules."""
    here, there = unequal(cases), unequal(found)
    if not there or other.n_features != experiment.n_features:
        return ""
    shares = [case.all_represented.share for case in there]
    highest = (
        "no toy model represents all"
        if max(shares) == 0
        else f"at most {percent(max(shares))} of the toy models of a case represent all"
    )
    three = [pooled(own).get(3, 0.0) for own in (here, there)]
    return (
        f"In the {other.family} family {highest}. Three features, which the talk calls often, are "
        f"represented by {percent(three[0])} of these toy models, and by {percent(three[1])} in the "
        f"{other.family} family."
    )


def table(experiment: Experiment, cases: Sequence[CaseFacts], name: str = "five") -> list[Block]:
    """A row a case: trained beside best."""
    numbers = sorted({number for case in cases for number in case.counts})
    n = experiment.n_features
    return [
        blocks.table(
            name,
            f"**{all_features(unequal(cases) or cases, n)}** {literal(experiment.title)}: percentage of toy "
            "models by number of represented features, the number in the best solution, mean number of "
            "dedicated features, share that represents the best solution's features, and median excess "
            "loss.",
            [
                ("Case", "left"),
                *((str(number), "right") for number in numbers),
                ("Best", "right"),
                ("Dedicated", "right"),
                ("Best's features", "right"),
                ("Excess", "right"),
            ],
            [
                (
                    literal(case.title),
                    *(_cell(case, number) for number in numbers),
                    enumerated([str(k) for k in case.best_represented], ", ") or "–",
                    fixed(case.mean_dedicated, 2),
                    percent(case.keeps_best.share) if case.keeps_best else "–",
                    percent(case.median_excess, 1),
                )
                for case in cases
            ],
            floats=name == "five",
        )
    ]


def _cell(case: CaseFacts, number: int) -> str:
    own = case.counts.get(number, 0)
    share = fixed(100 * own / case.all_represented.n, 0)
    return ("<1" if share == "0" else share) if own else "·"


def other_families(experiment: Experiment | None, others: Sequence[Experiment]) -> Block:
    """Why other families are here."""
    own = f"the {experiment.family} family" if experiment else "one family"
    families = enumerated([other.family for other in others])
    return blocks.paragraph(
        f"The talk's schedules are unknown. The main part has {own}; the same cases with {families} "
        "densities are a sensitivity analysis."
    )
