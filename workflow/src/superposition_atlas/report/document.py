"""The report as one JSON document: which blocks stand where, with figures, references and numbers."""

from collections.abc import Sequence

from superposition_atlas.figures.catalogue import FigureTarget
from superposition_atlas.report import blocks, packing
from superposition_atlas.report.assembly import Document, assembled, labels_of
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.citation import Imprint
from superposition_atlas.report.figures_shown import Figures
from superposition_atlas.report.gathered import Gathered
from superposition_atlas.report.markup import plain
from superposition_atlas.report.sentences import (
    all_schedules,
    appendix,
    closing,
    eighty_features,
    findings,
    five_features,
    in_general,
    introduction,
    opening,
    sparse_autoencoders,
    theory,
    training,
)

TITLE = "Superposition when features are not equally sparse"


def document(facts: Gathered, imprint: Imprint, stages: Sequence[dict[str, float]]) -> Document:
    """All that the template sets.

    Raises:
        ArtefactError: if a figure or a caption is missing or damaged.
    """
    figures = Figures(facts.ledger.sources)
    main = _main(facts, figures, imprint, stages)
    drawn_after, loose = _appended(facts, figures)
    after = _appendix(facts, loose)
    abstract = opening.abstract(facts.findings())
    labels = labels_of(figures, (*main, *after))
    drawn = {figure.module: [own.name for own in figures.of_module(figure.module)] for figure in figures.all}
    if slides := appendix.slides(drawn, labels):
        drawn_after = [blocks.heading("The talk, slide by slide"), *slides, *drawn_after]
    shown_only = figures.uncited([*main, *drawn_after, *after])
    after = [*drawn_after, *appendix.further([(own.name, own.module) for own in shown_only]), *after]
    return assembled(
        title=TITLE,
        subtitle="A reproduction of, and an answer to, the talk *Experiments with Mechanistic "
        "Interpretability*",
        subject="Which features toy models of superposition represent when importance and sparsity differ",
        abstract=abstract,
        main=main,
        appendix=after,
        figures=figures,
        imprint=imprint,
        numbers=facts.ledger.numbers,
    )


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
    talk = facts.cases[facts.talk.name] if facts.talk else []
    experiments = facts.ledger.sources.config.experiments
    return [
        *figures.blocks(first, findings.matching(found), floats=False),
        {"kind": "page"},
        *opening.summary(found, titles),
        *introduction.introduction(),
        *introduction.related_work(),
        *introduction.set_up([each for each in experiments.values() if each.claims]),
        *_theory(facts, figures),
        *_five_features(facts, figures),
        *_eighty_features(facts, figures),
        *training.section(talk),
        *figures.blocks(
            figures.of_module("excess_losses"),
            findings.excess(facts.each_case()),
        ),
        *all_schedules.section(facts.atlas),
        *in_general.paragraph(facts.general),
        *figures.blocks(_atlas_figure(facts, figures), findings.atlas(found)),
        *sparse_autoencoders.section(facts.comparisons, facts.n_saes),
        *_sae_figure(facts, figures),
        *closing.limits(),
        *closing.reproduce(imprint, stages, facts.n_models, facts.n_saes),
    ]


def _theory(facts: Gathered, figures: Figures) -> list[Block]:
    matched = [own for _, group in facts.matched for own in group]
    told = [blocks.paragraph(theory.missed(matched), theory.losses(matched))] if matched else []
    return [
        *theory.costs(),
        *figures.blocks(figures.of_module("pair_phases"), "The partner's probability decides."),
        *theory.matching_table("matching", facts.matched),
        *told,
        *theory.predictions(facts.predictor),
        *theory.prospective(facts.prospective),
    ]


def _five_features(facts: Gathered, figures: Figures) -> list[Block]:
    if facts.talk is None:
        return []
    cases = facts.cases[facts.talk.name]
    others = [(other, facts.cases[other.name]) for other in facts.tested(like=facts.talk, but=True)]
    return [
        *five_features.section(facts.talk, cases, others),
        *figures.blocks(figures.of_module("all_cases")[:1], findings.all_cases(facts.findings())),
        *five_features.table(facts.talk, cases),
    ]


def _eighty_features(facts: Gathered, figures: Figures) -> list[Block]:
    if facts.post is None:
        return []
    name = facts.post.name
    norms = {own.name: found for own, found in facts.norms}.get(name, [])
    matched = {own.name: found for own, found in facts.matched}.get(name, [])
    result = eighty_features.section(facts.post, matched, norms, facts.published)
    for role in ("reversed", "equal"):
        # Of several cases the last one, which the post has.
        for case in facts.post.cases_of_role(role)[-1:]:
            drawn = figures.of_module("bars", case=case.name, experiment=name)
            result += figures.blocks(drawn, eighty_features.case_finding(matched, case.name))
    return [
        *result,
        *eighty_features.norms_table(facts.norms),
        *figures.blocks(figures.of_module("frobenius_norms_map")),
    ]


def _atlas_figure(facts: Gathered, figures: Figures) -> list[FigureTarget]:
    """The atlas on one axis, else the one with an axis for each order."""
    described = facts.ledger.sources.config.map_of_role("observations")
    by_order = figures.of_module("atlas_by_order", map=described.name) if described else []
    return by_order or figures.of_module("atlas_represented")


def _sae_figure(facts: Gathered, figures: Figures) -> list[Block]:
    """Levels of the experiment that compares most SAEs in more than two dimensions, else of the largest."""
    if not facts.comparisons:
        return []
    own = max(
        facts.comparisons,
        key=lambda one: (facts.experiment(one.name).n_hidden > 2, len(one.saes), one.n_models),
    )
    drawn = figures.of_module("sae_pareto", experiment=own.name)
    return figures.blocks(drawn, findings.sae_levels(own))


_SLIDES_TABLE = 235.0
"""Points that the table of slides takes, with its heading."""
_APPENDED = (
    *("pivot_tables", "playground", "motivation", "polysemanticity", "uniform", "sae_setup", "cases"),
    *(
        "sae_frames",
        "perturbation",
        "training_against_best",
        "predictor",
        "atlas_observations",
        "initial_scale",
    ),
)
"""Modules whose first figure stands in the appendix, unless it stands before."""
_SPARE = (
    *("plane", "sae_training", "playground_data_sets", "attention_rare", "predictor_failures", "sae_levels"),
    *("sae_by_feature", "frobenius_norms", "atlas_dedicated", "bias", "sae_animation", "represented_counts"),
)
"""Modules whose figures fill what is left of those pages."""


def _finding(facts: Gathered, figure: FigureTarget) -> str:
    if figure.module == "predictor":
        return findings.predictor(facts.findings())
    return findings.perturbation() if figure.module == "perturbation" else ""


def _appended(facts: Gathered, figures: Figures) -> tuple[list[Block], list[Block]]:
    """Figures of the appendix: those that fill pages, the first with the table of slides, and the others."""
    drawn = [figure for module in _APPENDED for figure in figures.of_module(module)[:1]]
    families = facts.tested(like=facts.talk, but=True)
    drawn += [figure for own in families for figure in figures.of_module("all_cases", experiment=own.name)]
    every = [
        block for figure in drawn for block in figures.blocks([figure], _finding(facts, figure), floats=False)
    ]
    spare = [
        figure for module in _SPARE for figure in figures.of_module(module)[:2] if figure not in figures.shown
    ]
    heights, fillers = [figures.height(block) for block in every], [figures.height_of(own) for own in spare]
    packed: list[Block] = []
    loose: list[Block] = []
    grouped = packing.pages(heights, _SLIDES_TABLE if facts.talk else 0.0, fillers)
    for number, page in enumerate(grouped):
        on_page = [
            block
            for index in page
            for block in (
                [every[index]]
                if index < len(every)
                else figures.blocks([spare[index - len(every)]], floats=False)
            )
        ]
        filled = sum([*heights, *fillers][index] for index in page)
        if number and filled < packing.FULL * packing.PAGE:
            loose += [block | {"floats": True} for block in on_page]
        else:
            packed += [*([{"kind": "page"}] if packed else []), *on_page]
    return packed, loose


def _appendix(facts: Gathered, loose: Sequence[Block]) -> list[Block]:
    experiments = facts.ledger.sources.config.experiments
    result = [*appendix.attention(facts.attention), *appendix.playground(facts.playground)]
    others = facts.tested(like=facts.talk, but=True)
    if others:
        result.append(blocks.heading("Other families of schedules"))
        result.append(five_features.other_families(facts.talk, others))
        for own in others:
            result += five_features.table(own, facts.cases[own.name], f"five-{own.name}")
    result += appendix.controls(facts.observations, {name: own.family for name, own in experiments.items()})
    listed = sparse_autoencoders.table(facts.comparisons)
    if listed:
        result += [blocks.heading("SAE tables"), *listed]
    primary = {
        own.name: opening.size(own.n_features, own.n_hidden) for own in (facts.talk, facts.post) if own
    }
    listed = appendix.outcomes(
        [own for own in facts.observations if not own.is_control],
        primary,
        "outcomes",
        "**All outcomes of the primary family.** On all seeds, with simultaneous intervals. Differences are "
        "in features, or for norms a share of the rival's.",
    )
    # The long table runs through what floating figures leave of their pages.
    return [*result, *loose, *([blocks.heading("All outcomes"), *listed] if listed else [])]
