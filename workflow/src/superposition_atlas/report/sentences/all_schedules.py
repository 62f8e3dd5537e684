"""The atlas: where the observations hold, and where training finds the best solution."""

import math

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.schedules import AtlasFacts
from superposition_atlas.report.phrases import count, enumerated, of, percent, short, spelled

LOPSIDED = 5.0
"""Where all features pay this many times as often in one order, it is almost only there."""


def all_features(facts: AtlasFacts) -> str:
    """Where all features pay."""
    if facts.n_all_unequal == 0:
        return (
            f"At none of the {count(facts.n_unequal, 'schedule', 'schedules')} of unequal sparsity does the "
            f"best solution represent all {spelled(facts.n_features)} features."
        )
    words = (
        f"The best solution represents all {spelled(facts.n_features)} features at {facts.n_all_unequal} of "
        f"the {count(facts.n_unequal, 'schedule', 'schedules')} of unequal sparsity, up to a mean density of "
        f"{short(facts.densest_all)}."
    )
    if not math.isnan(facts.all_where_best):
        words += f" Of the toy models trained there {percent(facts.all_where_best)} do"
        words += (
            "." if math.isnan(facts.all_where_not) else f", of the others {percent(facts.all_where_not)}."
        )
    return words


def all_pay(facts: AtlasFacts) -> str:
    """Where all features pay, in one sentence; nothing where they pay at no unequal schedule."""
    if facts.n_all_unequal == 0:
        return ""
    words = f"All {spelled(facts.n_features)} features pay"
    shares = {order: share.share for order, share in facts.all_by_order.items()}
    aligned, reverse = shares.get("aligned", 0.0), shares.get("reversed", 0.0)
    if reverse > LOPSIDED * aligned:
        return f"{words} almost only where the important ones are rare."
    if aligned > LOPSIDED * reverse:
        return f"{words} almost only where the important ones are frequent."
    return f"{words} at {of(facts.n_all_unequal, facts.n_unequal)} schedules of unequal sparsity."


def by_order(facts: AtlasFacts) -> str:
    """Whether the reversed order has room for more."""
    if set(facts.all_by_order) < {"aligned", "reversed"}:
        return ""
    aligned, reverse = facts.all_by_order["aligned"], facts.all_by_order["reversed"]
    if aligned.share == reverse.share:
        return "Order makes no difference to that here."
    more, less = ("reversed", "aligned") if reverse.share > aligned.share else ("aligned", "reversed")
    first, second = facts.all_by_order[more], facts.all_by_order[less]
    return (
        f"All pay more often in {more} order ({of(first.n_holding, first.n)} schedules) than in {less} order "
        f"({of(second.n_holding, second.n)})."
    )


def training(facts: AtlasFacts) -> str:
    """How often training finds the best."""
    return (
        f"Of all {facts.n_models} toy models {percent(facts.keeps_best)} represent the features of the best "
        f"solution. Most do at {of(facts.n_mostly, facts.n_schedules)} schedules, some at "
        f"{of(facts.n_some, facts.n_schedules)}, and the one of lowest loss at "
        f"{of(facts.n_frugal, facts.n_schedules)}. The median excess loss is "
        f"{percent(facts.median_excess, 1)} of the loss of representing nothing; that of the best seed "
        f"{percent(max(facts.least_excess, 0.0), 2)}."
    )


def section(facts: AtlasFacts | None) -> list[Block]:
    """The text of the section; nothing without an atlas."""
    if facts is None:
        return []
    low, high = facts.densities
    counts = enumerated(
        [f"{spelled(number)} at {n}" for number, n in sorted(facts.best_counts.items(), reverse=True)]
    )
    return [
        blocks.heading("Over all schedules"),
        blocks.paragraph(
            f"A case is one schedule. The atlas has {count(facts.n_schedules, 'schedule', 'schedules')} "
            f"around it, with mean densities from {short(low)} to {short(high)} and a steepness, the largest "
            f"probability over the smallest, from {short(facts.steepnesses[0])} to "
            f"{short(facts.steepnesses[1])}. At each, "
            f"{count(facts.n_seeds, 'toy model is trained', 'toy models are trained')} and the best "
            "solutions are sought ([[figure:atlas_by_order]], [[figure:atlas_represented]]).",
        ),
        blocks.paragraph(
            f"**{all_pay(facts)}** " if facts.n_all_unequal else "",
            f"{all_features(facts)}",
            f"By number of features in the best solution: {counts}.",
            by_order(facts),
        ),
        blocks.paragraph(
            f"**One seed is a coin toss, the best of {facts.n_seeds} mostly finds the optimum.** "
            if facts.n_frugal > facts.n_schedules / 2 and 0.3 < facts.keeps_best < 0.8
            else "**What training finds.** ",
            training(facts),
            "No two schedules share a seed, so they are independent ([[figure:atlas_gap]]).",
        ),
        blocks.paragraph(
            "Where the talk's observations hold is mapped as well ([[figure:atlas_observations]]).",
        ),
    ]
