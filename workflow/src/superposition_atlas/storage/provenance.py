"""Provenance: what an artefact was made from, as JSON inside the artefact.

It holds no time of day, so the same inputs give the same bytes.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums

PROVENANCE_KEY = "superposition_atlas"

_VERSIONS_OF = ("superposition-atlas", "numpy", "numba", "torch", "pandas", "pyarrow", "scipy")


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide numbers, of those that are installed: torch need not be."""
    versions = {}
    for name in _VERSIONS_OF:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def provenance_of(spec: Mapping[str, Any], code: str, engine: str = "numpy", **more: Any) -> dict[str, Any]:
    """Provenance of an artefact: its full spec, the digest of the code, engine, and package versions."""
    return {"spec": dict(spec), "code": code, "engine": engine, "versions": package_versions(), **more}


def parsed_provenance(text: str | bytes, path: Path) -> dict[str, Any]:
    """Reads the text that `provenance_text` wrote into a file.

    Raises:
        ArtefactError: if the text is no provenance of this pipeline.
    """
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or "checksum" not in parsed:
        # The file is whole and foreign: never advise to delete it.
        raise ArtefactError(f"{path}: carries no provenance: this pipeline did not make it")
    del parsed["checksum"]
    return parsed


def provenance_text(provenance: Mapping[str, Any], ascii_only: bool = False) -> str:
    """Provenance as JSON, with a placeholder for the file's seal."""
    return json.dumps(
        {**provenance, "checksum": checksums.BLANK}, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False
    )
