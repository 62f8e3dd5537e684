"""Ensembles of toy models on disk: safetensors with `W`, `b` and what they were trained on.

The history of their training is stored as `recorded_steps`, `recorded_W`, … (`History`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors
from superposition_atlas.toy_model import (
    HISTORY_TENSORS,
    TENSORS,
    History,
    ToyModels,
    TrainingSettings,
    tensor_names,
)

_RECORDED = "recorded_"
_HISTORY = ("steps", *HISTORY_TENSORS)


def write_models(models: ToyModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble of toy models.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(models, name) for name in tensor_names(models)}
    if models.history is not None:
        tensors |= {_RECORDED + name: getattr(models.history, name) for name in _HISTORY}
    provenance = provenance_of(spec, code, engine=models.engine, settings=models.settings.as_dict())
    write_tensors(tensors, path, provenance)


def read_models(path: Path) -> ToyModels:
    """Reads an ensemble of toy models.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    tensors, provenance = read_tensors(path)
    try:
        settings = TrainingSettings(**provenance["settings"])
        arrays = {name: tensors[name] for name in TENSORS}
        history = None
        if settings.record_steps:
            history = History(**{name: tensors[_RECORDED + name] for name in _HISTORY})
        return ToyModels(
            **arrays,
            settings=settings,
            engine=provenance["engine"],
            history=history,
            structure=tensors.get("structure"),
        )
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no toy models ({error})") from None
