"""Toy models of a map that were trained before, kept so that a finer grid trains its new points only.

Snakemake removes what a job declares before it runs the job again. The store is not declared. It is a folder
of Parquet files, each written whole; a toy model in it is known by the key of its point and its seed, and
counts only if it comes from the same code, settings, engine and packages.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from superposition_atlas import storage
from superposition_atlas.artefacts.maps import read_model_frame, write_map_models
from superposition_atlas.digest import code_digest
from superposition_atlas.errors import ArtefactError
from superposition_atlas.toy_model import TrainingSettings

logger = logging.getLogger(__name__)

_DECIDE_BITS = ("numpy", "numba", "torch")
"""Packages that decide what training gives, to the last bit."""


class Store:
    """The store of one map, for one way of training."""

    def __init__(self, folder: Path, settings: TrainingSettings, engine: str) -> None:
        versions = storage.package_versions()
        self._folder = folder
        self._spec: dict[str, Any] = {
            "kind": "toy models of a map",
            "settings": settings.as_dict(),
            "engine": engine,
            "versions": {name: versions[name] for name in _DECIDE_BITS},
        }
        self._code = code_digest("superposition_atlas.training")

    def read(self, keys: Sequence[str]) -> pd.DataFrame:
        """Toy models among whose points are those of the given keys: all that there are, and maybe others.

        Files of other settings or code and damaged ones are removed; the log says so.
        """
        frames = [_no_models()]
        for path in self._files(keys):
            try:
                provenance = storage.table_provenance(path)
                if (provenance["spec"], provenance["code"]) != (self._spec, self._code):
                    raise ArtefactError(f"{path}: belongs to other settings or code")
                frames.append(read_model_frame(path))
            except ArtefactError as error:
                if path.exists():  # the job of another shard may have been faster
                    logger.warning("kept toy models ignored, and removed: %s", error)
                    path.unlink(missing_ok=True)
        return pd.concat(frames, ignore_index=True).drop_duplicates(["key", "seed"])

    def add(self, models: pd.DataFrame) -> None:
        """Keeps toy models, in ascending order of their keys.

        Raises:
            ArtefactError: if they can't be written.
        """
        first, last = models.iloc[0], models.iloc[-1]
        path = self._folder / f"{first['key']}-{last['key']}-{first['seed']}.parquet"
        write_map_models(models, path, storage.provenance(self._spec, self._code))

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
            elif first <= highest and rest.partition("-")[0] >= lowest:
                found.append(path)
        return found


def _no_models() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": pd.Series(dtype=object),
            "seed": pd.Series(dtype="uint64"),
            "W": pd.Series(dtype=object),
            "b": pd.Series(dtype=object),
            "loss": pd.Series(dtype="float64"),
        }
    )
