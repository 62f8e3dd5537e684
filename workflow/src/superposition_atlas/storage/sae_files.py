"""Ensembles of SAEs on disk: safetensors with `W_enc`, `W_dec`, `b_enc`, `b_dec` and what they come from.

Parameters are stored under their names, their history as `history.NAME`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArgumentError, ArtefactError, TrainingError, value_text
from superposition_atlas.sae.architectures.registry import FILES_VARIABLE, all_architectures
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.sae.settings import EXTERNAL
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors

_HISTORY = "history."
_OTHERS = (
    "seeds",
    "toy_model",
    "sparsity_coefficient",
    "k",
    "recorded_steps",
    "resampling_steps",
    "resampled",
)


def write_saes(saes: SAEs, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble of SAEs.

    Raises:
        ArgumentError: if the SAEs are functions.
        ArtefactError: if the file can't be written.
    """
    if saes.functions:
        raise ArgumentError("saes are functions: must be arrays to be written")
    tensors = {name: getattr(saes, name) for name in _OTHERS}
    tensors |= {_HISTORY + name: array for name, array in saes.history.items()}
    tensors |= saes.parameters
    provenance = provenance_of(spec, code, engine=saes.engine, settings=saes.settings.as_dict())
    write_tensors(tensors, path, provenance)


def read_saes(path: Path) -> SAEs:
    """Reads an ensemble of SAEs.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline, or if its SAEs are of
            a user's architecture that is not registered here.
    """
    tensors, provenance = read_tensors(path)
    try:
        name = provenance["settings"]["architecture"]
        if name != EXTERNAL and name not in all_architectures():
            raise ArtefactError(
                f"{path}: its SAEs have the architecture {value_text(name)}, which is not known here: "
                f"register it, or name the file that defines it in {FILES_VARIABLE}"
            )
        settings = SAESettings(**provenance["settings"])
        others: dict[str, Any] = {name: tensors.pop(name) for name in _OTHERS}
        history = {name: tensors.pop(_HISTORY + name) for name in list(tensors) if _HISTORY + name in tensors}
        return SAEs(
            parameters=tensors, history=history, settings=settings, engine=provenance["engine"], **others
        )
    except (KeyError, TypeError, TrainingError) as error:
        raise ArtefactError(f"{path}: holds no SAEs ({error})") from None
