"""Schedule or training: what toy models lose against the best solution, and how many seeds it takes."""

import math
from collections.abc import Sequence

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.toy_models import CaseFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import percent


def found_by_one(cases: Sequence[CaseFacts]) -> str:
    """How often one toy model represents the best solution's features."""
    known = [(case.keeps_best, literal(case.title)) for case in cases if case.keeps_best]
    if not known:
        return ""
    n, n_holding = sum(share.n for share, _ in known), sum(share.n_holding for share, _ in known)
    (least, hardest), (most, easiest) = (choose(known, key=lambda one: one[0].share) for choose in (min, max))
    words = (
        f"{percent(n_holding / n)} of all toy models of these cases represent the best solution's features"
    )
    if least.share < most.share:
        words += f", from {percent(least.share)} in “{hardest}” to {percent(most.share)} in “{easiest}”"
    return f"{words}."


def best_of_eight(cases: Sequence[CaseFacts]) -> str:
    """What the toy model of lowest loss among eight has; nothing where there are fewer."""
    known = [case.best_of_eight for case in cases if not math.isnan(case.best_of_eight)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (
        percent(low)
        if percent(low) == percent(high)
        else f"between {percent(low)} and {percent(high)}, by case,"
    )
    return (
        f"Of eight seeds the one with the lowest exact loss does so with probability {span.rstrip(',')}: who "
        "wants to know what a schedule allows should train eight and keep the best, and who wants to know "
        "what training does should look at every seed."
    )


def excess(cases: Sequence[CaseFacts]) -> str:
    """The loss that a typical toy model and the best seed leave."""
    known = [case for case in cases if not math.isnan(case.median_excess)]
    if not known:
        return ""
    median = max(case.median_excess for case in known)
    least = percent(max(0.0, *(case.least_excess for case in known)), 2)
    return (
        f"The median excess loss of a case is at most {percent(median, 1)} of the loss of representing "
        f"nothing, that of its best seed {least if least.startswith('below') else f'at most {least}'} "
        "([[figure:excess_losses]])."
    )


def section(cases: Sequence[CaseFacts]) -> list[Block]:
    """The text of the section; nothing where no best solution is known."""
    if not any(case.keeps_best for case in cases):
        return []
    return [
        blocks.heading("Is it the schedule or the training?"),
        blocks.paragraph(
            "A picture of trained toy models mixes what a schedule allows with what training finds. The "
            "exact loss tells them apart.",
            found_by_one(cases),
            excess(cases),
            best_of_eight(cases),
            "How long training goes on and where it starts matters too ([[figure:training_against_best]]).",
        ),
    ]
