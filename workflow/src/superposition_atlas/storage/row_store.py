"""What was made of a map's points before, kept so that a finer grid costs its new points only.

Snakemake removes what a job declares before it runs the job again. The store is not declared. It is a folder
of Parquet files, each written whole; rows in it are known by the key of their point (and a toy model by its
seed), and count only if they come from the same code, settings and packages.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.storage.provenance import package_versions, provenance_of

logger = logging.getLogger(__name__)

_DECIDE_BITS = ("numpy", "numba", "scipy", "torch")
"""Packages that decide what comes out, to the last bit."""


class Store:
    """The store of one map, for one way of making its rows."""

    def __init__(self, folder: Path, spec: Mapping[str, Any], code: str, schema: pa.Schema) -> None:
        """`spec` and `code` say how rows are made; `schema` has their columns, `key` among them."""
        versions = package_versions()
        self._folder = folder
        self._spec = {**spec, "versions": {name: versions[name] for name in _DECIDE_BITS}}
        self._code = code
        self._schema = schema

    def read(self, keys: Sequence[str]) -> pd.DataFrame:
        """Rows among whose points are those of the given keys: all that there are, and maybe others.

        Files of other settings or code and damaged ones are removed; the log says so.
        """
        frames = [self._schema.empty_table().to_pandas()]
        for path in self._files(keys):
            try:
                provenance = table_provenance(path)
                if (provenance["spec"], provenance["code"]) != (self._spec, self._code):
                    raise ArtefactError(f"{path}: belongs to other settings or code")
                frames.append(read_table(path, self._schema.names))
            except ArtefactError as error:
                if path.exists():  # the job of another shard may have been faster
                    logger.warning("what was kept is ignored, and removed: %s", error)
                    path.unlink(missing_ok=True)
        return pd.concat(frames, ignore_index=True)

    def add(self, rows: pd.DataFrame, name: str = "") -> None:
        """Keeps rows, in ascending order of their keys; `name` tells files of the same keys apart.

        Raises:
            ArtefactError: if they can't be written.
        """
        first, last = rows["key"].iloc[0], rows["key"].iloc[-1]
        path = self._folder / f"{first}-{last}-{name}.parquet"
        provenance = provenance_of(self._spec, self._code, engine=self._spec.get("engine", "numpy"))
        write_table(rows, path, provenance, self._schema)

    def _files(self, keys: Sequence[str]) -> list[Path]:
        """The files in whose range of keys one of these may be."""
        if not keys:
            return []
        lowest, highest = min(keys), max(keys)
        found = []
        for path in sorted(self._folder.glob("*.parquet")):
            first, _, rest = path.name.removeprefix(".").partition("-")
            if path.name.startswith("."):
                # Half a file, of a job that was killed: no other job writes in this range of keys.
                if lowest <= first <= highest:
                    path.unlink(missing_ok=True)
            elif first <= highest and rest.partition("-")[0] >= lowest and path.is_file():
                found.append(path)
        return found
