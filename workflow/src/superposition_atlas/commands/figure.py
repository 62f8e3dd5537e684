"""Draws one figure of the catalogue as SVG and PNG."""

import argparse
from importlib import import_module
from pathlib import Path

from superposition_atlas.errors import AtlasError
from superposition_atlas.figures import style


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--module", required=True, help="module of superposition_atlas.figures that draws it")
    parser.add_argument("--input", action="append", default=[], type=_pair, metavar="ROLE=FILE")
    parser.add_argument("--option", action="append", default=[], type=_pair, metavar="NAME=VALUE")
    parser.add_argument("--output", required=True, nargs="+", type=Path, help="files to write: .svg, .png")


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def run(arguments: argparse.Namespace) -> None:
    """Draws and saves the figure."""
    try:
        module = import_module(f"superposition_atlas.figures.{arguments.module}")
    except ModuleNotFoundError:
        raise AtlasError(f"--module {arguments.module}: there is no such figure") from None
    paths = {role: Path(path) for role, path in arguments.input}
    with style.applied():
        figure = module.draw(paths, **dict(arguments.option))
        for path in arguments.output:
            style.save(figure, path)
