"""Tables as Parquet files that carry their provenance and a checksum.

pyarrow is imported where it is used and pandas by pyarrow alone: most jobs of the pipeline are short, and
importing these two would take most of their time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
from superposition_atlas.storage.atomic import atomic_path, check_seal, damaged
from superposition_atlas.storage.provenance import PROVENANCE_KEY, parsed_provenance, provenance_text

_ROWS = 1 << 16
"""Rows of tables that are joined at a time."""


def write_table(
    frame: "pd.DataFrame", path: Path, provenance: Mapping[str, Any], schema: "pa.Schema | None" = None
) -> None:
    """Writes a Parquet file with its provenance in the schema's metadata.

    Args:
        frame: the table.
        path: where to.
        provenance: what it was made from, see `provenance_of`.
        schema: types of its columns, where the values do not show them (no rows, lists).

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow as pa

    _write_parquet(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path, provenance)


def write_tables(frames: "Iterable[pd.DataFrame]", path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes one or more tables below one another, as `write_table` does; each is made when it is written.

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
    """Writes columns of numbers or words, as `write_table` does but without pandas.

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
    """Writes the rows of Parquet files of this pipeline below one another, without pandas.

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
        provenance: what it was made from, see `provenance_of`.

    Raises:
        ArtefactError: if the file can't be written.
    """
    import pyarrow.parquet as pq

    metadata = {**(schema.metadata or {}), PROVENANCE_KEY.encode(): provenance_text(provenance).encode()}
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(temporary, schema.with_metadata(metadata)) as writer:
            yield writer
        checksums.seal(temporary, path)


def _write_parquet(table: "pa.Table", path: Path, provenance: Mapping[str, Any]) -> None:
    with table_writer(path, table.schema, provenance) as writer:
        writer.write_table(table)


def read_table(path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Reads a Parquet file of this pipeline.

    Raises:
        ArtefactError: if the file is missing, damaged, not written by this pipeline, or lacks a column.
    """
    return _parquet(path, columns).to_pandas()


def read_columns(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads columns of a small table as arrays, as `read_table` does but without pandas.

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
    """Opens a Parquet file of this pipeline; errors of pyarrow become an ArtefactError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_seal(path, "Parquet")
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, "Parquet", str(error)) from None
