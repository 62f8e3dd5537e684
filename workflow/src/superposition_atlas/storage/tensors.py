"""Weights as safetensors files that carry their provenance and a checksum."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from superposition_atlas.storage.atomic import check_seal, damaged, write_sealed
from superposition_atlas.storage.provenance import PROVENANCE_KEY, parsed_provenance, provenance_text


def write_tensors(tensors: Mapping[str, np.ndarray], path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a safetensors file with its provenance in the header's metadata.

    Raises:
        ArtefactError: if the file can't be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_sealed(save(arrays, metadata={PROVENANCE_KEY: provenance_text(provenance)}), path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and provenance of a safetensors file of this pipeline.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    check_seal(path, "safetensors")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
            text = (file.metadata() or {}).get(PROVENANCE_KEY, "")
    except (SafetensorError, OSError) as error:
        raise damaged(path, "safetensors", str(error)) from None
    return tensors, parsed_provenance(text, path)
