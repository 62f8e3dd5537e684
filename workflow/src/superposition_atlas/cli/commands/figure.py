"""Draws one figure of the catalogue as SVG and PNG."""

import argparse
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from superposition_atlas.errors import AtlasError
from superposition_atlas.figures.parts import style
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--module", required=True, help="module of superposition_atlas.figures that draws it")
    parser.add_argument("--input", action="append", default=[], type=_pair, metavar="ROLE=FILE")
    parser.add_argument("--option", action="append", default=[], type=_pair, metavar="NAME=VALUE")
    parser.add_argument(
        "--output", required=True, nargs="+", type=Path, help="files to write: .svg, .png, .gif"
    )


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def run(arguments: argparse.Namespace) -> None:
    """Draws and saves the figure; as GIF, if its module has `frames`."""
    try:
        module = import_module(f"superposition_atlas.figures.draw.{arguments.module}")
    except ModuleNotFoundError:
        raise AtlasError(f"--module {arguments.module}: there is no such figure") from None
    paths = {role: Path(path) for role, path in arguments.input}
    options = dict(arguments.option)
    moving = [path for path in arguments.output if path.suffix == ".gif"]
    if moving and not hasattr(module, "frames"):
        raise AtlasError(
            f"--output {moving[0]}: {arguments.module} is a still picture, allowed is .svg or .png"
        )
    provenance = _provenance(arguments.module, paths, options)
    with style.applied():
        for path in moving:
            style.save_frames(module.frames(paths, **options), path, provenance)
        still = [path for path in arguments.output if path not in moving]
        if still:
            figure = module.draw(paths, **options)
        for path in still:
            style.save(figure, path, provenance)


def _provenance(module: str, paths: dict[str, Path], options: dict[str, str]) -> dict[str, Any]:
    inputs = {role: str(path) for role, path in paths.items()}
    spec = {"module": module, "inputs": inputs, "options": options}
    code = code_digest(
        "superposition_atlas.cli.commands.figure", f"superposition_atlas.figures.draw.{module}"
    )
    provenance = provenance_of(spec, code, engine="matplotlib")
    provenance["versions"] |= {"matplotlib": version("matplotlib")}
    return provenance
