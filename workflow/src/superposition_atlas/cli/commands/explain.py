"""Says what a result was made from, and how to make it again: the provenance that every artefact carries."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.embedded import READERS, read_provenance
from superposition_atlas.storage.parquet import table_provenance
from superposition_atlas.storage.tensors import read_tensors

# A path below results/ · what stands there · the command that writes it.
_KINDS = (
    (r"schedules/.+", "schedules", "schedules"),
    (r"models/.+", "toy models", "train"),
    (r"saes/.+", "SAEs", "saes"),
    (r"metrics/[^/]+/cases/[^/]+/(models|features)\..+", "measures of a case's toy models", "features"),
    (r"metrics/[^/]+/cases/.+", "measures of a case's SAEs", "recovery"),
    (r"metrics/[^/]+/(losses|solutions)\..+", "losses beside the best solutions", "losses"),
    (r"metrics/.+", "a table of all cases", "collect"),
    (r"claims\..+", "the talk's observations, tested", "claims"),
    (r"(answer|effects)\..+", "the talk's observations, judged by the atlas", "answer"),
    (r"maps/[^/]+/points/.+", "schedules of a map", "map_points"),
    (r"maps/[^/]+/weights/.+", "toy models of a map", "map_weights"),
    (r"maps/[^/]+/solutions/.+", "best solutions of a map", "map_solutions"),
    (r"maps/[^/]+/predictions\..+", "predictions for a map", "map_predictions"),
    (r"maps/[^/]+/(branches|crossings|branch_models)\..+", "competing structures of a map", "map_branches"),
    (r"maps/.+", "a table of a map", "map_measures"),
    (r"norms/.+", "norms beside the published ones", "map_norms"),
    (r"attention/[^/]+/.+", "toy models, SAEs or attention of slide 3", "attention"),
    (r"attention/.+", "a table of slide 3", "pivot_tables"),
    (r"playground/.+", "a table of slide 4", "playground"),
    (r"figures/.+", "a figure", "figure"),
    (r"report\..+", "the report", "report"),
    (r"explorer\..+", "the explorer", "explorer"),
    (r"checkpoints/.+", "what training keeps for a run that is ended", None),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", type=Path, help="a file of results/: table, weights, figure or report")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the file is, the command that makes it again, and its provenance, as JSON."""
    path = arguments.file
    place = checksums.below_results(path)
    kind, command = _kind(place)
    provenance = _provenance(path, place)
    if not isinstance(provenance.get("spec"), dict) or not isinstance(provenance.get("code"), str):
        raise ArtefactError(f"{path}: carries no spec or no code: this pipeline did not make it")
    said = {"file": str(path), "kind": kind, "made_by": command, "rebuild": _rebuild(place, command)}
    if command is not None:
        said["code_is_that_of_here"] = provenance["code"] == _digest(command, provenance["spec"])
    print(json.dumps(said | provenance, indent=2, ensure_ascii=False))


def _provenance(path: Path, place: str | None) -> dict[str, Any]:
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


def _kind(place: str | None) -> tuple[str, str | None]:
    for pattern, kind, command in _KINDS:
        if place is not None and re.fullmatch(pattern, place, re.DOTALL):
            return kind, command
    return "a file of this pipeline, from elsewhere", None


def _rebuild(place: str | None, command: str | None) -> str:
    if command is not None:
        target = shlex.quote(f"results/{place}")
        return f"snakemake --cores all --force {target} (with the --configfile of the run)"
    return "training makes it anew if it is deleted" if place else "its spec and code say what made it"


def _digest(command: str, spec: dict[str, Any]) -> str | None:
    """That of the code here, or None where the figure's module is gone."""
    modules = [f"superposition_atlas.cli.commands.{command}"]
    if command == "figure" and "module" in spec:
        modules.append(f"superposition_atlas.figures.draw.{spec['module']}")
    try:
        return code_digest(*modules)
    except ModuleNotFoundError:
        return None
