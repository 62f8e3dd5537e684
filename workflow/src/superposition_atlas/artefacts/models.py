"""Ensembles of toy models on disk: safetensors with `W`, `b` and what they were trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas import storage
from superposition_atlas.errors import ArtefactError
from superposition_atlas.toy_model import TENSORS, ToyModels, TrainingSettings


def write_models(models: ToyModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble of toy models.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(models, name) for name in TENSORS}
    storage.write_tensors(tensors, path, storage.provenance(spec, code, engine=models.engine))


def read_models(path: Path) -> ToyModels:
    """Reads an ensemble of toy models.

    Raises:
        ArtefactError: if the file is missing, damaged or not ours.
    """
    tensors, provenance = storage.read_tensors(path)
    try:
        settings = TrainingSettings(**provenance["spec"]["training"])
        return ToyModels(**tensors, settings=settings, engine=provenance["engine"])
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no toy models ({error})") from None
