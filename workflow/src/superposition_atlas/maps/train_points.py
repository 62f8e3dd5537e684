"""Training of a map's toy models: chunk by chunk, each kept as soon as it is there."""

import logging
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas.maps.point_seeds import training_seeds
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import MODEL_SCHEMA, MapPoints, model_frame, row_files, stored_rows
from superposition_atlas.storage.store import Store
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.train_toy_models import Device, EngineName, engine_name, train

logger = logging.getLogger(__name__)

_CHUNK_OPERATIONS, _CHUNK_OPERATIONS_ON_GPU = 1e12, 1e14
"""Multiply-adds of a chunk: about half a minute of two cores, all that is lost if a job is killed."""
_CHUNK_MODELS = (16, 20_000)
"""Least and most toy models of a chunk."""


def train_points(
    points: MapPoints,
    seeds: Sequence[int],
    settings: TrainingSettings,
    *,
    store: Path,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: int | None = None,
    checkpoint: Path | None = None,
    chunk_size: int | None = None,
) -> pd.DataFrame:
    """One toy model for each point and seed, in this order; those in the store are taken from there.

    Wherever a toy model comes from, it is the same, bit for bit, as `train` makes it from its
    `training_seed` alone.

    Args:
        points: schedules and number of hidden dimensions.
        seeds: numbers within each point's block of seeds (`training_seeds`).
        settings: as `train` takes them.
        store: folder of the toy models that are there already; new ones are added.
        engine: see `train`, as for the next two.
        device: "cpu", "cuda" or "auto".
        threads: CPU threads.
        checkpoint: file in which a chunk is kept on a signal.
        chunk_size: most toy models that are trained, and then kept, together; None is half a minute of them.

    Raises:
        TrainingError: as `train`.
        ArtefactError: if the store can't be written to.
    """
    wanted = pd.DataFrame(
        {
            "key": np.repeat(np.array(points.key, dtype=str), len(seeds)),
            "seed": np.tile(np.array(seeds, dtype=np.uint64), len(points)),
            "point": np.repeat(np.arange(len(points)), len(seeds)),
        }
    )
    name = engine_name(engine, device, settings)
    spec = {"kind": "toy models of a map, seeds by point", "settings": settings.as_dict(), "engine": name}
    on_gpu = "cuda" in name
    code = code_digest("superposition_atlas.training.train_toy_models")
    before = Store(store, spec, code, row_files(MODEL_SCHEMA))
    models = [stored_rows(before, points.key, MODEL_SCHEMA).drop_duplicates(["key", "seed"])]
    known = wanted.merge(models[0][["key", "seed"]], how="left", indicator="where")
    missing = known[known["where"] == "left_only"]
    logger.info(
        "trains %d of %d toy models, %d are there already",
        *(len(missing), len(wanted), len(wanted) - len(missing)),
    )
    most = chunk_size or _chunk_size(points, settings, on_gpu)
    while len(missing):
        # Of equal size: a few toy models alone leave threads without work. Made one by one, so that what a
        # killed job has left is cut where that job would have cut it, and its checkpoint fits.
        size = ceil(len(missing) / ceil(len(missing) / most))
        chunk, missing = missing.iloc[:size], missing.iloc[size:]
        trained = train(
            Schedule(points.importance[chunk["point"]], points.probability[chunk["point"]]),
            points.n_hidden,
            training_seeds(chunk["key"].tolist(), chunk["seed"].tolist()).tolist(),
            engine=engine,
            device=device,
            threads=threads,
            progress=None,
            checkpoint=checkpoint,
            **settings.as_dict(),
        )
        frame = model_frame(
            chunk["key"].tolist(),
            chunk["seed"].to_numpy(),
            np.array(trained.seeds, dtype=np.uint64),
            *(trained.W, trained.b, trained.loss),
        )
        before.add(frame, frame["key"].tolist(), name=str(chunk["seed"].iloc[0]))
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        models.append(frame)
    return wanted.drop(columns="point").merge(pd.concat(models), how="left")


def _chunk_size(points: MapPoints, settings: TrainingSettings, on_gpu: bool) -> int:
    n_features = points.probability.shape[1]
    operations = max(settings.steps, 1) * settings.batch_size * n_features * (points.n_hidden + 5)
    most = _CHUNK_OPERATIONS_ON_GPU if on_gpu else _CHUNK_OPERATIONS
    return int(np.clip(most / max(operations, 1), *_CHUNK_MODELS))
