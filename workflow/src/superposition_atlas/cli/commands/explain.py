"""Says what a result was made from, and how to make it again: the provenance that every artefact carries."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import interchange, layout
from superposition_atlas.storage.carried import carried_provenance, code_of_here
from superposition_atlas.storage.file_kinds import require_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", type=Path, help="a file of results/: table, weights, figure or report")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the file is, the command that makes it again, and its provenance, as JSON."""
    path = arguments.file
    require_file(path)
    place = layout.identify(path)
    exported = interchange.exported_provenance(path)
    provenance = exported or carried_provenance(path)
    if not isinstance(provenance.get("spec"), dict) or not isinstance(provenance.get("code"), str):
        raise ArtefactError(f"{path}: carries no spec or no code: this pipeline did not make it")
    command = None if place is None or exported else place.command
    about = {
        "file": str(path),
        "kind": "what export wrote for other programs" if exported else _kind(place),
        "made_by": "export" if exported else command,
        "rebuild": "python -m superposition_atlas export" if exported else _rebuild(place),
    }
    if command is not None:
        about["code_is_that_of_here"] = provenance["code"] == code_of_here(command, provenance["spec"])
    print(_as_json(about | provenance))


def _as_json(content: dict[str, Any]) -> str:
    """JSON in letters that standard output can show; else as escapes, which are JSON too."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=2)
    return text


def _kind(place: layout.Place | None) -> str:
    return place.kind if place else "a file of this pipeline, outside results/"


def _rebuild(place: layout.Place | None) -> str:
    if place is None:
        return "its spec and code say what made it"
    if place.command is None:
        return "training makes it anew if it is deleted"
    target = shlex.quote(f"{layout.RESULTS}/{place.below}")
    return f"snakemake --cores all --force {target} (with the --configfile of the run)"
