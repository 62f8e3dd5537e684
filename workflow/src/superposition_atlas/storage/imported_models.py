"""Toy models that were trained elsewhere, as ensembles that metrics, figures and `train_saes` take.

Layouts of W that are in use: [hidden, feature] (ARENA's chapter, `nn.Linear`, this package) and
[feature, hidden] (Anthropic's notebook and what follows it); ensembles have the instance in front.
They are told apart by the number of features, which b, probability and importance say. Where nothing says it,
the caller must: a toy model is never transposed by a guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, ArtefactError, value_text
from superposition_atlas.storage.file_kinds import require_file
from superposition_atlas.storage.imported_settings import ImportedSettings
from superposition_atlas.toy_model import ToyModels, TrainingSettings

Layout = Literal["hidden_feature", "feature_hidden"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_WEIGHTS = {"W": None, "w": None, "linear1.weight": "hidden_feature"}
"""Names of W, each with the layout that it always has, if any: `nn.Linear` has [out, in]."""
_BIASES = ("b_final", "b", "bias", "linear2.bias")
_UNTIED = ("linear2.weight", "W_out", "W_dec")
_OF_HIDDEN = ("linear1.bias",)
_SCHEDULE = {"probability": ("probability", "feature_probability"), "importance": ("importance",)}
_TIED = 1e-5
"""Largest difference of two matrices that are the same up to rounding."""


@dataclass
class _Found:
    """What a source holds of a toy model; None what it does not."""

    W: Any
    b: Any = None
    probability: Any = None
    importance: Any = None
    layout: Layout | None = None


def import_toy_models(
    source: ArrayLike | Mapping[str, Any] | str | Path,
    b: ArrayLike | None = None,
    *,
    probability: ArrayLike | None = None,
    importance: ArrayLike | None = None,
    layout: Layout | None = None,
    n_features: int | None = None,
    seeds: Iterable[int] | int | None = None,
    loss: ArrayLike | None = None,
    engine: str = "imported",
    settings: TrainingSettings | None = None,
) -> ToyModels:
    """Toy models from elsewhere, one or an ensemble.

    Args:
        source: weights W of one toy model, [hidden, feature] or [feature, hidden], or of an ensemble, with
            the instance in front; or a state dict, a torch module, or a .safetensors file that holds them as
            `W`, `w` or `linear1.weight`, beside b as `b_final`, `b`, `bias` or `linear2.bias`. Parameters may
            require grad and lie on a GPU. Kept in float32.
        b: bias, [feature] or [instance, feature], or one number; default: what the source has, else 0.
        probability: in (0, 1], as b; default: what the source has.
        importance: at least 0, as b; default: what the source has, else 1.
        layout: "hidden_feature" (ARENA) or "feature_hidden" (Anthropic's notebook). It may be left out where
            the number of features tells it.
        n_features: number of features, where nothing else says it.
        seeds: one an instance, of the streams that their samples come from; default 0, 1, 2, …
        loss: mean training loss, [instance], if it is known.
        engine: what trained them.
        settings: how they were trained; output, hidden, centred_inputs and magnitudes decide what they
            compute and on what; output weights are tied. Left out, x' = ReLU(Wᵀ W x + b) and U[0, 1] are
            taken, and nothing is claimed of the training. Nothing recorded comes with them: record_steps do
            not count.

    Raises:
        ArgumentError: if an argument is not as above, if the layout can't be told, or if the source computes
            something else than h = W x, x' = ReLU(Wᵀ h + b).
        ArtefactError: if the source is a file that is missing or no safetensors.
    """
    found, name = _found(source)
    given = {"b": b, "probability": probability, "importance": importance}
    values = {name: getattr(found, name) if value is None else value for name, value in given.items()}
    if values["probability"] is None:
        raise ArgumentError("probability is missing: must be a number in (0, 1], or one a feature")
    W = arguments.numbers(
        name, found.W, "weights, [instance, hidden, feature] or [hidden, feature]", ndim=(2, 3)
    )
    W = W if W.ndim == 3 else W[None]
    least = {"b": None, "probability": None, "importance": 0}
    above = {"b": None, "probability": 0, "importance": None}
    arrays = {
        name: arguments.numbers(
            name,
            (0.0 if name == "b" else 1.0) if value is None else value,
            "one number, [feature] or [instance, feature]",
            ndim=(0, 1, 2),
            least=least[name],
            above=above[name],
            most=1 if name == "probability" else np.inf,
        )
        for name, value in values.items()
    }
    sizes = {name: array.shape[-1] for name, array in arrays.items() if array.ndim}
    if n_features is not None:
        sizes["n_features"] = arguments.size("n_features", n_features)
    W = _as_hidden_feature(W, found.layout if layout is None else layout, sizes)
    return _ensemble(W, arrays, seeds, loss, engine, settings)


def import_toy_model(
    W: Float[np.ndarray, "hidden feature"] | Float[np.ndarray, "feature hidden"],
    b: Float[np.ndarray, " feature"] | float | None = None,
    *,
    probability: Float[np.ndarray, " feature"] | float,
    importance: Float[np.ndarray, " feature"] | float = 1.0,
    seed: int = 0,
    loss: float | None = None,
    engine: str = "imported",
    settings: TrainingSettings | None = None,
    layout: Layout | None = None,
    n_features: int | None = None,
) -> ToyModels:
    """One toy model from elsewhere as an ensemble of one; see `import_toy_models` for more than one.

    Args:
        W: weights; kept in float32.
        b: bias, one number or one a feature, default 0; kept in float32.
        probability: in (0, 1], one number or one a feature.
        importance: at least 0, one number or one a feature.
        seed: of the stream that its samples come from, 0 ≤ seed < 2^64.
        loss: mean training loss, if it is known.
        engine: what trained it.
        settings: what it was trained for, see `import_toy_models`.
        layout: "hidden_feature" or "feature_hidden"; may be left out where the number of features tells it.
        n_features: number of features, where nothing else says it.

    Raises:
        ArgumentError: if an argument is not as above, or if the layout can't be told.
    """
    allowed = "[hidden, feature] or [feature, hidden], of one toy model"
    return import_toy_models(
        {"W": arguments.numbers("W", W, allowed, ndim=(2,))},
        b,
        probability=probability,
        importance=importance,
        layout=layout,
        n_features=n_features,
        seeds=[arguments.integer("seed", seed, least=0, most=2**64 - 1)],
        loss=None if loss is None else [arguments.number("loss", loss)],
        engine=engine,
        settings=settings,
    )


def _as_hidden_feature(
    W: Float[np.ndarray, "instance first second"], layout: Any, sizes: Mapping[str, int]
) -> Float[np.ndarray, "instance hidden feature"]:
    """W with the features last.

    Args:
        W: as it was given.
        layout: as it was given.
        sizes: numbers of features, by what says so.
    """
    shape = W.shape[1:]
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ArgumentError(f"{listed} features: must be the same number, and that of W of shape {shape}")
    name, n_features = next(iter(sizes.items()), ("", None))
    if layout is not None:
        arguments.choice("layout", layout, LAYOUTS)
        features = shape[1] if layout == "hidden_feature" else shape[0]
        if n_features not in (None, features):
            raise ArgumentError(
                f"{name} has {n_features} features: must have {features}, those of W {shape} as {layout}"
            )
    elif n_features is not None and n_features not in shape:
        raise ArgumentError(f"{name} has {n_features} features: must be an axis of W, of shape {shape}")
    elif n_features is not None and shape[0] != shape[1]:
        layout = "hidden_feature" if shape[1] == n_features else "feature_hidden"
    else:
        raise ArgumentError(
            f'layout is missing: must be "hidden_feature" or "feature_hidden", as W {shape} may be either'
        )
    W = W if layout == "hidden_feature" else W.swapaxes(1, 2)
    return np.ascontiguousarray(W)


def _ensemble(
    W: Float[np.ndarray, "instance hidden feature"],
    arrays: Mapping[str, np.ndarray],
    seeds: Any,
    loss: Any,
    engine: Any,
    settings: Any,
) -> ToyModels:
    n, _, n_features = W.shape
    for name, array in arrays.items():
        if array.ndim == 2 and len(array) not in (1, n):
            raise ArgumentError(f"{name} has {len(array)} rows: must have one a toy model, {n}")
    rows = {name: np.broadcast_to(array, (n, n_features)).copy() for name, array in arrays.items()}
    float32 = {"W": W, "b": rows["b"]}
    for name, array in float32.items():
        with np.errstate(over="ignore"):
            float32[name] = arguments.numbers(name, array, dtype=np.float32)
    chosen = arguments.seeds("seeds", n if seeds is None else seeds)
    if len(chosen) != n:
        raise ArgumentError(f"seeds has {len(chosen)} values: must have one a toy model, {n}")
    losses = (
        np.full(n, nan)
        if loss is None
        else arguments.numbers("loss", loss, "one number a toy model", ndim=(1,))
    )
    if len(losses) != n:
        raise ArgumentError(f"loss has {len(losses)} values: must have one a toy model, {n}")
    arguments.instance("engine", engine, str, "a word, of what trained them")
    if settings is not None:
        arguments.instance("settings", settings, TrainingSettings, "TrainingSettings")
        if settings.output_weights != "tied":
            raise ArgumentError("output_weights of settings is 'untied': must be 'tied' where imported")
    return ToyModels(
        W=float32["W"],
        b=float32["b"],
        loss=losses,
        seeds=chosen,
        importance=rows["importance"],
        probability=rows["probability"],
        settings=replace(settings or ImportedSettings(), record_steps=()),
        engine=engine,
    )


# --- what a source holds -----------------------------------------------------------------------------------


def _found(source: Any) -> tuple[_Found, str]:
    """The parts of a toy model in whatever was given, and what W is called in a message."""
    if isinstance(source, str | Path):
        return _of_mapping(tensors_of(arguments.path("source", source)), str(source)), "W"
    if isinstance(source, Mapping):
        return _of_mapping(source, "source"), "W"
    if not callable(getattr(source, "state_dict", None)):
        return _Found(source), "source"
    found = _of_mapping(source.state_dict(), "source")
    for name, others in _SCHEDULE.items():
        if getattr(found, name) is None:
            held = [getattr(source, other, None) for other in others]
            setattr(found, name, next((value for value in held if value is not None), None))
    return found, "W"


def _of_mapping(tensors: Mapping[str, Any], name: str) -> _Found:
    """The parts of a toy model by their names, of which some prefix may be common to all."""
    named = {str(key).removeprefix(_prefix(tensors)): value for key, value in tensors.items()}
    weights = [key for key in _WEIGHTS if key in named]
    biases = [key for key in _BIASES if key in named]
    listed = value_text(", ".join(map(str, tensors)) or "nothing")
    if len(weights) != 1 or len(biases) > 1:
        what, allowed = ("W", _WEIGHTS) if len(weights) != 1 else ("b", _BIASES)
        raise ArgumentError(f"{name} holds {listed}: must have one {what}, called {' or '.join(allowed)}")
    W = named[weights[0]]
    for key in _UNTIED:
        if key in named:
            _require_tied(arguments.numbers(weights[0], W), arguments.numbers(key, named[key]), key)
    for key in _OF_HIDDEN:
        if key in named and np.any(arguments.numbers(key, named[key])):
            raise ArgumentError(f"{key} is not 0: must be, as h = W x has no bias")
    others = {
        part: next((named[key] for key in keys if key in named), None) for part, keys in _SCHEDULE.items()
    }
    layout: Any = _WEIGHTS[weights[0]]
    return _Found(W, named[biases[0]] if biases else None, **others, layout=layout)


def _prefix(tensors: Mapping[str, Any]) -> str:
    """What stands before the last dot of W's name: `model.` of `model.W`."""
    for key in map(str, tensors):
        for name in _WEIGHTS:
            if key.endswith(f".{name}"):
                return key.removesuffix(name)
    return ""


def _require_tied(encoder: np.ndarray, decoder: np.ndarray, name: str) -> None:
    transposed = encoder.swapaxes(-1, -2)
    if not any(
        one.shape == decoder.shape and np.allclose(one, decoder, rtol=0, atol=_TIED)
        for one in (transposed, encoder)
    ):
        raise ArgumentError(f"{name} is not the transpose of W: must be, as x' = ReLU(Wᵀ h + b)")


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file.

    Raises:
        ArtefactError: if it is missing or no safetensors.
    """
    require_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
    except (SafetensorError, OSError, TypeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise ArtefactError(f"{path}: not a safetensors file of numbers ({line})") from None
