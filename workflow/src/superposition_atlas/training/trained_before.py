"""Toy models that were trained before, so that more seeds cost the new ones only."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.joined_models import joined, no_models
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.store import FileFormat, Store
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.toy_model import ToyModels, TrainingSettings
from superposition_atlas.training.train_toy_models import Device, EngineName, engine_name, train

logger = logging.getLogger(__name__)

_DIGITS = 16
_SHARD_BYTES = 4


def shard_of_seed(seed: int, shards: int) -> int:
    """Which of so many shards a seed belongs to: by its hash, the same everywhere and every time."""
    return int.from_bytes(_seed_hash(seed)[:_SHARD_BYTES], "big") * shards >> 8 * _SHARD_BYTES


def _seed_hash(seed: int) -> bytes:
    return hashlib.sha256(str(seed).encode()).digest()


def train_new(
    importance: Float[np.ndarray, "instance feature"],
    probability: Float[np.ndarray, "instance feature"],
    n_hidden: int,
    seeds: Integer[np.ndarray, " instance"],
    settings: TrainingSettings,
    structure: Intervals | None = None,
    *,
    folder: Path | None,
    elsewhere: Sequence[Path] = (),
    engine: EngineName = "auto",
    device: Device = "auto",
    **options: Any,
) -> ToyModels:
    """One toy model for each seed, in this order; those in the folder are taken from there, new ones added.

    A toy model is the same, bit for bit, as if `train` had made it alone, wherever it comes from.

    Args:
        importance: I_i ≥ 0.
        probability: 0 < p_i ≤ 1.
        n_hidden: number of hidden dimensions.
        seeds: one an instance; there may be none.
        settings: as `train` takes them.
        structure: [instance, feature, 2], or None where features are independent.
        folder: where toy models are kept; files of other settings or code and damaged ones are removed. With
            None nothing is kept.
        elsewhere: folders of other jobs, whose toy models are taken where they are the same; nothing is
            changed there.
        engine: see `train`, as for the next one.
        device: "cpu", "cuda" or "auto".
        options: threads and checkpoint, see `train`.

    Raises:
        TrainingError: as `train`.
        ArtefactError: if what is new can't be written.
    """
    name = engine_name(engine, device, settings)
    wanted = _keys(seeds, importance, probability, structure)
    spec = {"settings": settings.as_dict(), "n_hidden": n_hidden, "engine": name}
    store = (
        Store(folder, spec, code_digest("superposition_atlas.training.train_toy_models"), _FILES)
        if folder
        else None
    )
    parts = [
        no_models(probability.shape[1], n_hidden, settings, name),
        *(_chosen(models, set(wanted)) for models in (store.read(wanted, elsewhere) if store else ())),
    ]
    known = {key for part in parts for key in _keys_of(part)}
    new = np.array([index for index, key in enumerate(wanted) if key not in known], dtype=int)
    if store:
        counts = (len(new), len(wanted), len(wanted) - len(new))
        logger.info("trains %d of %d toy models, %d are there already", *counts)
    if len(new):
        trained = train(
            Schedule(importance[new], probability[new], None if structure is None else structure[new]),
            n_hidden,
            seeds[new].tolist(),
            engine=engine,
            device=device,
            progress=None,
            **options,
            **settings.as_dict(),
        )
        if store:
            keys = [wanted[index] for index in new]
            # A name of its own for each set of toy models.
            store.add(trained, keys, hashlib.sha256("".join(keys).encode()).hexdigest()[:_DIGITS])
        parts.append(trained)
    whole = joined(parts)  # of one that two folders have, the last counts: both are the same
    place = {key: index for index, key in enumerate(_keys_of(whole))}
    return whole.select(np.array([place[key] for key in wanted], dtype=int))


def _read(path: Path) -> tuple[ToyModels, dict[str, Any]]:
    return read_models(path), read_tensors(path)[1]


def _write(models: ToyModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    write_models(models, path, spec, code)


_FILES = FileFormat(".safetensors", _read, _write)


def _chosen(models: ToyModels, wanted: set[str]) -> ToyModels:
    return models.select(np.array([key in wanted for key in _keys_of(models)], dtype=bool))


def _keys_of(models: ToyModels) -> list[str]:
    return _keys(models.seeds, models.importance, models.probability, models.structure)


def _keys(
    seeds: Integer[np.ndarray, " instance"],
    importance: np.ndarray,
    probability: np.ndarray,
    structure: Intervals | None,
) -> list[str]:
    """What tells toy models apart that are trained in one way.

    The seed's hash comes first: shards are ranges of it, so no shard has a key between two of another.
    """
    rows = zip(seeds.tolist(), importance.astype("<f8"), probability.astype("<f8"), strict=True)
    shared = [b""] * len(seeds) if structure is None else [own.tobytes() for own in structure.astype("<u4")]
    return [
        _seed_hash(seed)[:_SHARD_BYTES].hex()
        + hashlib.sha256(f"{seed} ".encode() + own.tobytes() + p.tobytes() + words).hexdigest()[:_DIGITS]
        for (seed, own, p), words in zip(rows, shared, strict=True)
    ]
