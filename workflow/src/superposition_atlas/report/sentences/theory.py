"""The two costs, the matching, and how well it names the features of trained toy models."""

from collections.abc import Sequence

from superposition_atlas.config import Experiment
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.schedules import PredictorFacts, ProspectiveRow
from superposition_atlas.report.facts.toy_models import CLOSE, MatchedFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import ARROW, between, count, enumerated, fixed, of, percent, short


def costs() -> list[Block]:
    """The rule and what follows from it, whatever the data."""
    return [
        blocks.heading("Theory: handing out dimensions is a matching"),
        blocks.paragraph(
            "**Two costs.** Without a feature $i$ the toy model outputs its mean, so a dimension of its own "
            "saves the importance-weighted variance",
        ),
        blocks.equation("V"),
        blocks.paragraph(
            "for magnitudes uniform on [0, 1]. Two features in opposite directions of one dimension, an "
            "antipodal pair with unit norms, disturb each other only when both are active. Together they "
            "save $pair$, where",
        ),
        blocks.equation("c"),
        blocks.paragraph(
            "is the expected damage. **The matching.** Each of the $m$ dimensions goes to one feature or to "
            "a pair, and no feature is used twice. The choice that saves most is a maximum-weight matching "
            "[@edmonds] with at most $m$ groups. We solve it as an integer program [@highs] and prove its "
            "optimum. No constant is fitted and nothing is trained. Three things follow.",
        ),
        *blocks.bullets(
            "*The partner's density decides.* Where feature $j$ has a dimension and no other is free, adding "
            "$i$ to it pays if and only if $partner$. The rarer $j$, the better a partner; the more "
            "important $j$ is beside $i$, the rarer it must be ([[figure:pair_phases]]).",
            "*The most frequent features are seldom paired.* They make bad partners. A frequent feature is "
            "absent, "
            "even if its $V_i$ is large, where two others save more in its place: $crowded$.",
            "*Order decides.* If the important features are frequent, they take whole dimensions, and few "
            "features are represented. If the important ones are rare, every represented feature is in a "
            "pair.",
        ),
        blocks.paragraph(
            "The matching knows at most two features in a dimension. Where all features are rare, five fit "
            "into two dimensions as a pentagon, and in many dimensions denser arrangements pay for which no "
            "closed form is known. The exact loss of a toy model with few features is a finite sum over the "
            "sets of active features; it gives the *best solutions* that we compare with at five features "
            "([[figure:perturbation]]).",
        ),
    ]


def matching_table(name: str, groups: Sequence[tuple[Experiment, list[MatchedFacts]]]) -> list[Block]:
    """Rule beside training, a group of rows for each experiment."""
    rows: list[Sequence[str] | str] = []
    matched = [facts for _, own in groups for facts in own]
    if not matched:
        return []
    for experiment, own in groups:
        rows.append(literal(experiment.title))
        rows += [
            (
                literal(facts.title),
                f"{facts.n_kept_rule} / {fixed(facts.n_kept_trained, 1)}",
                f"{facts.n_alone_rule} / {fixed(facts.n_alone_trained, 1)}",
                fixed(facts.jaccard_rule, 2),
                fixed(facts.jaccard_ceiling, 2),
                f"{fixed(facts.loss_share_rule, 3)} / {fixed(facts.loss_share_trained, 3)}",
            )
            for facts in own
        ]
    return [
        blocks.table(
            name,
            f"**{closeness(matched)}** Represented and alone: the matching / mean over toy models. Overlap: "
            "Jaccard index of the represented features, of the matching and a toy model, and of two toy "
            "models. Loss left, as a share of representing nothing: the rule's costs / toy models.",
            [
                ("Case", "left"),
                ("Represented", "right"),
                ("Alone", "right"),
                ("Overlap", "right"),
                ("of two models", "right"),
                ("Loss left", "right"),
            ],
            rows,
        )
    ]


def closeness(matched: Sequence[MatchedFacts]) -> str:
    """On how many schedules the rule is as good as a second toy model."""
    n_close = sum(facts.is_close for facts in matched)
    schedules = of(n_close, len(matched)) + (
        " schedules" if n_close < len(matched) and len(matched) > 1 else ""
    )
    if len(matched) == 1:
        verb = "does" if n_close else "does not"
        return (
            f"On its one schedule the rule {verb} name a toy model's features as well as a second toy model "
            "does."
        )
    what = f"at most {short(CLOSE)} below a second toy model's overlap"
    return (
        f"On {schedules if n_close < len(matched) else f'all {len(matched)} schedules'} the rule is {what}."
    )


def missed(matched: Sequence[MatchedFacts]) -> str:
    """Which schedules the rule misses, by name; nothing where there are none."""
    far = [facts for facts in matched if not facts.is_close]
    if not far:
        return ""
    named = enumerated(
        [
            f"“{literal(facts.title)}” ({facts.family}: overlap {fixed(facts.jaccard_rule, 2)}, of two "
            f"models {fixed(facts.jaccard_ceiling, 2)})"
            for facts in far
        ]
    )
    return f"The matching falls short for {named}."


def losses(matched: Sequence[MatchedFacts]) -> str:
    """Where training leaves part of the saving on the table."""
    over = [(facts.loss_share_trained / facts.loss_share_rule - 1, facts) for facts in matched]
    excess, most = max(over, key=lambda pair: pair[0])
    if excess <= 0:
        return "No schedule leaves toy models with more loss than the rule's costs."
    return (
        f"Training loses most against the rule's costs in “{literal(most.title)}” ({most.family}): its loss "
        f"is {percent(excess)} higher."
    )


def predictions(facts: PredictorFacts | None) -> list[Block]:
    """The rule against best solutions of random schedules."""
    if facts is None:
        return []
    return [
        blocks.paragraph(
            f"**Against best solutions.** On {count(facts.n, 'random schedule', 'random schedules')} of five "
            "features in two dimensions the matching names exactly the features of the best solution in "
            f"{percent(facts.matching.share)} (95 % interval "
            f"{interval(facts.matching.low, facts.matching.high)}). If triangles and pentagons join in, and "
            f"all take their best scale and bias, it is {percent(facts.full.share)} "
            f"({interval(facts.full.low, facts.full.high)}) "
            "([[figure:predictor]]).",
        )
    ]


def interval(low: float, high: float) -> str:
    """Two percentages."""
    return f"{between(100 * low, 100 * high, 0)} %"


def prospective(rows: Sequence[ProspectiveRow]) -> list[Block]:
    """The recorded test on random schedules, with its baselines."""
    whole = [row for row in rows if row.subset == "all"]
    if not whole:
        return []
    largest = max(whole, key=lambda row: row.n_features)
    return [
        blocks.heading("A prospective test", 2),
        blocks.paragraph(
            "A generator of random schedules was fixed before any of them was trained: six families of "
            "probabilities in random order, importance equal, geometric or random. The aim was an "
            f"overlap within {short(CLOSE)} of that of two toy models.",
            aim_met(largest),
            "Splitting the schedules by whether a pentagon of the rarest features would pay needs no "
            "training, but was devised after the first results ([[table:prospective]]).",
            baselines(whole),
        ),
        blocks.table(
            "prospective",
            f"**{in_numbers(largest)}** Mean overlap with a trained toy model: of the rule, of a second toy "
            "model, their difference and its 95 % interval. Greedy: groups by falling saving. V order: by "
            "falling $V_i$, as many as the rule has.",
            [
                ("Size", "left"),
                ("Schedules", "right"),
                ("Toy models", "right"),
                ("Rule", "right"),
                ("Two models", "right"),
                ("Below", "right"),
                ("Greedy", "right"),
                ("V order", "right"),
            ],
            [
                (
                    f"{row.n_features}{ARROW}{row.n_hidden}, {row.subset}",
                    str(row.n_schedules),
                    str(row.n_models),
                    fixed(row.means["jaccard_rule"], 2),
                    fixed(row.means["jaccard_ceiling"], 2),
                    f"{fixed(row.means['below_ceiling'], 3)} ({between(row.below[0], row.below[1], 3)})"
                    if row.below[0] >= 0
                    else (
                        f"{fixed(row.means['below_ceiling'], 3)} ({fixed(row.below[0], 3)} to "
                        f"{fixed(row.below[1], 3)})"
                    ),
                    fixed(row.means["jaccard_greedy"], 2),
                    fixed(row.means["jaccard_value_at_rule"], 2),
                )
                for row in rows
            ],
        ),
    ]


def in_numbers(row: ProspectiveRow) -> str:
    """How far the rule is from a second toy model."""
    below = row.means["below_ceiling"]
    return (
        f"At {row.n_features}{ARROW}{row.n_hidden} the rule's overlap is {fixed(abs(below), 3)} "
        f"{'below' if below >= 0 else 'above'} that of a second toy model."
    )


def aim_met(row: ProspectiveRow) -> str:
    """Whether the rule is as close as was aimed at, at the largest size."""
    below, low, high = row.means["below_ceiling"], *row.below
    where = f"at {row.n_features}{ARROW}{row.n_hidden}"
    words = (
        f"On random schedules {where} the rule's overlap with a toy model is {fixed(below, 3)} below that of "
        "a second toy model"
    )
    if high <= CLOSE:
        return f"{words}, within the {short(CLOSE)} that was the aim."
    if low > CLOSE:
        return f"{words}; the aim, set beforehand, was {short(CLOSE)}."
    return f"{words}; whether it is within {short(CLOSE)}, the aim set beforehand, is open."


def baselines(rows: Sequence[ProspectiveRow]) -> str:
    """Whether simple orders do as well."""
    gains = [row.means["jaccard_rule"] - row.means["jaccard_value_at_rule"] for row in rows]
    low, high = min(gains), max(gains)
    greedy = max(abs(row.means["jaccard_rule"] - row.means["jaccard_greedy"]) for row in rows)
    if low <= 0:
        return "An order by $V_i$ with the rule's number of features does as well at some size."
    return (
        f"An order by $V_i$, given the rule's number of features, is {between(low, high, 3)} worse; a greedy "
        f"choice of groups is within {fixed(greedy, 3)} of the matching."
    )
