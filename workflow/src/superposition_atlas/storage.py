"""Artefacts on disk: Parquet for tables, safetensors for weights, both written whole or not at all.

Every artefact carries its provenance. No time of day stands in it: the same inputs give the same bytes. With
it stands a checksum of the whole file, since neither format notices every damage by itself.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from superposition_atlas import seal
from superposition_atlas.errors import ArtefactError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

PROVENANCE_KEY = "superposition_atlas"
_ROWS = 1 << 16
"""Rows of tables that are joined at a time."""
_PROBED_BYTES = 2**20
_VERSIONS_OF = ("superposition-atlas", "numpy", "numba", "torch", "pandas", "pyarrow", "scipy")


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return {name: version(name) for name in _VERSIONS_OF}


def provenance(spec: Mapping[str, Any], code: str, engine: str = "numpy", **more: Any) -> dict[str, Any]:
    """What an artefact was made from: its full spec, the digest of the code, engine, and package versions."""
    return {"spec": dict(spec), "code": code, "engine": engine, "versions": package_versions(), **more}


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


def check_writable(folder: Path) -> None:
    """Writes a little into a folder, under no name; one that does not exist is left so.

    Raises:
        ArtefactError: if that fails (no space, no permission), with what to do.
    """
    if not folder.exists():
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBED_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        raise ArtefactError(
            f"{folder.absolute()}: {reason}; mend that and run the same command again"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# pyarrow is imported where it is used, pandas by pyarrow alone: most jobs of the pipeline are short, and
# importing these two is most of what many of them do.


def write_table(
    frame: "pd.DataFrame", path: Path, provenance: Mapping[str, Any], schema: "pa.Schema | None" = None
) -> None:
    """Writes a Parquet file with its provenance in the schema's metadata.

    Args:
        frame: the table.
        path: where to.
        provenance: what it was made from, see `provenance`.
        schema: types of its columns, where the values do not show them (no rows, lists).

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow as pa

    _write_parquet(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path, provenance)


def write_tables(frames: "Iterable[pd.DataFrame]", path: Path, provenance: Mapping[str, Any]) -> None:
    """As `write_table`, of at least one table, one below the other; each is asked for when its turn comes.

    The first one's columns and types are those of all.

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow as pa

    rest = iter(frames)
    first = pa.Table.from_pandas(next(rest), preserve_index=False)
    with table_writer(path, first.schema, provenance) as writer:
        writer.write_table(first)
        for frame in rest:
            writer.write_table(pa.Table.from_pandas(frame, schema=first.schema, preserve_index=False))


def write_columns(columns: Mapping[str, np.ndarray], path: Path, provenance: Mapping[str, Any]) -> None:
    """As `write_table`, for columns of numbers or words and without pandas.

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow as pa

    arrays = [_arrow_array(values) for values in columns.values()]
    _write_parquet(pa.Table.from_arrays(arrays, names=list(columns)), path, provenance)


def _arrow_array(values: np.ndarray) -> "pa.Array":
    import pyarrow as pa

    # From buffers: pa.array imports pandas, to see whether it was given something of it.
    if values.dtype.kind == "U":
        words = [word.encode() for word in values.tolist()]
        ends = np.cumsum([0, *map(len, words)], dtype=np.int64)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(words))]
        return pa.Array.from_buffers(pa.large_string(), len(words), buffers)
    assert values.dtype.kind in "iuf"
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def write_joined(tables: Sequence[Path], path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes the rows of several Parquet files of ours, one below the other, without pandas.

    However many there are, a few thousand rows at a time are in memory.

    Raises:
        ArtefactError: as `read_table`, or if the file can't be written.
    """
    import pyarrow as pa

    # A column that is empty in one of them has no type there, and a table without rows may lack columns.
    described = [_described(part) for part in tables]
    schemas = [schema for n_rows, schema in described if n_rows] + [schema for _, schema in described]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    # Neither schema.empty_table() nor pyarrow.dataset: both import pandas.
    empty = pa.Table.from_batches([], schema)
    with table_writer(path, schema, provenance) as writer:
        for part in tables:
            with _opened(part) as file:
                for batch in file.iter_batches(_ROWS):
                    rows = pa.Table.from_batches([batch]).replace_schema_metadata()
                    whole = pa.concat_tables([empty, rows], promote_options="permissive")
                    writer.write_table(whole)


@contextmanager
def table_writer(
    path: Path, schema: "pa.Schema", provenance: Mapping[str, Any]
) -> "Iterator[pq.ParquetWriter]":
    """A writer of a Parquet file that takes its rows piece by piece; on any error there is no file.

    Args:
        path: where to.
        schema: of its columns.
        provenance: what it was made from, see `provenance`.

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow.parquet as pq

    metadata = {**(schema.metadata or {}), PROVENANCE_KEY.encode(): provenance_text(provenance).encode()}
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(temporary, schema.with_metadata(metadata)) as writer:
            yield writer
        seal.seal(temporary, path)


def _write_parquet(table: "pa.Table", path: Path, provenance: Mapping[str, Any]) -> None:
    with table_writer(path, table.schema, provenance) as writer:
        writer.write_table(table)


def read_table(path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Reads a Parquet file of ours.

    Raises:
        ArtefactError: if it is missing, damaged, not ours, or lacks a column that is asked for.
    """
    return _parquet(path, columns).to_pandas()


def read_columns(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """As `read_table`, of a small table, as arrays and without pandas.

    Raises:
        ArtefactError: as `read_table`.
    """
    table = _parquet(path, columns)
    return {name: np.array(table[name].to_pylist()) for name in columns}


def table_provenance(path: Path) -> dict[str, Any]:
    """The provenance of a Parquet file.

    Raises:
        ArtefactError: as `read_table`.
    """
    with _opened(path) as file:
        metadata = file.schema_arrow.metadata or {}
    return parsed_provenance(metadata.get(PROVENANCE_KEY.encode(), b""), path)


def _parquet(path: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    with _opened(path) as file:
        missing = [column for column in columns or () if column not in file.schema_arrow.names]
        if missing:
            has = ", ".join(file.schema_arrow.names)
            raise ArtefactError(f"{path}: has no column {missing[0]!r}; it has {has}")
        return file.read(list(columns) if columns else None)


def _described(path: Path) -> "tuple[int, pa.Schema]":
    """Number of rows, and columns without metadata."""
    with _opened(path) as file:
        return file.metadata.num_rows, file.schema_arrow.remove_metadata()


@contextmanager
def _opened(path: Path) -> "Iterator[pq.ParquetFile]":
    """A Parquet file of ours; what its reading raises becomes an ArtefactError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_seal(path, "Parquet")
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, "Parquet", str(error)) from None


def write_tensors(tensors: Mapping[str, np.ndarray], path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a safetensors file with its provenance in the header's metadata.

    Raises:
        ArtefactError: if the file can't be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_sealed(save(arrays, metadata={PROVENANCE_KEY: provenance_text(provenance)}), path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and provenance of a safetensors file of ours.

    Raises:
        ArtefactError: if it is missing, damaged, or not ours.
    """
    check_seal(path, "safetensors")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
            text = (file.metadata() or {}).get(PROVENANCE_KEY, "")
    except (SafetensorError, OSError) as error:
        raise damaged(path, "safetensors", str(error)) from None
    return tensors, parsed_provenance(text, path)


def write_sealed(content: bytes, path: Path) -> None:
    """Writes a file that holds its `provenance_text`, sealed.

    Raises:
        ArtefactError: if the file can't be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        seal.seal(temporary, path)


def check_seal(path: Path, kind: str) -> None:
    """Whether a file is one of ours, every bit as it was written.

    Raises:
        ArtefactError: if it is missing, damaged, or not ours.
    """
    if not path.is_file():
        raise ArtefactError(f"{path}: no such file")
    try:
        reason = seal.flaw(path)
    except OSError as error:
        raise damaged(path, kind, str(error.strerror)) from None
    if reason is not None:
        raise damaged(path, kind, reason)


def damaged(path: Path, kind: str, reason: str) -> ArtefactError:
    """The error that names a damaged file, and what to do."""
    line = reason.strip().partition("\n")[0]
    return ArtefactError(
        f"{path}: not a whole {kind} file ({line}); delete it and run the same command again"
    )


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
        {**provenance, "checksum": seal.BLANK}, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False
    )
