"""Blocks, figures and numbers put together as the JSON document that the template sets."""

from collections.abc import Sequence
from typing import Any

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.citation import Imprint
from superposition_atlas.report.figures_shown import Figures
from superposition_atlas.report.markup import cited, runs
from superposition_atlas.report.sentences import closing
from superposition_atlas.report.sentences.bibliography import REFERENCES

Document = dict[str, Any]


def labels_of(figures: Figures, every: Sequence[Block]) -> dict[str, str]:
    """Label in the document by the place that a sentence names: a figure that is shown, or a table."""
    return figures.labels() | {
        block["label"].replace("table-", "table:", 1): block["label"]
        for block in every
        if block["kind"] == "table"
    }


def assembled(
    *,
    title: str,
    subtitle: str,
    subject: str,
    abstract: str,
    main: Sequence[Block],
    appendix: Sequence[Block],
    figures: Figures,
    imprint: Imprint,
    numbers: Sequence[dict[str, Any]],
) -> Document:
    """All that the template sets.

    Args:
        title: of the PDF.
        subtitle: markup.
        subject: what the PDF is about, for its metadata.
        abstract: markup.
        main: blocks of the text.
        appendix: blocks after the references.
        figures: those of which some are among the blocks.
        imprint: authors, date and commit.
        numbers: of the ledger.
    """
    labels = labels_of(figures, (*main, *appendix))
    keys = cited(list(blocks.lines((*main, *appendix))))
    return {
        "title": title,
        "subtitle": runs(subtitle),
        "running": "superposition-atlas",
        "subject": subject,
        "authors": list(imprint.authors),
        "keywords": list(imprint.keywords),
        "date": {"year": imprint.date.year, "month": imprint.date.month, "day": imprint.date.day},
        "imprint": runs(closing.title_line(imprint)),
        "abstract": runs(abstract),
        "main": blocks.finished(main, labels),
        "appendix": blocks.finished(appendix, labels),
        "references": [{"key": key, "text": runs(REFERENCES[key])} for key in keys],
        "figures": [figure.name for figure in figures.shown],
        "numbers": list(numbers),
    }
