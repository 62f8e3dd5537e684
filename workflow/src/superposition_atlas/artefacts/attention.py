"""Ensembles of layers of attention on disk: safetensors with `W_Q`, `W_K`, `W_V`, `W_O`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas import storage
from superposition_atlas.attention.models import TENSORS, AttentionModels
from superposition_atlas.attention.settings import AttentionSettings
from superposition_atlas.errors import ArtefactError


def write_attention(attention: AttentionModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(attention, name) for name in TENSORS}
    provenance = storage.provenance(spec, code, engine="torch-cpu", settings=attention.settings.as_dict())
    storage.write_tensors(tensors, path, provenance)


def read_attention(path: Path) -> AttentionModels:
    """Reads an ensemble.

    Raises:
        ArtefactError: if the file is missing, damaged or not ours.
    """
    tensors, provenance = storage.read_tensors(path)
    try:
        settings = AttentionSettings(**provenance["settings"])
        return AttentionModels(**{name: tensors[name] for name in TENSORS}, settings=settings)
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no attention ({error})") from None
