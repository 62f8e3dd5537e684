"""Draws one figure of the catalogue as SVG and PNG."""

import argparse
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.errors import AtlasError
from superposition_atlas.figures.parts import style
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "module, inputs (file by role) and options of the figure", "module", "inputs", "options")
    parser.add_argument(
        "--output", required=True, nargs="+", type=Path, help="files to write: .svg, .png, .gif"
    )


def run(arguments: argparse.Namespace) -> None:
    """Draws and saves the figure; as GIF, if its module has `frames`."""
    spec = arguments.spec
    name, inputs, options = spec["module"], spec["inputs"], spec["options"]
    if not (isinstance(inputs, dict) and all(isinstance(path, str) for path in inputs.values())):
        raise AtlasError(f"--spec: inputs is {inputs!r:.60}: must be a JSON object of file names")
    if not isinstance(options, dict):
        raise AtlasError(f"--spec: options is {options!r:.60}: must be a JSON object")
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
        raise AtlasError(f"--spec: module is {name!r:.60}: must be the name of a figure's module")
    try:
        module = import_module(f"superposition_atlas.figures.draw.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("superposition_atlas."):
            raise
        raise AtlasError(f"--spec: module is {name!r}: there is no such figure") from None
    paths = {role: Path(path) for role, path in inputs.items()}
    moving = [path for path in arguments.output if path.suffix == ".gif"]
    if moving and not hasattr(module, "frames"):
        raise AtlasError(f"--output {moving[0]}: {name} is a still picture, allowed is .svg or .png")
    _check_options(module.draw, options)
    provenance = _provenance(spec)
    still = [path for path in arguments.output if path not in moving]
    with style.applied():
        for path in moving:
            style.save_frames(module.frames(paths, **options), path, provenance)
        if still:
            figure = module.draw(paths, **options)
        for path in still:
            style.save(figure, path, provenance)


def _check_options(draw: Callable[..., Any], options: dict[str, Any]) -> None:
    """Names of options are the drawing's alone; what a configuration names stands inside their values."""
    _, *parameters = inspect.signature(draw).parameters.values()
    allowed = [parameter.name for parameter in parameters]
    for name in options:
        if name not in allowed:
            raise AtlasError(
                f"--spec: options has {name!r}: allowed is one of {', '.join(allowed) or 'none'}"
            )
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in options:
            raise AtlasError(f"--spec: options.{parameter.name} is missing")


def _provenance(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: spec[key] for key in ("module", "inputs", "options")}
    code = code_digest(
        "superposition_atlas.cli.commands.figure", f"superposition_atlas.figures.draw.{spec['module']}"
    )
    provenance = provenance_of(kept, code, engine="matplotlib")
    provenance["versions"] |= {"matplotlib": version("matplotlib")}
    return provenance
