"""Folders of SAEs that other programs write: SAELens' and dictionary_learning's. Nothing in them is run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.imported_models import tensors_of

Form = Literal["relu", "topk", "jumprelu", "gated", "batch_topk"]
FORMS: tuple[Form, ...] = get_args(Form)

_OF_SAELENS: dict[str, Form] = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
}
_OF_CLASSES: dict[str, Form] = {
    "AutoEncoder": "relu",
    "AutoEncoderNew": "relu",
    "AutoEncoderTopK": "topk",
    "BatchTopKSAE": "batch_topk",
    "MatryoshkaBatchTopKSAE": "batch_topk",
    "JumpReluAutoEncoder": "jumprelu",
    "GatedAutoEncoder": "gated",
}
"""Classes of dictionary_learning."""
_PICKLED = "is a pickle, which could run code, and is not opened; write its parameters as ae.safetensors"


@dataclass(frozen=True)
class SAEFolder:
    """One SAE as its folder has it."""

    tensors: Mapping[str, Any]
    """Parameters by the names of the program that wrote them."""
    form: Form
    """What they compute."""
    k: int | None
    """Active latents a sample, where the folder says it."""
    subtracts: bool
    """Whether the encoder subtracts b_dec from its input."""


def read_folder(folder: Path) -> SAEFolder:
    """Reads a folder with cfg.json (SAELens) or config.json (dictionary_learning).

    Raises:
        ArtefactError: if it has neither, a file is missing or damaged, or its SAE is of another kind.
    """
    if (folder / "cfg.json").is_file():
        return _saelens(folder / "cfg.json")
    if (folder / "config.json").is_file():
        return _dictionary_learning(folder / "config.json")
    state = "holds no SAE" if folder.is_dir() else "is no folder"
    raise ArtefactError(
        f"{folder}: {state}: must have cfg.json (SAELens) or config.json (dictionary_learning)"
    )


def _saelens(path: Path) -> SAEFolder:
    configuration = _json(path)
    name, k = configuration.get("architecture") or "standard", configuration.get("k")
    # Versions 3 to 5 name the function, and have "standard" where it chooses the k largest.
    function = configuration.get("activation_fn_str", configuration.get("activation_fn", "relu"))
    if name == "standard" and function == "topk":
        name, k = "topk", (configuration.get("activation_fn_kwargs") or {}).get("k", k)
    elif function not in ("relu", "topk"):
        raise ArtefactError(f"{path}: activation_fn is {function!r}: must be relu or topk")
    if name not in _OF_SAELENS:
        raise ArtefactError(f"{path}: architecture is {name!r}: must be {', '.join(_OF_SAELENS)}")
    for key in ("normalize_activations", "reshape_activations"):
        if configuration.get(key) not in ("none", False, None):
            raise ArtefactError(f"{path}: {key} is {configuration[key]!r}: must be none, or in the weights")
    tensors = tensors_of(path.with_name("sae_weights.safetensors"))
    if configuration.get("rescale_acts_by_decoder_norm"):
        # It chooses latents by what they add: with rows of norm 1 that is the activation itself.
        norm = np.linalg.norm(tensors["W_dec"], axis=-1)
        tensors["W_enc"], tensors["b_enc"] = tensors["W_enc"] * norm, tensors["b_enc"] * norm
        tensors["W_dec"] = tensors["W_dec"] / norm[:, None]
    return SAEFolder(tensors, _OF_SAELENS[name], k, bool(configuration.get("apply_b_dec_to_input", True)))


def _dictionary_learning(path: Path) -> SAEFolder:
    configuration = _json(path)
    trainer = configuration.get("trainer", configuration)
    name = trainer.get("dict_class") if isinstance(trainer, Mapping) else None
    if name not in _OF_CLASSES:
        raise ArtefactError(f"{path}: dict_class is {name!r}: must be {', '.join(_OF_CLASSES)}")
    if not path.with_name("ae.safetensors").is_file() and path.with_name("ae.pt").is_file():
        raise ArtefactError(f"{path.with_name('ae.pt')}: {_PICKLED}")
    tensors = tensors_of(path.with_name("ae.safetensors"))
    return SAEFolder(tensors, _OF_CLASSES[name], trainer.get("k"), name != "JumpReluAutoEncoder")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: can't be read as JSON ({error})") from None
    if not isinstance(found, dict):
        raise ArtefactError(f"{path}: holds no JSON object")
    return found
