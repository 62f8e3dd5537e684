"""Ensembles of toy models on disk: safetensors with `W`, `b` and what they were trained on.

Where output weights are untied there is `W_out` too.

The history of their training is stored as `recorded_steps`, `recorded_W`, … (`History`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.imported_settings import settings_of, stated
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors
from superposition_atlas.toy_model import (
    HISTORY_TENSORS,
    TENSORS,
    History,
    ToyModels,
    history_tensor_names,
    tensor_names,
)

_RECORDED = "recorded_"


def write_models(models: ToyModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble of toy models.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(models, name) for name in tensor_names(models)}
    if models.history is not None:
        names = ("steps", *history_tensor_names(models.history))
        tensors |= {_RECORDED + name: getattr(models.history, name) for name in names}
    provenance = provenance_of(spec, code, engine=models.engine, settings=stated(models.settings))
    write_tensors(tensors, path, provenance)


def read_models(path: Path) -> ToyModels:
    """Reads an ensemble of toy models.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    tensors, provenance = read_tensors(path)
    try:
        settings = settings_of(provenance["settings"])
        arrays = {name: tensors[name] for name in TENSORS}
        history = None
        if settings.record_steps:
            names = ("steps", *HISTORY_TENSORS)
            recorded = {name: tensors[_RECORDED + name] for name in names}
            history = History(**recorded, W_out=tensors.get(_RECORDED + "W_out"))
        return ToyModels(
            **arrays,
            settings=settings,
            engine=provenance["engine"],
            history=history,
            structure=tensors.get("structure"),
            W_out=tensors["W_out"] if settings.output_weights == "untied" else None,
        )
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no toy models ({error})") from None
