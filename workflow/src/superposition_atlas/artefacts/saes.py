"""Ensembles of SAEs on disk: safetensors with `W_enc`, `W_dec`, `b_enc`, `b_dec` and their history."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from superposition_atlas import storage
from superposition_atlas.errors import ArtefactError
from superposition_atlas.sae.ensemble import SAEs, SAESettings

_SAE_TENSORS = tuple(field.name for field in fields(SAEs) if field.name not in ("settings", "engine"))


def write_saes(saes: SAEs, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble of SAEs.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(saes, name) for name in _SAE_TENSORS}
    provenance = storage.provenance(spec, code, engine=saes.engine, settings=saes.settings.as_dict())
    storage.write_tensors(tensors, path, provenance)


def read_saes(path: Path) -> SAEs:
    """Reads an ensemble of SAEs.

    Raises:
        ArtefactError: if the file is missing, damaged or not ours.
    """
    tensors, provenance = storage.read_tensors(path)
    try:
        settings = SAESettings(**provenance["settings"])
        return SAEs(**tensors, settings=settings, engine=provenance["engine"])
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no SAEs ({error})") from None
