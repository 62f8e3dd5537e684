"""Phase diagrams: what becomes of an extra feature, by density and importance."""

from collections.abc import Sequence

from superposition_atlas.config import Map
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.phase_facts import PhaseFacts, phase_facts
from superposition_atlas.report.papers.counted import arrow, counted, in_a_line, joint
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import of, percent, sentence, short


def phase_diagrams(studied: Studied) -> Written:
    """Trained toy models beside the best solutions, on one grid each."""
    maps = studied.trained_and_solved("phases")
    found = [(own, phase_facts(studied.ledger, own)) for own in maps]
    drawn: list[Block] = []
    for map_, facts in found:
        shown = [one for one in studied.figures.all if one.labels.get("map") == map_.name]
        drawn += studied.figures.blocks(shown, _finding(facts), floats=False)
        drawn.append(blocks.paragraph(_text(map_, facts)))
    return Written(
        [
            blocks.heading("Superposition as a phase change"),
            blocks.paragraph(
                "There is one feature more than there are dimensions. The last one's importance varies, "
                "all others have importance 1, and all are equally frequent. It is *not represented* "
                "unless $norm_i>0.5$, *dedicated* if $interference$ is below 0.25, which is what one other "
                "feature of norm 0.5 adds in one dimension, and otherwise in *superposition*. As in "
                "[@tms], the toy model with the highest loss of each point is discarded and the others are "
                "averaged; losses are ranked by their exact values, not by those of noisy batches. Beside "
                "them stands the best solution that a search of the exact loss finds. Toy models of all "
                "points are independent, so an interval of a share of points is, if anything, too wide.",
            ),
            *drawn,
        ],
        _statements([(arrow(own.n_features, own.n_hidden), facts) for own, facts in found]),
    )


def _finding(facts: PhaseFacts) -> str:
    return f"Training has the best solution's phase at {of(facts.n_agree, facts.n_points)} points."


def _text(map_: Map, facts: PhaseFacts) -> str:
    where = arrow(map_.n_features, map_.n_hidden)
    words = (
        f"**{where}.** Of single toy models {percent(facts.n_models_agree / facts.n_models)} are in the best "
        "solution's phase. The toy model of the lowest loss is at "
        f"{of(facts.n_agree_lowest, facts.n_points)} points ([[figure:{map_.name}_phases]]). "
    )
    n_differ = facts.n_points - facts.n_agree
    if n_differ:
        best, means = facts.commonest
        words += (
            f"Means differ from the best solution at {n_differ} points, of which {facts.n_at_border} are "
            f"beside a border of the best; at {facts.n_commonest} the last feature is *{best}* in the best "
            f"solution and *{means}* by the means. "
        )
    return words + (
        f"The best solution is in the phase of the cheapest closed form at "
        f"{of(facts.n_best_is_rule, facts.n_points)} points."
    )


def _statements(found: Sequence[tuple[str, PhaseFacts]]) -> list[Statement]:
    if not found:
        return []
    dense = [
        counted(f"{where} at {short(facts.densest)}", facts.n_densest_shared, facts.n_densest, "never")
        for where, facts in found
    ]
    mostly = "at least mostly"
    by_rule = [counted(where, facts.n_agree_rule, facts.n_points, mostly) for where, facts in found]
    by_best = [counted(where, facts.n_agree, facts.n_points, mostly) for where, facts in found]
    jumps = [
        counted(where, facts.n_coexist, facts.n_changes, mostly) for where, facts in found if facts.n_changes
    ]
    statements = [
        Statement(
            "Superposition needs sparsity: without it the extra feature is never in superposition [@tms].",
            sentence(f"toy models in superposition: {in_a_line(dense)}"),
            joint(own.verdict for own in dense),
        ),
        Statement(
            "Trained toy models and the closed forms have one phase diagram: mostly the same phase.",
            sentence(f"points: {in_a_line(by_rule)}"),
            joint(own.verdict for own in by_rule),
        ),
        Statement(
            "Training finds the phase of the optimum, at most points.",
            sentence(f"points: {in_a_line(by_best)}"),
            joint(own.verdict for own in by_best),
        ),
    ]
    if jumps:
        # Of searches, not of samples: no interval.
        counts = "; ".join(f"{own.where}: {of(own.share.n_holding, own.share.n)}" for own in jumps)
        statements.append(
            Statement(
                "The phases change at a crossing of losses (first order): beside a border both are minima.",
                sentence(f"pairs of neighbouring points: {counts}"),
                joint(own.verdict for own in jumps),
            )
        )
    return statements
