"""One SAE or toy model in a format that other programs read.

An SAE becomes a folder as SAELens 6 has them, `cfg.json` and `sae_weights.safetensors`; SAELens itself is not
needed to write it. A toy model becomes a plain safetensors file:

    W [hidden, feature], b [feature]                float32
    importance [feature], probability [feature]     float64

with h = W x, x' = ReLU(Wᵀ h + b), and W_out [hidden, feature] beside W where output weights are untied. The
header's metadata has JSON under `superposition_atlas`: settings (`TrainingSettings`), seed, loss, engine, and
of an exported one spec, code and versions.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, ArtefactError, ConfigError, TrainingError
from superposition_atlas.sae.architecture import Architecture
from superposition_atlas.sae.architectures import external
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.settings import EXTERNAL
from superposition_atlas.storage.atomic import atomic_path
from superposition_atlas.storage.file_kinds import require_file
from superposition_atlas.storage.imported_models import LAYOUTS, Layout, import_toy_model
from superposition_atlas.storage.imported_settings import settings_of, stated
from superposition_atlas.storage.provenance import PROVENANCE_KEY
from superposition_atlas.toy_model import ToyModels

_CONFIGURATION = "cfg.json"
_WEIGHTS = "sae_weights.safetensors"
_SAELENS_LAYOUT = "6.0.0"
"""The version since which SAELens lays folders out so; one that names none is read as an older one."""
_TOY_MODEL = ("W", "b", "importance", "probability")
_UNTIED = "W_out"
_SHOWN = 8
"""Numbers that a message lists at most."""


def find_sae(saes: SAEs, seed: int, sparsity_coefficient: float | None = None, k: int | None = None) -> int:
    """The index of the only SAE of that seed and, where they are given, λ and k.

    Raises:
        ConfigError: if there is none, or more than one.
    """
    wanted = {"seed": seed, "sparsity_coefficient": sparsity_coefficient, "k": k}
    all_values = {"seed": saes.seeds, "sparsity_coefficient": saes.sparsity_coefficient, "k": saes.k}
    found = np.arange(len(saes))
    for name, value in wanted.items():
        if value is not None:
            found = _narrowed(found, name, all_values[name], value)
    if len(found) > 1:
        for name, value in wanted.items():
            values = np.unique(all_values[name][found])
            if value is None and len(values) > 1:
                raise ConfigError(f"{name} is missing: must be {_listed(values)}")
        raise _ambiguous(seed, found)
    return int(found[0])


def find_toy_model(models: ToyModels, seed: int) -> int:
    """The index of the only toy model of that seed.

    Raises:
        ConfigError: if there is none, or more than one.
    """
    found = _narrowed(np.arange(len(models)), "seed", models.seeds, seed)
    if len(found) > 1:
        raise _ambiguous(seed, found)
    return int(found[0])


def _narrowed(indices: np.ndarray, name: str, values: np.ndarray, wanted: float) -> np.ndarray:
    found = indices[values[indices] == wanted]
    if not len(found):
        raise ConfigError(f"{name} is {wanted}: must be {_listed(np.unique(values[indices]))}")
    return found


def _ambiguous(seed: int, found: np.ndarray) -> ConfigError:
    return ConfigError(f"seed is {seed}: must be of one instance, and is of instances {_listed(found)}")


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:_SHOWN].tolist())
    return shown if len(values) <= _SHOWN else f"{shown}, … ({len(values)} in all)"


# --- SAEs as SAELens has them ------------------------------------------------------------------------------


def saelens_configuration(
    saes: SAEs, instance: int, provenance: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What stands in cfg.json for one SAE of an ensemble."""
    saelens = _form(saes, instance).saelens
    ours = dict(provenance or {}) | {
        "settings": saes.settings.as_dict(),
        "engine": saes.engine,
        "seed": int(saes.seeds[instance]),
        "toy_model": int(saes.toy_model[instance]),
        "sparsity_coefficient": float(saes.sparsity_coefficient[instance]),
        "k": int(saes.k[instance]),
    }
    return {
        "architecture": saelens.name,
        "d_in": saes.n_hidden,
        "d_sae": saes.n_latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": _SAELENS_LAYOUT,
            "sae_lens_training_version": None,  # it did not train this one
            PROVENANCE_KEY: ours,
        },
        **saelens.settings(int(saes.k[instance])),
    }


def _form(saes: SAEs, instance: int) -> Architecture:
    """The architecture whose layout SAELens reads: of an imported SAE that which it computes.

    Raises:
        ArgumentError: if the SAE is functions.
    """
    if saes.functions:
        raise ArgumentError("saes are functions: must be arrays to be exported")
    if saes.settings.architecture == EXTERNAL:
        return external.form_of(saes.parameters, int(saes.k[instance]), saes.n_latents)
    return by_name(saes.settings.architecture)


def saelens_weights(saes: SAEs, instance: int) -> dict[str, np.ndarray]:
    """The content of sae_weights.safetensors for one SAE of an ensemble, float32.

    W_enc [hidden, latent], W_dec [latent, hidden], b_enc [latent], b_dec [hidden]; gated: b_gate for b_enc,
    and r_mag, b_mag [latent]; jumprelu: threshold [latent].
    """
    ours = {name: array[instance] for name, array in saes.parameters.items()}
    theirs = _form(saes, instance).saelens.weights(ours, saes.n_latents)
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in theirs.items()}


def write_saelens(
    saes: SAEs, instance: int, folder: Path, provenance: Mapping[str, Any] | None = None
) -> None:
    """Writes one SAE of an ensemble as a folder that `sae_lens.SAE.load_from_disk` reads.

    The folder is written whole or not at all. An earlier export in its place is replaced.

    Args:
        saes: the ensemble.
        instance: index of the SAE, see `find_sae`.
        folder: to write.
        provenance: of the ensemble; stands in the configuration's metadata.

    Raises:
        ArtefactError: if the folder holds other files, or can't be written.
    """
    configuration = saelens_configuration(saes, instance, provenance)
    text = json.dumps(configuration, indent=2, ensure_ascii=False, allow_nan=False)
    contents = {
        _CONFIGURATION: f"{text}\n".encode(),
        _WEIGHTS: save(saelens_weights(saes, instance)),
    }
    _write_folder(folder, contents)


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes a folder beside its place and then moves it there; one with the same files makes room."""
    temporary = folder.parent / f".{folder.name}.{token_hex(8)}"
    try:
        others = sorted({entry.name for entry in folder.iterdir()} - set(contents)) if folder.is_dir() else []
        if others:
            raise ArtefactError(f"{folder}: holds {others[0]}; must be a new folder or an earlier export")
        temporary.mkdir(parents=True)
        for name, content in contents.items():
            with (temporary / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        _take_place(temporary, folder)
    except OSError as error:
        raise ArtefactError(f"{folder}: can't be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(temporary: Path, folder: Path) -> None:
    """Renames a folder. A full one can't be replaced in one step: it is moved aside, and back on an error."""
    if not folder.is_dir():
        temporary.rename(folder)
        return
    former = temporary.with_name(f"{temporary.name}.former")
    folder.rename(former)
    try:
        temporary.rename(folder)
    except BaseException:
        former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


# --- toy models --------------------------------------------------------------------------------------------


def write_toy_model(
    models: ToyModels, instance: int, path: Path, provenance: Mapping[str, Any] | None = None
) -> None:
    """Writes one toy model of an ensemble as plain safetensors, without its history.

    Args:
        models: the ensemble.
        instance: index of the toy model, see `find_toy_model`.
        path: file to write.
        provenance: of the ensemble; stands in the metadata.

    Raises:
        ArtefactError: if the file can't be written.
    """
    loss = float(models.loss[instance])
    described = dict(provenance or {}) | {
        "settings": stated(models.settings),
        "engine": models.engine,
        "seed": int(models.seeds[instance]),
        "loss": loss if np.isfinite(loss) else None,
    }
    text = json.dumps(described, sort_keys=True, ensure_ascii=False, allow_nan=False)
    names = _TOY_MODEL if models.W_out is None else (*_TOY_MODEL, _UNTIED)
    tensors = {name: np.ascontiguousarray(getattr(models, name)[instance]) for name in names}
    with atomic_path(path) as temporary:
        # All under one key: with several, their order would differ from run to run.
        temporary.write_bytes(save(tensors, metadata={PROVENANCE_KEY: text}))


def read_toy_model(path: Path | str, layout: Layout | None = None) -> ToyModels:
    """Reads a toy model that `write_toy_model` or another program wrote, as an ensemble of one.

    W and probability must be there; what else is missing is as by default in `import_toy_model`.

    Args:
        path: the file.
        layout: of W where another program wrote it, see `import_toy_model`; ours is [hidden, feature].

    Raises:
        ArgumentError: if `path` is no path, or `layout` no layout.
        ArtefactError: if the file is missing, damaged, or holds no toy model.
    """
    path = arguments.path("path", path)
    if layout is not None:
        arguments.choice("layout", layout, LAYOUTS)
    require_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in (*_TOY_MODEL, _UNTIED) if name in names}
            text = (file.metadata() or {}).get(PROVENANCE_KEY)
    except (SafetensorError, OSError, TypeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise ArtefactError(f"{path}: not a safetensors file of numbers ({line})") from None
    missing = [name for name in ("W", "probability") if name not in tensors]
    if missing:
        raise ArtefactError(f"{path}: has no tensor {missing[0]!r}; it has {', '.join(names) or 'none'}")
    try:
        described = json.loads(text or "{}")
        others = {name: described[name] for name in ("seed", "loss", "engine") if name in described}
        settings = settings_of(described.get("settings", {}))
        own: Layout | None = layout if text is None else "hidden_feature"
        W_out = tensors.pop(_UNTIED, None)
        tied = replace(settings, output_weights="tied")
        if settings == tied and W_out is not None:
            raise ArgumentError("it has W_out: must be W's, as x' = ReLU(Wᵀ h + b)")
        models = import_toy_model(**tensors, **others, settings=tied, layout=own)
        if settings == tied:
            return models
        if np.shape(W_out) != models.W.shape[1:]:
            raise ArgumentError(f"W_out has shape {np.shape(W_out)}: must be W's, {models.W.shape[1:]}")
        W_out = np.asarray(W_out, dtype=np.float32)[None]
        return replace(models, settings=replace(settings, record_steps=()), W_out=W_out)
    except (AttributeError, TypeError, ValueError, TrainingError) as error:
        raise ArtefactError(f"{path}: holds no toy model ({error})") from None


def exported_provenance(path: Path) -> dict[str, Any] | None:
    """Provenance in an exported toy model or in the cfg.json of an exported SAE; None for other files."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                text = (file.metadata() or {}).get(PROVENANCE_KEY, "{}")
            found = json.loads(text)
        elif path.name == _CONFIGURATION:
            found = json.loads(path.read_bytes())["metadata"][PROVENANCE_KEY]
        else:
            return None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError):
        return None
    # Results carry a checksum as well.
    return found if isinstance(found, dict) and "spec" in found and "checksum" not in found else None
