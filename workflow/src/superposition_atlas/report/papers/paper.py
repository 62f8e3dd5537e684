"""A further paper as one JSON document: a page that sums up, then a section each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from superposition_atlas.config.sections import Section
from superposition_atlas.report import blocks
from superposition_atlas.report.assembly import Document, assembled
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.citation import Imprint
from superposition_atlas.report.figures_shown import Figures
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.report.papers import (
    correlated_sets,
    energy_levels,
    geometry,
    hierarchy,
    neuron_sections,
    pairs,
    vulnerability,
)
from superposition_atlas.report.papers.basic_results import basic_results
from superposition_atlas.report.papers.perturbation import perturbation
from superposition_atlas.report.papers.phase_diagram import phase_diagrams
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import count, spelled
from superposition_atlas.report.sources import Sources

SECTIONS: Mapping[Section, Callable[[Studied], Written]] = {
    "basic_results": basic_results,
    "phase_diagram": phase_diagrams,
    "geometry": geometry.section,
    "perturbation": perturbation,
    "energy_levels": energy_levels.section,
    "vulnerability": vulnerability.section,
    "privileged_basis": neuron_sections.privileged_basis,
    "absolute_value": neuron_sections.absolute_value,
    "pairs": pairs.section,
    "correlated_sets": correlated_sets.section,
    "hierarchy": hierarchy.section,
}
"""The function that writes each section, in the order of the papers."""


@dataclass(frozen=True)
class _About:
    title: str
    subtitle: str
    subject: str
    opening: str
    """First sentence of the abstract."""


_ABOUT = {
    "tms": _About(
        "The figures of Toy Models of Superposition, again",
        "What the paper says, what comes out here, and whether the numbers support it",
        "A reproduction of the figures of Toy Models of Superposition",
        "We train again what *Toy Models of Superposition* [@tms] shows, on more seeds, and test its "
        "statements.",
    ),
    "structure": _About(
        "Features that depend on one another",
        "Correlated, exclusive and nested features of equal and unequal probability",
        "What toy models of superposition and sparse autoencoders make of features that are not independent",
        "We train toy models, and sparse autoencoders on them, on features that are correlated, exclude one "
        "another or form hierarchies, and whose probabilities may differ.",
    ),
}


def paper_document(sources: Sources, name: str, imprint: Imprint) -> Document:
    """All that the template sets.

    Args:
        sources: configuration and results.
        name: of the paper, one of `config.sections.PAPERS`.
        imprint: authors, date and commit.

    Raises:
        ArtefactError: one line that names the file that is missing or damaged, or lacks a column.
    """
    config, about = sources.config, _ABOUT[name]
    sections = config.papers()[name]
    ledger, figures = Ledger(sources), Figures(sources, sections)
    written = {
        section: SECTIONS[section](
            Studied(
                [own for own in config.experiments.values() if own.section == section],
                [own for own in config.maps.values() if own.section == section],
                ledger,
                figures,
            )
        )
        for section in sections
        if section in SECTIONS
    }
    statements = [statement for own in written.values() for statement in own.statements]
    body = [block for own in written.values() for block in own.blocks]
    main = [*_summary(statements), *body, *_reproduce(name)]
    return assembled(
        title=about.title,
        subtitle=about.subtitle,
        subject=about.subject,
        abstract=f"{about.opening} {_outcome(statements)}".strip(),
        main=main,
        appendix=[],
        figures=figures,
        imprint=imprint,
        numbers=ledger.numbers,
    )


def _outcome(statements: Sequence[Statement]) -> str:
    if not statements:
        return ""
    supported, contradicted, undecided = (
        spelled(n) if (n := sum(statement.verdict == word for statement in statements)) else "none"
        for word in ("supported", "contradicted", "open")
    )
    return (
        f"Of {count(len(statements), 'statement', 'statements')}, the numbers support {supported} and "
        f"contradict {contradicted}; {undecided} can't be decided on these seeds."
    )


def _summary(statements: Sequence[Statement]) -> list[Block]:
    if not statements:
        return []
    return [
        blocks.table(
            "statements",
            "**All statements, and what comes out here.** Intervals hold 95 %. *open*: the interval meets "
            "both what the statement says and what it excludes.",
            [("Statement", "left"), ("Here", "left"), ("Verdict", "left")],
            [(own.words, own.found, f"*{own.verdict}*") for own in statements],
            widths=(1.1, 1.5, 0.0),
            floats=False,
        )
    ]


def _reproduce(name: str) -> list[Block]:
    return [
        {"kind": "flush"},  # figures that float stand before the references
        blocks.heading("Reproduce it"),
        blocks.paragraph(
            f"`snakemake --cores all --configfile config/{name}.yaml -- {name}` trains, measures, draws and "
            f"sets all of this. The file `{name}.json` beside this PDF lists its numbers with their tables "
            "and holds the configuration. `python -m superposition_atlas explain FILE` says what any file "
            "was made from.",
        ),
    ]
