"""What a file of any kind says about its making, and whether the code of this checkout would make it so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.embedded import READERS, read_provenance
from superposition_atlas.storage.parquet import table_provenance
from superposition_atlas.storage.tensors import read_tensors


def carried_provenance(path: Path) -> dict[str, Any]:
    """Provenance that a file of results/ carries: `spec`, `code`, `engine`, `versions`.

    Raises:
        ArtefactError: if it carries nothing, or is missing or damaged.
    """
    if path.suffix == ".parquet":
        return table_provenance(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)[1]
    if path.suffix in READERS:
        return read_provenance(path)
    readable = ", ".join(sorted([".parquet", ".safetensors", *READERS]))
    raise ArtefactError(f"{path}: got a file that carries no provenance, allowed is one of {readable}")


def code_of_here(command: str, spec: Mapping[str, Any]) -> str | None:
    """Digest of the code with which this checkout would make a file; None if a figure's module is gone.

    Args:
        command: a module in `superposition_atlas.cli.commands`.
        spec: of the file; a figure's names its module.
    """
    modules = [f"superposition_atlas.cli.commands.{command}"]
    if command == "figure" and "module" in spec:
        modules.append(f"superposition_atlas.figures.draw.{spec['module']}")
    try:
        return code_digest(*modules)
    except ModuleNotFoundError:
        return None
