"""Prints what was found, in ten lines, and where the PDF is."""

import argparse
import json
import textwrap
from pathlib import Path

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import layout
from superposition_atlas.storage.atomic import check_seal

_WIDTH = 110


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--numbers",
        default=Path(layout.report_numbers()),
        type=Path,
        help="the report's words and numbers (JSON)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Reads them from the file beside the PDF, which a run writes last."""
    path = arguments.numbers
    check_seal(path, "JSON")
    lines = json.loads(path.read_text(encoding="utf-8")).get("found")
    if not isinstance(lines, list):
        raise ArtefactError(f"{path}: does not say what was found; run `snakemake --cores all` again")
    for line in lines:
        print(textwrap.fill(line, _WIDTH, initial_indent="- ", subsequent_indent="  "))
    print(f"\nThe report: {path.with_suffix('.pdf').absolute()}")
