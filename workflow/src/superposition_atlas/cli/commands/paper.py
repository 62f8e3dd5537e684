"""Compiles results/tms.pdf or results/structure.pdf; words and numbers are beside it as JSON."""

import argparse
from pathlib import Path

from superposition_atlas import config
from superposition_atlas.cli.pdf import pdf_provenance, write_numbers
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.config.sections import PAPERS
from superposition_atlas.errors import ConfigError
from superposition_atlas.maps.norms import PUBLISHED_NORMS
from superposition_atlas.report.citation import imprint
from superposition_atlas.report.papers.paper import paper_document
from superposition_atlas.report.sources import Sources
from superposition_atlas.report.typesetting import compile_pdf
from superposition_atlas.storage import layout


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "the configuration")
    parser.add_argument("--paper", required=True, choices=tuple(PAPERS), help="which paper")
    parser.add_argument("--template", required=True, type=Path, help="typst template")
    parser.add_argument("--captions", required=True, type=Path, help="folder with the figures' captions")
    parser.add_argument("--results", required=True, type=Path, help="folder with the results")
    parser.add_argument("--citation", type=Path, help="CITATION.cff")
    parser.add_argument("--output", required=True, type=Path, help="PDF file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes the paper's sections from its tables, and compiles them.

    Raises:
        ConfigError: if the configuration has no experiment or map of the paper.
    """
    output, name = arguments.output, arguments.paper
    written = output.with_suffix(".json")
    # Whatever goes wrong from here on, no older paper may pass for this one.
    for path in (output, written):
        path.unlink(missing_ok=True)
    loaded = config.load(arguments.spec)
    if name not in loaded.papers():
        allowed = ", ".join(PAPERS[name])
        raise ConfigError(f"--paper: got {name}, but no experiment or map has a section of it ({allowed})")
    sources = Sources(
        config=loaded,
        results=arguments.results,
        benchmarks=arguments.results,
        captions=arguments.captions,
        published=PUBLISHED_NORMS,
        citation=arguments.citation,
    )
    contents = paper_document(sources, name, imprint(arguments.citation, arguments.template.parent))
    provenance = pdf_provenance("paper", arguments.spec)
    write_numbers(written, contents, provenance)
    figures = [sources.locate(layout.figure(figure, "svg")) for figure in contents["figures"]]
    compile_pdf(arguments.template, written, figures, output, provenance)
