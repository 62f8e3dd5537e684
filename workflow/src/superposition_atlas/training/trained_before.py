"""Toy models that were trained before, kept so that more seeds cost the new ones only.

Snakemake removes what a job declares before it runs the job again. What is kept here is not declared: a
folder of ensembles, each written whole. A toy model is known by its seed and its schedule, and counts only if
it comes from the same settings, code, engine and packages.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.errors import ArtefactError
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.provenance import package_versions
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.toy_model import ToyModels, TrainingSettings, joined, no_models
from superposition_atlas.training.train_toy_models import Device, EngineName, engine_name, train

logger = logging.getLogger(__name__)

_DECIDE_BITS = ("numpy", "numba", "torch")
"""Packages that decide what comes out, to the last bit."""
_DIGITS = 16


def shard_of_seed(seed: int, shards: int) -> int:
    """Which of so many shards a seed belongs to: by its hash, the same everywhere and every time."""
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:4], "big") * shards >> 32


def train_new(
    importance: Float[np.ndarray, "instance feature"],
    probability: Float[np.ndarray, "instance feature"],
    n_hidden: int,
    seeds: Integer[np.ndarray, " instance"],
    settings: TrainingSettings,
    *,
    folder: Path | None,
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
        folder: where toy models are kept; files of other settings or code and damaged ones are removed. With
            None nothing is kept.
        engine: see `train`, as for the next one.
        device: "cpu", "cuda" or "auto".
        options: threads and checkpoint, see `train`.

    Raises:
        TrainingError: as `train`.
        ArtefactError: if what is new can't be written.
    """
    name = engine_name(engine, device)
    versions = {package: package_versions()[package] for package in _DECIDE_BITS}
    spec = {"settings": settings.as_dict(), "n_hidden": n_hidden, "engine": name, "versions": versions}
    code = code_digest("superposition_atlas.training.train_toy_models")
    wanted = _identities(seeds, importance, probability)
    parts = [
        no_models(probability.shape[1], n_hidden, settings, name),
        *(_read(folder, spec, code, wanted) if folder else ()),
    ]
    known = {identity for part in parts for identity in _identities_of(part)}
    new = np.array([index for index, identity in enumerate(wanted) if identity not in known], dtype=int)
    if folder:
        counts = (len(new), len(wanted), len(wanted) - len(new))
        logger.info("trains %d of %d toy models, %d are there already", *counts)
    if len(new):
        trained = train(
            Schedule(importance[new], probability[new]),
            n_hidden,
            seeds[new].tolist(),
            engine=engine,
            device=device,
            progress=None,
            **options,
            **settings.as_dict(),
        )
        if folder:
            digest = hashlib.sha256("".join(wanted[index] for index in new).encode()).hexdigest()
            path = folder / f"{digest[:_DIGITS]}.safetensors"
            # Half a file, of a job that was killed: no other job writes this one.
            for half in folder.glob(f".{path.name}.*"):
                half.unlink(missing_ok=True)
            write_models(trained, path, spec, code)
        parts.append(trained)
    whole = joined(parts)
    place = {identity: index for index, identity in enumerate(_identities_of(whole))}
    return whole.select(np.array([place[identity] for identity in wanted], dtype=int))


def _read(folder: Path, spec: dict[str, Any], code: str, wanted: Sequence[str]) -> list[ToyModels]:
    """What there is of the wanted ones, file by file."""
    parts, asked = [], set(wanted)
    # Names with a dot are what jobs of other shards are writing just now.
    for path in sorted(folder.glob("[!.]*.safetensors")):
        if not path.is_file():
            continue
        try:
            _, provenance = read_tensors(path)
            if (provenance["spec"], provenance["code"]) != (spec, code):
                raise ArtefactError(f"{path}: belongs to other settings or code")
            models = read_models(path)
        except ArtefactError as error:
            logger.warning("what was kept is ignored, and removed: %s", error)
            path.unlink(missing_ok=True)
            continue
        chosen = [index for index, one in enumerate(_identities_of(models)) if one in asked]
        parts.append(models.select(np.array(chosen, dtype=int)))
    return parts


def _identities_of(models: ToyModels) -> list[str]:
    return _identities(models.seeds, models.importance, models.probability)


def _identities(
    seeds: Integer[np.ndarray, " instance"], importance: np.ndarray, probability: np.ndarray
) -> list[str]:
    """What tells toy models apart that are trained in one way."""
    rows = zip(seeds.tolist(), importance.astype("<f8"), probability.astype("<f8"), strict=True)
    return [
        hashlib.sha256(f"{seed} ".encode() + own.tobytes() + p.tobytes()).hexdigest()[:_DIGITS]
        for seed, own, p in rows
    ]
