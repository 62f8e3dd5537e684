"""The report as one JSON document: which blocks stand where, with figures, references and numbers."""

from collections.abc import Sequence
from typing import Any

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.citation import Imprint
from superposition_atlas.report.figures_shown import Figures
from superposition_atlas.report.gathered import Gathered
from superposition_atlas.report.markup import cited, literal, plain, runs
from superposition_atlas.report.sentences import (
    all_schedules,
    appendix,
    closing,
    eighty_features,
    findings,
    five_features,
    introduction,
    opening,
    sparse_autoencoders,
    theory,
    training,
)
from superposition_atlas.report.sentences.bibliography import REFERENCES

Document = dict[str, Any]

TITLE = "Superposition when features are not equally sparse"


def document(facts: Gathered, imprint: Imprint, stages: Sequence[dict[str, float]]) -> Document:
    """All that the template sets.

    Raises:
        ArtefactError: if a figure or a caption is missing or damaged.
    """
    figures = Figures(facts.ledger.sources)
    main = _main(facts, figures, imprint, stages)
    after = _appendix(facts, figures)
    abstract = opening.abstract(facts.findings())
    labels = figures.labels() | {
        block["label"].replace("table-", "table:", 1): block["label"]
        for block in (*main, *after)
        if block["kind"] == "table"
    }
    drawn = {figure.module: [own.name for own in figures.of_module(figure.module)] for figure in figures.all}
    slides = appendix.slides(drawn, labels)
    if slides:
        after = [blocks.heading("The talk, slide by slide"), *slides, *after]
    keys = cited(list(blocks.lines((*main, *after))))
    return {
        "title": TITLE,
        "subtitle": runs(
            "A reproduction of, and an answer to, the talk *Experiments with Mechanistic Interpretability*"
        ),
        "running": "superposition-atlas",
        "subject": "Which features toy models of superposition represent when importance and sparsity differ",
        "authors": list(imprint.authors),
        "keywords": list(imprint.keywords),
        "date": {"year": imprint.date.year, "month": imprint.date.month, "day": imprint.date.day},
        "imprint": runs(closing.title_line(imprint)),
        "abstract": runs(abstract),
        "main": blocks.finished(main, labels),
        "appendix": blocks.finished(after, labels),
        "references": [{"key": key, "text": runs(REFERENCES[key])} for key in keys],
        "figures": [figure.name for figure in figures.shown],
        "numbers": facts.ledger.numbers,
    }


def summary(facts: Gathered) -> list[str]:
    """What was found, in at most ten lines for a terminal."""
    return [plain(line) for line in opening.terminal(facts.findings())]


def _main(
    facts: Gathered, figures: Figures, imprint: Imprint, stages: Sequence[dict[str, float]]
) -> list[Block]:
    found = facts.findings()
    titles = {
        each.name: opening.size(each.n_features, each.n_hidden) for each in (facts.talk, facts.post) if each
    }
    first = figures.of_module("answer_matching", experiment=facts.post.name) if facts.post else []
    matched = [own for _, group in facts.matched for own in group]
    talk = facts.cases[facts.talk.name] if facts.talk else []
    result = [
        *figures.blocks(first, findings.matching(found), floats=False),
        {"kind": "page"},
        *opening.summary(found, titles),
        *introduction.introduction(),
        *introduction.related_work(),
        *introduction.set_up(),
        *theory.costs(),
        *figures.blocks(figures.of_module("pair_phases"), "The partner's probability decides.", tallest=230),
        *theory.matching_table("matching", facts.matched),
    ]
    if matched:
        result.append(blocks.paragraph(theory.missed(matched), theory.losses(matched)))
    result += theory.predictions(facts.predictor)
    result += theory.prospective(facts.prospective)
    if facts.talk:
        others = [(other, facts.cases[other.name]) for other in facts.tested(like=facts.talk, but=True)]
        result += five_features.section(facts.talk, talk, others)
        result += figures.blocks(figures.of_module("all_cases")[:1], findings.all_cases(found), tallest=460)
        result += five_features.table(facts.talk, talk)
    if facts.post:
        norms = {own.name: found for own, found in facts.norms}.get(facts.post.name, [])
        of_post = {own.name: found for own, found in facts.matched}.get(facts.post.name, [])
        result += eighty_features.section(facts.post, of_post, norms, facts.published)
        for role in ("reversed", "equal"):
            case = next(iter(facts.post.cases_of_role(role)), None)
            if case:
                result += figures.blocks(
                    figures.of_module("bars", case=case.name, experiment=facts.post.name), tallest=250
                )
        result += eighty_features.norms_table(facts.norms)
        result += figures.blocks(figures.of_module("frobenius_norms_map"), tallest=300)
    result += training.section(talk)
    result += figures.blocks(
        figures.of_module("excess_losses"),
        findings.excess([case for own in facts.cases.values() for case in own]),
        tallest=420,
    )
    result += all_schedules.section(facts.atlas)
    result += figures.blocks(figures.of_module("atlas_represented"), findings.atlas(found), tallest=430)
    result += sparse_autoencoders.section(facts.comparisons, facts.n_saes)
    result += figures.blocks(figures.of_module("sae_pareto")[-1:], tallest=330)
    result += closing.limits()
    result += closing.reproduce(imprint, stages, facts.n_models, facts.n_saes)
    return result


def _appendix(facts: Gathered, figures: Figures) -> list[Block]:
    experiments = facts.ledger.sources.config.experiments
    titles = {name: literal(own.title) for name, own in experiments.items()}
    result = appendix.attention(facts.attention)
    result += figures.blocks(figures.of_module("pivot_tables"), tallest=470)
    result += appendix.playground(facts.playground)
    result += figures.blocks(figures.of_module("playground"), tallest=260)
    slides = [
        *(
            ("motivation", 200),
            ("polysemanticity", 330),
            ("uniform", 200),
            ("sae_setup", 200),
            ("cases", 200),
        ),
        *(("sae_frames", 330), ("training_against_best", 260), ("perturbation", 300), ("predictor", 400)),
        *(("atlas_gap", 430), ("atlas_observations", 430)),
    ]
    shown = [
        block
        for module, tallest in slides
        for block in figures.blocks(
            figures.of_module(module)[:1],
            findings.predictor(facts.findings()) if module == "predictor" else "",
            tallest,
        )
    ]
    if shown:
        result += [blocks.heading("Figures of the talk, of theory and of the atlas"), *shown]
    others = facts.tested(like=facts.talk, but=True)
    if others:
        result.append(blocks.heading("Other families of schedules"))
        for own in others:
            result += five_features.table(own, facts.cases[own.name], f"five-{own.name}")
            result += figures.blocks(figures.of_module("all_cases", experiment=own.name), tallest=460)
    primary = {own.name: titles[own.name] for own in (facts.talk, facts.post) if own}
    judged = [own for own in facts.observations if not own.is_control]
    listed = appendix.outcomes(
        judged,
        primary,
        "outcomes",
        "**All outcomes of the primary family.** On all seeds, with simultaneous intervals. Differences are "
        "in features, or for norms a share of the rival's.",
    )
    if listed:
        result += [blocks.heading("All outcomes"), *listed]
    result += appendix.controls(facts.observations, titles)
    result += figures.blocks(figures.of_module("initial_scale"), tallest=260)
    listed = sparse_autoencoders.table(facts.comparisons)
    if listed:
        result += [blocks.heading("SAE tables"), *listed]
    return result
