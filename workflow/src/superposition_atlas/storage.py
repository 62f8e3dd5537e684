"""Artefacts on disk: Parquet for tables, safetensors for weights, both written whole or not at all.

Every artefact carries its provenance. No time of day stands in it: the same inputs give the same bytes.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from superposition_atlas.errors import ArtefactError

PROVENANCE_KEY = "superposition_atlas"
_VERSIONS_OF = ("superposition-atlas", "numpy", "numba", "torch", "pandas", "pyarrow", "scipy")


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return {name: version(name) for name in _VERSIONS_OF}


def provenance(spec: Mapping[str, Any], code: str, **more: Any) -> dict[str, Any]:
    """What an artefact was made from: its full spec, the digest of the code, and package versions."""
    return {"spec": dict(spec), "code": code, "versions": package_versions(), **more}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place on success and vanishes on any error.

    Raises:
        ArtefactError: if the file can't be written (no space, no permission).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise ArtefactError(f"{path}: can't be written ({error.strerror})") from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise ArtefactError(f"{path}: can't be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_table(frame: pd.DataFrame, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a Parquet file with its provenance in the schema's metadata.

    Raises:
        ArtefactError: if the file can't be written.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY.encode(): _json(provenance).encode()}
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads a Parquet file of ours.

    Raises:
        ArtefactError: if it is missing, truncated, not ours, or lacks a column that is asked for.
    """
    table = _parquet(path)
    missing = [column for column in columns or () if column not in table.column_names]
    if missing:
        raise ArtefactError(f"{path}: has no column {missing[0]!r}; it has {', '.join(table.column_names)}")
    return table.select(list(columns)).to_pandas() if columns else table.to_pandas()


def table_provenance(path: Path) -> dict[str, Any]:
    """The provenance of a Parquet file.

    Raises:
        ArtefactError: as `read_table`.
    """
    metadata = _parquet(path).schema.metadata or {}
    return _parsed_provenance(path, metadata.get(PROVENANCE_KEY.encode()))


def _parquet(path: Path) -> pa.Table:
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file")
    try:
        return pq.ParquetFile(path, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError) as error:
        raise ArtefactError(_damaged(path, "Parquet", error)) from None


def write_tensors(tensors: Mapping[str, np.ndarray], path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a safetensors file with its provenance in the header's metadata.

    Raises:
        ArtefactError: if the file can't be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    content = save(arrays, metadata={PROVENANCE_KEY: _json(provenance)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and provenance of a safetensors file of ours.

    Raises:
        ArtefactError: if it is missing, truncated, or not ours.
    """
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise ArtefactError(_damaged(path, "safetensors", error)) from None
    return tensors, _parsed_provenance(path, metadata.get(PROVENANCE_KEY))


def _damaged(path: Path, kind: str, error: BaseException) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{path}: not a whole {kind} file ({reason}); delete it and run the same command again"


def _parsed_provenance(path: Path, text: str | bytes | None) -> dict[str, Any]:
    if text is None:
        raise ArtefactError(f"{path}: carries no provenance, so it was not made by this pipeline")
    parsed = json.loads(text)
    assert isinstance(parsed, dict)
    return parsed


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
