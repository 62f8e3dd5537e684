"""What an artefact was made from, as JSON inside the artefact itself.

It holds no time of day: the same inputs give the same bytes.
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
    """What an artefact was made from: its full spec, the digest of the code, engine, and package versions."""
    return {"spec": dict(spec), "code": code, "engine": engine, "versions": package_versions(), **more}


def parsed_provenance(text: str | bytes, path: Path) -> dict[str, Any]:
    """The provenance of a file, of the text that `provenance_text` made of it.

    Raises:
        ArtefactError: if it is none.
    """
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or "checksum" not in parsed:
        # The file is whole, and somebody else's: nobody is told to delete it.
        raise ArtefactError(f"{path}: carries no provenance: this pipeline did not make it")
    del parsed["checksum"]
    return parsed


def provenance_text(provenance: Mapping[str, Any], ascii_only: bool = False) -> str:
    """Provenance as files carry it: JSON, with a place for the file's seal."""
    return json.dumps(
        {**provenance, "checksum": checksums.BLANK}, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False
    )
