"""Maps on disk: partitioned Parquet, one file a shard.

results/maps/{map}/points/shard={shard}/part.parquet     key, importance, probability, and the coordinates
results/maps/{map}/weights/shard={shard}/part.parquet    key, variant, seed, training_seed, W, b, loss
results/maps/{map}/solutions/shard={shard}/part.parquet  minima of the exact loss and predictions

W is the list of its m·n values, hidden dimension by hidden dimension.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float, Integer

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.store import FileFormat, Store

_POINT_COLUMNS = ("key", "importance", "probability")
MODEL_SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "seed": pa.uint64(),
        "training_seed": pa.uint64(),
        "W": pa.list_(pa.float32()),
        "b": pa.list_(pa.float32()),
        "loss": pa.float64(),
    }
)
WEIGHT_SCHEMA = MODEL_SCHEMA.insert(1, pa.field("variant", pa.string()))
"""Toy models of a map.

key: of the schedule. variant: name of the way of training. seed: number within the schedule's block of seeds.
training_seed: seed of its stream of samples, as `sa.train` takes it: the key as a number plus `seed`, mod
2⁶⁴. W: n_hidden · n_features numbers, hidden dimension by hidden dimension. b: n_features numbers. loss: mean
training loss of the last 100 steps.
"""
SOLUTION_SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "kind": pa.string(),
        "bias": pa.string(),
        "rank": pa.int64(),
        "loss": pa.float64(),
        "n_starts": pa.int64(),
        "structure": pa.string(),
        "W": pa.list_(pa.float64()),
        "b": pa.list_(pa.float64()),
    }
)
"""Minima and predictions.

key: of the schedule. kind: minimum, predicted or matching. bias: what the search holds (trained, zero, mean).
rank: 0 is the best minimum. loss: exact loss. n_starts: starts of the search that ended there, 0 for
predictions. structure: of predictions, in words. W: n_hidden · n_features numbers, hidden dimension by hidden
dimension. b: n_features numbers.
"""


@dataclass(frozen=True)
class MapPoints:
    """Schedules, each once; those of a shard in ascending order of their keys."""

    key: list[str]
    importance: Float[np.ndarray, "point feature"]
    probability: Float[np.ndarray, "point feature"]
    n_hidden: int

    def __len__(self) -> int:
        return len(self.key)

    @property
    def n_features(self) -> int:
        """Number of features, n; 0 where there are no points."""
        return self.probability.shape[1]


@dataclass(frozen=True)
class MapModels:
    """Toy models of a map. Arrays share their first axis, the instance."""

    key: list[str]
    """Key of the point at which each was trained."""
    variant: list[str]
    """Name of the way in which each was trained."""
    seed: Integer[np.ndarray, " instance"]
    """Number within the point's block of seeds."""
    training_seed: Integer[np.ndarray, " instance"]
    """Seed of its stream of samples, as `train` takes it."""
    W: Float[np.ndarray, "instance hidden feature"]
    b: Float[np.ndarray, "instance feature"]
    loss: Float[np.ndarray, " instance"]
    """Mean training loss of the last 100 steps."""

    def __len__(self) -> int:
        return len(self.key)


def write_points(
    rows: Sequence[Mapping[str, Any]],
    coordinates: Mapping[str, Any],
    path: Path,
    spec: Mapping[str, Any],
    code: str,
) -> None:
    """Writes the points of a shard.

    Args:
        rows: key, importance, probability and coordinates of each; there may be none.
        coordinates: those of any point of the map, for their names and types.
        path: where to.
        spec: what the map is, for provenance; with the key `n_hidden`.
        code: digest of the code, for provenance.

    Raises:
        ArtefactError: if the file can't be written.
    """
    values = pa.list_(pa.float64())
    types = {name: pa.scalar(value).type for name, value in coordinates.items()}
    schema = pa.schema({"key": pa.string(), "importance": values, "probability": values} | types)
    frame = pd.DataFrame(list(rows), columns=schema.names)
    write_table(frame, path, provenance_of(spec, code), schema)


def read_points(path: Path) -> MapPoints:
    """Reads the schedules of a shard, without coordinates.

    Raises:
        ArtefactError: if the file is missing, damaged or holds no points.
    """
    frame = read_table(path, _POINT_COLUMNS)
    spec = table_provenance(path)["spec"]
    if "n_hidden" not in spec:
        raise ArtefactError(f"{path}: holds no points of a map")
    return distinct_points(frame, spec["n_hidden"])


def read_point_frame(path: Path) -> pd.DataFrame:
    """Reads the points of a shard with their coordinates, a row each; a schedule may stand at several.

    Raises:
        ArtefactError: if the file is missing, damaged or holds no points.
    """
    frame = read_table(path)
    if not set(_POINT_COLUMNS) <= set(frame):
        raise ArtefactError(f"{path}: holds no points of a map")
    return frame


def distinct_points(frame: pd.DataFrame, n_hidden: int) -> MapPoints:
    """The schedules of points that `read_point_frame` has read."""
    once = frame.drop_duplicates("key")
    importance, probability = (_stacked(once[name]) for name in _POINT_COLUMNS[1:])
    return MapPoints(once["key"].tolist(), importance, probability, n_hidden)


def read_solutions(
    paths: Sequence[Path], n_hidden: int, n_features: int
) -> tuple[pd.DataFrame, Float[np.ndarray, "row hidden feature"]]:
    """Reads minima and predictions of shards, of which there may be none, and their weights.

    Raises:
        ArtefactError: if a file is missing, damaged or holds no solutions.
    """
    frames = [read_table(path, SOLUTION_SCHEMA.names) for path in paths]
    filled = [frame for frame in frames if len(frame)] or [SOLUTION_SCHEMA.empty_table().to_pandas()]
    frame = pd.concat(filled, ignore_index=True)
    return frame, _stacked(frame["W"]).reshape(len(frame), n_hidden, n_features)


def write_map_models(models: pd.DataFrame, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes toy models of a map, as `model_frame` makes them a table, with their variant.

    Raises:
        ArtefactError: if the file can't be written.
    """
    write_table(models, path, provenance, WEIGHT_SCHEMA)


def read_map_models(path: Path, n_hidden: int) -> MapModels:
    """Reads the toy models of a shard.

    Raises:
        ArtefactError: if the file is missing, damaged or holds no toy models of a map.
    """
    frame = read_table(path, WEIGHT_SCHEMA.names)
    b, W = _stacked(frame["b"]), _stacked(frame["W"])
    return MapModels(
        key=frame["key"].tolist(),
        variant=frame["variant"].tolist(),
        seed=frame["seed"].to_numpy(),
        training_seed=frame["training_seed"].to_numpy(),
        W=W.reshape(len(frame), n_hidden, b.shape[1]),
        b=b,
        loss=frame["loss"].to_numpy(),
    )


def of_variant(table: pd.DataFrame, variant: str, path: Path) -> pd.DataFrame:
    """The rows of a map's table that are of one way of training.

    Raises:
        ArtefactError: if there are none; the message names the file.
    """
    chosen = table[table["variant"] == variant]
    if chosen.empty:
        raise ArtefactError(f"{path}: has no rows of the variant {variant!r}")
    return chosen


def variants_of(path: Path) -> dict[str, dict[str, Any]]:
    """How the toy models of a shard were trained: settings by variant.

    Raises:
        ArtefactError: if the file is missing, damaged or holds no toy models of a map.
    """
    spec = table_provenance(path)["spec"]
    if "variants" not in spec:
        raise ArtefactError(f"{path}: holds no toy models of a map")
    return dict(spec["variants"])


def model_frame(
    key: Sequence[str],
    seed: Integer[np.ndarray, " instance"],
    training_seed: Integer[np.ndarray, " instance"],
    W: Float[np.ndarray, "instance hidden feature"],
    b: Float[np.ndarray, "instance feature"],
    loss: Float[np.ndarray, " instance"],
) -> pd.DataFrame:
    """Toy models of one variant as a table, one row each."""
    weights = list(W.reshape(len(W), -1))
    columns = {"key": list(key), "seed": seed, "training_seed": training_seed, "W": weights, "b": list(b)}
    return pd.DataFrame(columns | {"loss": loss})


def remove_other_shards(path: Path, shards: int) -> None:
    """Removes neighbouring shards whose number is `shards` or higher, left from a finer division.

    Otherwise a folder that is read as a whole would hold points twice after the number of shards fell.
    """
    if not path.parent.name.startswith("shard="):
        return  # a path outside results/: its neighbours are not shards
    for folder in path.parent.parent.glob("shard=*"):
        number = folder.name.removeprefix("shard=")
        if number.isdecimal() and int(number) >= shards:
            shutil.rmtree(folder, ignore_errors=True)


def _stacked(column: pd.Series) -> np.ndarray:
    """Lists of equal length as one array, [row, value]; without rows, no values either."""
    return np.stack(column.to_list()) if len(column) else np.zeros((0, 0), np.float32)


def row_files(schema: pa.Schema) -> FileFormat[pd.DataFrame]:
    """A store's files with rows of these columns, `key` among them."""

    def read(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
        provenance = table_provenance(path)
        return read_table(path, schema.names), provenance

    def write(rows: pd.DataFrame, path: Path, spec: Mapping[str, Any], code: str) -> None:
        write_table(rows, path, provenance_of(spec, code, engine=spec.get("engine", "numpy")), schema)

    return FileFormat(".parquet", read, write)


def stored_rows(store: Store[pd.DataFrame], keys: Sequence[str], schema: pa.Schema) -> pd.DataFrame:
    """The rows of a store that have these keys, and maybe others, as one table."""
    return pd.concat([schema.empty_table().to_pandas(), *store.read(keys)], ignore_index=True)
