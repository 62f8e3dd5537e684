"""Ensembles of layers of attention on disk: safetensors with `W_Q`, `W_K`, `W_V`, `W_O`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.attention.heads import TENSORS, AttentionModels
from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors


def write_attention(attention: AttentionModels, path: Path, spec: Mapping[str, Any], code: str) -> None:
    """Writes an ensemble.

    Raises:
        ArtefactError: if the file can't be written.
    """
    tensors = {name: getattr(attention, name) for name in TENSORS}
    provenance = provenance_of(spec, code, engine="torch-cpu", settings=attention.settings.as_dict())
    write_tensors(tensors, path, provenance)


def read_attention(path: Path) -> AttentionModels:
    """Reads an ensemble.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    tensors, provenance = read_tensors(path)
    try:
        settings = AttentionSettings(**provenance["settings"])
        return AttentionModels(**{name: tensors[name] for name in TENSORS}, settings=settings)
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: holds no attention ({error})") from None
