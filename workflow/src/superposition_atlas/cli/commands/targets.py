"""Lists what `snakemake --cores all TARGET` can make of a configuration, with a sentence each."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

from superposition_atlas import config
from superposition_atlas.config import Config
from superposition_atlas.figures import catalogue
from superposition_atlas.plan.parts import files_by_name
from superposition_atlas.storage import layout

_DEFAULT = Path("config/config.yaml")
_WHOLE = {
    "all": "everything below, the PDF and the explorer",
    "atlas": "all maps over schedules: toy models, best solutions, tables",
    "norms": "schedules by the norms that the post published: tables and figures",
    "report": "the PDF, with every figure and table that it reads",
    "explorer": "the interactive page, with every table that it reads",
    "report_zip": "Snakemake's own report, to browse: figures, captions, jobs",
}
_PAPERS = {
    "tms": "the figures of Toy Models of Superposition again",
    "structure": "features that depend on one another",
}
_KINDS = {
    "grid": "a grid of schedules",
    "random": "random schedules",
    "perturbation": "schedules in which one feature differs",
    "phases": "schedules that differ in density and in the last feature's importance",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        help=f"files that are laid over {_DEFAULT}, as those of --configfile",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints a page: targets on the left, what each makes on the right."""
    files = [path for path in arguments.files if path != _DEFAULT]
    loaded = config.load(config.laid_over(*[config.read(path) for path in (_DEFAULT, *files)]))
    more = f" --configfile {' '.join(map(str, files))}" if files else ""
    print(f"snakemake --cores all{more} -- TARGET …   (add -n --quiet rules to see what would run)")
    for heading, rows in _sections(loaded):
        print(f"\n{heading}")
        width = max(map(len, rows), default=0)
        for name, sentence in rows.items():
            print(f"  {name:<{width}}  {sentence}".rstrip())


def _sections(loaded: Config) -> Iterator[tuple[str, dict[str, str]]]:
    yield "Whole", _WHOLE
    yield "One further paper", {name: f"{layout.paper(name)}: {_PAPERS[name]}" for name in loaded.papers()}
    parts = files_by_name(loaded)
    yield (
        "One experiment",
        {
            name: f"{one.n_features} features in {one.n_hidden} dimensions; "
            f"cases {', '.join(one.cases)}; {len(one.seeds)} seeds"
            + (f"; SAEs {', '.join(one.saes)}" if one.saes else "")
            for name, one in loaded.experiments.items()
            if name in parts
        },
    )
    yield (
        "One map",
        {
            name: f"{one.n_features} features in {one.n_hidden} dimensions, {_KINDS[one.points['kind']]}"
            for name, one in loaded.maps.items()
            if name in parts
        },
    )
    yield (
        "One figure",
        {layout.figure(one.name, "svg"): shorten(one.alt, 90) for one in catalogue.figures(loaded)},
    )
