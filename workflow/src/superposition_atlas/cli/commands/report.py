"""Compiles results/report.pdf; its words, its numbers and what was found are beside it as report.json."""

import argparse
from pathlib import Path

from superposition_atlas import config
from superposition_atlas.cli.pdf import pdf_provenance, write_numbers
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.maps.norms import PUBLISHED_NORMS
from superposition_atlas.report import costs
from superposition_atlas.report.citation import imprint
from superposition_atlas.report.document import document, summary
from superposition_atlas.report.gathered import gather
from superposition_atlas.report.sources import Sources
from superposition_atlas.report.typesetting import compile_pdf
from superposition_atlas.storage import layout


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "the configuration")
    parser.add_argument("--template", required=True, type=Path, help="typst template")
    parser.add_argument("--captions", required=True, type=Path, help="folder with the figures' captions")
    parser.add_argument("--results", required=True, type=Path, help="folder with the results")
    parser.add_argument("--benchmarks", required=True, type=Path, help="folder with Snakemake's benchmarks")
    parser.add_argument(
        "--published",
        default=PUBLISHED_NORMS,
        type=Path,
        help="published Frobenius norms (CSV)",
    )
    parser.add_argument("--prospective", type=Path, help="means of the test on random schedules (CSV)")
    parser.add_argument("--citation", type=Path, help="CITATION.cff")
    parser.add_argument("--output", required=True, type=Path, help="PDF file to write")


def run(arguments: argparse.Namespace) -> None:
    """Gathers the facts, writes their sentences, and compiles the report."""
    output = arguments.output
    written = output.with_suffix(".json")
    # Whatever goes wrong from here on, no older report may pass for this one.
    for path in (output, written):
        path.unlink(missing_ok=True)
    sources = Sources(
        config=config.load(arguments.spec).without_sections(),
        results=arguments.results,
        benchmarks=arguments.benchmarks,
        captions=arguments.captions,
        published=arguments.published,
        prospective=arguments.prospective,
        citation=arguments.citation,
    )
    facts = gather(sources)
    about = imprint(arguments.citation, arguments.template.parent)
    contents = document(facts, about, costs.stages(arguments.benchmarks)) | {"found": summary(facts)}
    provenance = pdf_provenance("report", arguments.spec)
    write_numbers(written, contents, provenance)
    figures = [sources.locate(layout.figure(name, "svg")) for name in contents["figures"]]
    compile_pdf(arguments.template, written, figures, output, provenance)
