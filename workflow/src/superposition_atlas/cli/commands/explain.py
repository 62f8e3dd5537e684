"""Says what a result was made from, and how to make it again: the provenance that every artefact carries."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums, layout
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.embedded import READERS, read_provenance
from superposition_atlas.storage.parquet import table_provenance
from superposition_atlas.storage.tensors import read_tensors


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", type=Path, help="a file of results/: table, weights, figure or report")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the file is, the command that makes it again, and its provenance, as JSON."""
    path = arguments.file
    place = layout.identify(path)
    kind = place.kind if place else "a file of this pipeline, outside results/"
    command = place.command if place else None
    provenance = _provenance(path, place)
    if not isinstance(provenance.get("spec"), dict) or not isinstance(provenance.get("code"), str):
        raise ArtefactError(f"{path}: carries no spec or no code: this pipeline did not make it")
    said = {"file": str(path), "kind": kind, "made_by": command, "rebuild": _rebuild(place)}
    if command is not None:
        said["code_is_that_of_here"] = provenance["code"] == _digest(command, provenance["spec"])
    print(json.dumps(said | provenance, indent=2, ensure_ascii=False))


def _provenance(path: Path, place: layout.Place | None) -> dict[str, Any]:
    """What the file carries.

    Raises:
        ArtefactError: if it carries nothing, or is missing or damaged.
    """
    if path.suffix not in (".parquet", ".safetensors", *READERS):
        readable = ", ".join(sorted([".parquet", ".safetensors", *READERS]))
        raise ArtefactError(f"{path}: got a file that carries no provenance, allowed is one of {readable}")
    try:
        reason = checksums.flaw(path) if place is None and path.is_file() else None
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    if reason:
        # Not ours, maybe: nobody is told to delete it.
        raise ArtefactError(f"{path}: damaged, or not a file of this pipeline ({reason})")
    if path.suffix == ".parquet":
        return table_provenance(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)[1]
    return read_provenance(path)


def _rebuild(place: layout.Place | None) -> str:
    if place is None:
        return "its spec and code say what made it"
    if place.command is None:
        return "training makes it anew if it is deleted"
    target = shlex.quote(f"{layout.RESULTS}/{place.below}")
    return f"snakemake --cores all --force {target} (with the --configfile of the run)"


def _digest(command: str, spec: dict[str, Any]) -> str | None:
    """That of the code here, or None where the figure's module is gone."""
    modules = [f"superposition_atlas.cli.commands.{command}"]
    if command == "figure" and "module" in spec:
        modules.append(f"superposition_atlas.figures.draw.{spec['module']}")
    try:
        return code_digest(*modules)
    except ModuleNotFoundError:
        return None
