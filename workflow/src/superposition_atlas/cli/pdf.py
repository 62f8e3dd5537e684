"""Provenance of a PDF, and its words and numbers as JSON beside it."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from superposition_atlas.storage.atomic import write_sealed
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.embedded import KEY
from superposition_atlas.storage.provenance import provenance_of, provenance_text


def pdf_provenance(command: str, spec: dict[str, Any]) -> dict[str, Any]:
    """What a PDF was made from: the configuration, the code behind a command, and typst.

    Args:
        command: module in `superposition_atlas.cli.commands`.
        spec: the configuration.
    """
    provenance = provenance_of(
        spec, code_digest(f"superposition_atlas.cli.commands.{command}"), engine="typst"
    )
    provenance["versions"] |= {"typst": version("typst")}
    return provenance


def write_numbers(path: Path, contents: dict[str, Any], provenance: dict[str, Any]) -> None:
    """Writes the document that the template reads, with its provenance."""
    carried = json.loads(provenance_text(provenance, ascii_only=True))
    text = json.dumps({**contents, KEY: carried}, ensure_ascii=False, allow_nan=False, indent=1)
    write_sealed(f"{text}\n".encode(), path)
