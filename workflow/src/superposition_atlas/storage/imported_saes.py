"""SAEs that were trained elsewhere, as ensembles that the ground-truth metrics measure beside this package's.

Layouts: SAELens' folder (cfg.json of version 6 or of version 3 to 5, and sae_weights.safetensors), the
parameters of dictionary_learning's classes, arrays under the names that this package has, and functions.
An import computes what its source does: where the encoder does not subtract b_dec, b_enc takes that over, and
scales go into the rows of W_dec. `sae/architectures/external.py` has the formulas.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, value_text
from superposition_atlas.sae.ensemble import Functions, SAEs, SAESettings
from superposition_atlas.sae.settings import EXTERNAL
from superposition_atlas.storage.sae_files import read_saes
from superposition_atlas.storage.sae_folders import FORMS, Form, read_folder

_LEAST_THRESHOLD = 1e-30
"""Thresholds below do the same: a latent that is not positive never fires."""

_NAMES = {
    "W_enc": "W_enc",
    "W_dec": "W_dec",
    "encoder.weight": "W_enc",
    "decoder.weight": "W_dec",
    "b_enc": "b_enc",
    "encoder.bias": "b_enc",
    "b_gate": "b_enc",
    "gate_bias": "b_enc",
    "b_dec": "b_dec",
    "bias": "b_dec",
    "decoder_bias": "b_dec",
    "decoder.bias": "b_dec",
    "r_mag": "r_mag",
    "b_mag": "b_mag",
    "mag_bias": "b_mag",
    "threshold": "threshold",
    "log_threshold": "log_threshold",
    "k": "k",
    "scaling_factor": "scaling_factor",
}
"""Names of parameters elsewhere, and here; `nn.Linear` has [out, in]."""
_TRANSPOSED = ("encoder.weight", "decoder.weight")
_IGNORED = ("group_sizes", "group_weights", "activation_fn.k")


def import_saes(
    source: Any,
    decoder: Callable[..., Any] | None = None,
    *,
    n_hidden: int | None = None,
    n_latents: int | None = None,
    architecture: Form | None = None,
    k: int | None = None,
    apply_b_dec_to_input: bool | None = None,
    seeds: Iterable[int] | int | None = None,
    engine: str = "imported",
) -> SAEs:
    """SAEs from elsewhere, one for each toy model in turn; `sa.evaluate(models, saes)` scores them.

    One SAE for n toy models is `import_saes([source] * n)`.

    Args:
        source: one SAE or a list of them, the n-th for the n-th toy model. Each is a folder of SAELens
            (cfg.json, sae_weights.safetensors), a folder of dictionary_learning (config.json and its
            parameters as ae.safetensors), a state dict or mapping of arrays, an object with `encode` and
            `decode`, or an encoder, a function of [batch, hidden] to [batch, latent]. A mapping may hold an
            ensemble, with the instance in front. A file that `sa.save` wrote is read as it is.
        decoder: where `source` is an encoder: from [batch, latent] to [batch, hidden].
        n_hidden: number of hidden dimensions, for functions.
        n_latents: number of latents, for functions where nothing else says it.
        architecture: what arrays compute: `relu`, `topk`, `jumprelu`, `gated` or `batch_topk`; may be left
            out where the source or the names of its parameters say it.
        k: active latents of `topk`, where the source has none.
        apply_b_dec_to_input: whether the encoder subtracts b_dec, where the source does not say it.
        seeds: one a toy model, of the streams of samples that SAEs are measured on; default 0, 1, 2, …
        engine: what trained them.

    Raises:
        ArgumentError: if an argument is not as above, or if the source computes something else.
        ArtefactError: if a file is missing, damaged, or of a kind that could run code.
    """
    arguments.instance("engine", engine, str, "a word, of what trained them")
    if architecture is not None:
        arguments.choice("architecture", architecture, FORMS)
    sizes = {"k": k, "n_hidden": n_hidden, "n_latents": n_latents}
    checked = {key: None if size is None else arguments.size(key, size) for key, size in sizes.items()}
    subtracts = apply_b_dec_to_input
    if subtracts is not None:
        subtracts = arguments.flag("apply_b_dec_to_input", subtracts)
    told = _Told(form=architecture, subtracts=subtracts, decoder=decoder, **checked)
    sources = source if isinstance(source, list | tuple) else [source]
    if not sources:
        raise ArgumentError("source is empty: must have at least one SAE")
    parts = [_imported(one, told, engine) for one in sources]
    saes = parts[0] if len(parts) == 1 else _joined(parts)
    if seeds is None:
        return saes
    chosen = arguments.seeds("seeds", seeds)
    if len(chosen) != len(saes):
        raise ArgumentError(f"seeds has {len(chosen)} values: must have one an SAE, {len(saes)}")
    return replace(saes, seeds=chosen)


@dataclass(frozen=True)
class _Told:
    """What the caller says of sources that do not say it themselves."""

    form: Form | None
    k: int | None
    subtracts: bool | None
    decoder: Callable[..., Any] | None
    n_hidden: int | None
    n_latents: int | None


def _imported(source: Any, told: _Told, engine: str) -> SAEs:
    if isinstance(source, SAEs):
        return source
    if isinstance(source, str | Path):
        path = arguments.path("source", source)
        if path.is_file() and path.suffix == ".safetensors":
            return read_saes(path)
        found = read_folder(path)
        told = replace(
            told,
            form=told.form or found.form,
            k=found.k if told.k is None else told.k,
            subtracts=found.subtracts if told.subtracts is None else told.subtracts,
        )
        return _of_arrays(found.tensors, told, engine, str(path))
    if isinstance(source, Mapping):
        return _of_arrays(source, told, engine, "source")
    if callable(getattr(source, "encode", None)) and callable(getattr(source, "decode", None)):
        return _of_functions(source.encode, source.decode, source, told, engine)
    if callable(source):
        if not callable(told.decoder):
            raise ArgumentError("decoder is missing: must be a function where source is an encoder")
        return _of_functions(source, told.decoder, source, told, engine)
    allowed = "a folder, a mapping of arrays, an object with encode and decode, a function, or a list of such"
    raise arguments.not_allowed_type("source", source, allowed)


# --- arrays ------------------------------------------------------------------------------------------------


def _of_arrays(source: Mapping[str, Any], told: _Told, engine: str, name: str) -> SAEs:
    found = _named(source, name)
    form = told.form or _form_of(found)
    parameters = _checked(found)
    n, _, n_latents = parameters["W_enc"].shape
    k = _active(found.get("k") if told.k is None else told.k, n, n_latents) if form == "topk" else n_latents
    subtracts = told.subtracts
    if subtracts is None:
        if "W_enc" in source and "threshold" in source and np.any(parameters["b_dec"]):
            raise ArgumentError(
                "apply_b_dec_to_input is missing: must be True (SAELens) or False (dictionary_learning)"
            )
        subtracts = True
    if not subtracts:
        shift = np.einsum("kh,khl->kl", parameters["b_dec"], parameters["W_enc"])
        for bias in ("b_enc", "b_mag"):
            if bias in parameters:
                scale = np.exp(parameters["r_mag"]) if bias == "b_mag" else 1.0
                parameters[bias] = parameters[bias] + shift * scale
    for needed, forms in (("r_mag", ("gated",)), ("log_threshold", ("jumprelu", "batch_topk"))):
        if form in forms and needed not in parameters:
            raise ArgumentError(f"{name} has no {needed.removeprefix('log_')}: must have one, as {form} does")
        if form not in forms:
            parameters.pop(needed, None)
    return _ensemble(
        {key: np.ascontiguousarray(array, dtype=np.float32) for key, array in parameters.items()},
        np.broadcast_to(k, n).astype(np.int64),
        engine,
    )


def _active(k: Any, n: int, n_latents: int) -> np.ndarray:
    """Active latents a sample of each SAE."""
    if k is None:
        raise ArgumentError("k is missing: must be the number of latents that are active a sample")
    array = arguments.numbers("k", k, "an integer, or one an SAE", ndim=(0, 1))
    if array.shape not in ((), (1,), (n,)) or np.any(array < 1) or np.any(array > n_latents):
        raise ArgumentError(f"k is {value_text(k)}: must be from 1 to {n_latents}, the number of latents")
    return array


def _named(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Parameters by this package's names, weights as [hidden, latent] and [latent, hidden]."""
    found: dict[str, Any] = {}
    for key, value in source.items():
        if key in _IGNORED:
            continue
        if key not in _NAMES or _NAMES[key] in found:
            listed = value_text(", ".join(map(str, source)))
            raise ArgumentError(f"{name} holds {key!r} among {listed}: must be parameters of one SAE")
        found[_NAMES[key]] = value
        if key in _TRANSPOSED:
            found[_NAMES[key]] = np.swapaxes(arguments.numbers(key, value, ndim=(2, 3)), -1, -2)
    for needed in ("W_enc", "W_dec"):
        if needed not in found:
            raise ArgumentError(f"{name} has no {needed}: must have one, under that name or as nn.Linear")
    return found


def _form_of(found: Mapping[str, Any]) -> Form:
    if "r_mag" in found:
        return "gated"
    if "k" in found and "threshold" in found:
        raise ArgumentError(
            "architecture is missing: must be topk or batch_topk, as the source may be either"
        )
    if "k" in found:
        return "topk"
    return "jumprelu" if "threshold" in found or "log_threshold" in found else "relu"


def _checked(found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays [instance, …] in float64, all of one size; biases that are missing are 0."""
    W_enc = _stacked("W_enc", found["W_enc"], 2)
    W_dec = _stacked("W_dec", found["W_dec"], 2)
    n, n_hidden, n_latents = W_enc.shape
    if W_dec.shape != (n, n_latents, n_hidden):
        allowed = f"[latent, hidden] where W_enc is [hidden, latent], {W_enc.shape[1:]}"
        raise ArgumentError(f"W_dec has shape {W_dec.shape[1:]}: must be {allowed}")
    arrays = {"W_enc": W_enc, "W_dec": W_dec}
    for name, size in (("b_enc", n_latents), ("b_dec", n_hidden), ("r_mag", n_latents), ("b_mag", n_latents)):
        if name in found:
            arrays[name] = _stacked(name, found[name], 1)
        elif name in ("b_enc", "b_dec"):
            arrays[name] = np.zeros((n, size))
        if name in arrays and arrays[name].shape != (n, size):
            raise ArgumentError(f"{name} has shape {arrays[name].shape[1:]}: must be ({size},)")
    if "log_threshold" in found:
        arrays["log_threshold"] = _stacked("log_threshold", found["log_threshold"], 1)
    elif "threshold" in found:
        threshold = arguments.numbers(
            "threshold", found["threshold"], "a number or one a latent", ndim=(0, 1, 2)
        )
        if threshold.shape[-1:] not in ((), (1,), (n_latents,)):
            raise ArgumentError(f"threshold has shape {threshold.shape}: must be ({n_latents},)")
        threshold = np.broadcast_to(threshold, (n, n_latents))
        arrays["log_threshold"] = np.log(np.maximum(threshold, _LEAST_THRESHOLD))
    if "scaling_factor" in found:
        arrays["W_dec"] = W_dec * _stacked("scaling_factor", found["scaling_factor"], 1)[:, :, None]
    return arrays


def _stacked(name: str, value: Any, ndim: int) -> Float[np.ndarray, " instance *shape"]:
    array = arguments.numbers(name, value, "an array of one SAE or of an ensemble", ndim=(ndim, ndim + 1))
    return array if array.ndim == ndim + 1 else array[None]


# --- functions ---------------------------------------------------------------------------------------------


def _of_functions(
    encode: Callable[..., Any], decode: Callable[..., Any], owner: Any, told: _Told, engine: str
) -> SAEs:
    if told.n_hidden is None:
        raise ArgumentError("n_hidden is missing: must be the number of hidden dimensions beside functions")
    is_module = callable(getattr(owner, "state_dict", None))
    encoder, decoder = (
        _called(function, is_module, name) for function, name in ((encode, "source"), (decode, "decoder"))
    )
    activations = encoder(np.zeros((2, told.n_hidden), dtype=np.float32))
    n_latents = activations.shape[-1]
    if activations.shape != (2, told.n_latents or n_latents):
        allowed = f"(2, {told.n_latents or 'latents'})"
        raise ArgumentError(f"source gives shape {activations.shape} for 2 samples: must be {allowed}")
    zero = decoder(np.zeros((1, n_latents), dtype=np.float32))
    each = decoder(np.eye(n_latents, dtype=np.float32))
    if each.shape != (n_latents, told.n_hidden):
        raise ArgumentError(f"decoder gives shape {each.shape}: must be ({n_latents}, {told.n_hidden})")
    parameters = {
        "W_enc": np.zeros((1, told.n_hidden, n_latents), dtype=np.float32),
        "W_dec": (each - zero)[None],
        "b_enc": np.zeros((1, n_latents), dtype=np.float32),
        "b_dec": zero,
    }
    return _ensemble(parameters, np.array([n_latents]), engine, (Functions(encoder, decoder),))


def _called(function: Callable[..., Any], is_module: bool, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function on float32 arrays; a torch module is called with a tensor, without a gradient."""

    def call(batch: np.ndarray) -> np.ndarray:
        if is_module:
            import torch

            with torch.no_grad():
                result = function(torch.from_numpy(np.ascontiguousarray(batch)))
        else:
            result = function(batch)
        return arguments.numbers(f"what {name} returns", result, "[batch, …]", ndim=(2,), dtype=np.float32)

    return call


# --- ensembles ---------------------------------------------------------------------------------------------


def _ensemble(
    parameters: Mapping[str, np.ndarray],
    k: np.ndarray,
    engine: str,
    functions: Sequence[Functions] = (),
) -> SAEs:
    n, _, n_latents = parameters["W_enc"].shape
    return SAEs(
        parameters=parameters,
        seeds=np.arange(n, dtype=np.uint64),
        toy_model=np.arange(n),
        sparsity_coefficient=np.zeros(n),
        k=k,
        settings=SAESettings(n_latents=n_latents, architecture=EXTERNAL),
        engine=engine,
        recorded_steps=np.zeros(0, dtype=np.int64),
        history={name: np.zeros((0, *array.shape), array.dtype) for name, array in parameters.items()},
        resampling_steps=np.zeros(0, dtype=np.int64),
        resampled=np.zeros((0, n, n_latents), dtype=bool),
        functions=tuple(functions),
    )


def _joined(parts: Sequence[SAEs]) -> SAEs:
    kinds = [
        (one.n_hidden, one.settings, set(one.parameters), bool(one.functions), one.engine) for one in parts
    ]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            allowed = "of one size and architecture"
            raise ArgumentError(f"source[{number}] differs from source[0]: must be {allowed}")
    first = parts[0]
    parameters = {name: np.concatenate([one.parameters[name] for one in parts]) for name in first.parameters}
    functions = [function for one in parts for function in one.functions]
    return _ensemble(parameters, np.concatenate([one.k for one in parts]), first.engine, functions)
