"""Saves ensembles from a notebook, and loads what any part of this package wrote."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from superposition_atlas import __version__, arguments
from superposition_atlas.errors import ArgumentError, ArtefactError
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.storage.file_kinds import require_file
from superposition_atlas.storage.interchange import read_toy_model
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.sae_files import read_saes, write_saes
from superposition_atlas.toy_model import ToyModels

_SUFFIX = ".safetensors"
_SPEC = {"saved_by": "superposition_atlas.save"}


def save(ensemble: ToyModels | SAEs, path: Path | str) -> None:
    """Writes toy models or SAEs, whole with settings, seeds and history, as one safetensors file.

    Args:
        ensemble: what `train` or `train_saes` returned, or a part of it.
        path: file to write, its name ending in .safetensors; one that is there is replaced.

    Raises:
        ArgumentError: if an argument is not as above.
        ArtefactError: if the file can't be written.
    """
    arguments.instance("ensemble", ensemble, (ToyModels, SAEs), "ToyModels or SAEs")
    target = arguments.path("path", path)
    if target.suffix != _SUFFIX:
        raise ArgumentError(f"path is {str(target)!r}: must end in {_SUFFIX}")
    if isinstance(ensemble, ToyModels):
        write_models(ensemble, target, _SPEC, __version__)
    else:
        write_saes(ensemble, target, _SPEC, __version__)


def load(path: Path | str) -> ToyModels | SAEs:
    """Reads toy models or SAEs: what `save`, the workflow or the command `export` wrote.

    Args:
        path: the file.

    Raises:
        ArgumentError: if `path` is no path.
        ArtefactError: if the file is missing, damaged, or holds neither; what others wrote is for
            `import_toy_models`.
    """
    source = arguments.path("path", path)
    require_file(source)
    try:
        with safe_open(source, framework="numpy") as file:
            names = set(file.keys())
    except (SafetensorError, OSError, TypeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise ArtefactError(f"{source}: not a safetensors file ({line})") from None
    if "W_enc" in names:
        return read_saes(source)
    if {"W", "seeds"} <= names:
        return read_models(source)
    if {"W", "probability"} <= names:
        return read_toy_model(source)
    raise ArtefactError(
        f"{source}: holds neither toy models nor SAEs of this package; sa.import_toy_models reads others'"
    )
