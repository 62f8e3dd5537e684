"""Which features SAEs recover."""

from collections.abc import Sequence

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.sae_recovery_facts import ComparisonFacts, SAEFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import between, fixed, of, percent, short


def span_of_recall(facts: ComparisonFacts) -> str:
    """What trained SAEs recover at their chosen level, beside the best baseline."""
    trained = [sae for sae in facts.saes if not sae.is_baseline]
    baseline = max(
        (sae for sae in facts.saes if sae.is_baseline), key=lambda sae: sae.recall.mean, default=None
    )
    if not trained:
        return ""
    best, worst = (choose(trained, key=lambda sae: sae.recall.mean) for choose in (max, min))
    words = (
        f"In “{literal(facts.title)}” {best.label} has the highest mean recall, {percent(best.recall.mean)} "
        f"of the represented features at cosine 0.9 and {percent(best.recall_08)} at 0.8"
    )
    if worst is not best:
        words += f"; {worst.label} has the lowest ({percent(worst.recall.mean)})"
    if baseline is not None:
        n_above = sum(sae.recall.mean > baseline.recall.mean for sae in trained)
        words += (
            f". {of(n_above, len(trained)).capitalize()} means are above the best baseline's "
            f"({baseline.label}, "
            f"{percent(baseline.recall.mean)})"
        )
    return f"{words}."


def rare_features(facts: ComparisonFacts) -> str:
    """Whether rare features are lost more often."""
    losses = [
        sae.rare < sae.common
        for sae in facts.saes
        if not sae.is_baseline and sae.rare is not None and sae.common is not None
    ]
    if not losses:
        return ""
    who = "every" if all(losses) else f"{sum(losses)} of {len(losses)}" if any(losses) else "no"
    noun = "architecture" if who in ("every", "no") else "architectures"
    verb = "recovers" if who in ("every", "no") else "recover"
    return f"There {who} {noun} {verb} fewer of the rare features than of the frequent ones."


def contrasts(facts: ComparisonFacts) -> str:
    """How many paired comparisons are decided; nothing where there is no pair."""
    parts = []
    if facts.n_baseline_pairs:
        parts.append(
            "a trained SAE recovers clearly more than a baseline in "
            f"{of(facts.n_beaten, facts.n_baseline_pairs)} pairs"
        )
    if facts.n_pairs == 1:
        parts.append(f"the two architectures {'differ' if facts.n_decided else 'do not differ'} clearly")
    elif facts.n_pairs:
        parts.append(f"two architectures differ clearly in {of(facts.n_decided, facts.n_pairs)} pairs")
    return f"Compared on the same toy models, {' and '.join(parts)}." if parts else ""


def section(comparisons: Sequence[ComparisonFacts], n_saes: int) -> list[Block]:
    """The text of the section; nothing where no SAE is trained."""
    if not n_saes:
        return []
    method = (
        "Every toy model gets SAEs of its own, so the toy model, not the SAE, is the unit of statistics. "
        "Cosines are signed: an antipodal pair needs two latents ([[figure:sae_frames]])."
    )
    levels = (
        "Levels of sparsity are chosen on one half of the toy models, by recall, and reported on the other "
        "half ([[table:saes]])."
    )
    return [
        blocks.heading("What sparse autoencoders recover"),
        blocks.paragraph(method, levels if comparisons else ""),
        *(
            blocks.paragraph(span_of_recall(facts), contrasts(facts), rare_features(facts))
            for facts in comparisons
        ),
        blocks.paragraph(
            "Recall depends on its threshold, so the table has angles as well. In two dimensions a random "
            "direction is often near a feature, so the larger sizes are the test "
            "([[figure:sae_pareto]])."
        ),
    ]


def table(comparisons: Sequence[ComparisonFacts]) -> list[Block]:
    """A row an architecture, at the level that was chosen on the other half of the toy models."""
    if not comparisons:
        return []
    rows: list[Sequence[str] | str] = []
    for facts in comparisons:
        rows.append(literal(facts.title))
        rows += [_row(sae) for sae in facts.saes]
    return [
        blocks.table(
            "saes",
            f"**{best_and_least(comparisons)}** Means over the toy models that had no part in choosing the "
            "level: recall of represented features by latents that fire (with its 95 % interval over toy "
            "models), median angle to the nearest such latent in degrees, active latents (L0), variance "
            "unexplained (FVU), dead latents.",
            [
                ("Architecture", "left"),
                ("Level", "right"),
                ("SAEs", "right"),
                ("Recall .9", "right"),
                ("Recall .8", "right"),
                ("Angle", "right"),
                ("L0", "right"),
                ("FVU", "right"),
                ("Dead", "right"),
            ],
            rows,
            floats=False,
        )
    ]


def best_and_least(comparisons: Sequence[ComparisonFacts]) -> str:
    """Whether the highest recall and the least unexplained variance are of two architectures."""
    trained = [[sae for sae in facts.saes if not sae.is_baseline] for facts in comparisons]
    differ = [
        max(saes, key=lambda sae: sae.recall.mean) is not min(saes, key=lambda sae: sae.fvu)
        for saes in trained
        if saes
    ]
    if not any(differ):
        return "The highest mean recall and the least variance unexplained are of the same architecture."
    return "The highest mean recall and the least variance unexplained are of different architectures."


def _row(sae: SAEFacts) -> tuple[str, ...]:
    level = "–" if sae.level is None else f"${sae.level_name}$ = {short(sae.level)}"
    return (
        sae.label,
        level,
        str(sae.n),
        f"{fixed(sae.recall.mean, 2)} ({between(sae.recall.low, sae.recall.high, 2)})",
        fixed(sae.recall_08, 2),
        "–" if sae.angle is None else f"{fixed(sae.angle, 1)}°",
        fixed(sae.l0, 2),
        fixed(sae.fvu, 3),
        percent(sae.dead),
    )
