"""The toy model of superposition: h = W x, x' = ReLU(Wᵀ h + b), and an ensemble of trained ones.

Elhage et al. 2022, *Toy Models of Superposition*; shapes and settings as in ARENA 3.0, chapter 1.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.ensemble import Ensemble, ShortSettings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.sampling import magnitudes, stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES, MagnitudesName
from superposition_atlas.sampling.sample import sample

if TYPE_CHECKING:
    import pandas as pd
    import torch

InitScale = float | Literal["xavier", "unit"]
Output = Literal["relu", "linear"]
Bias = Literal["trained", "zero", "mean"] | tuple[float, ...]
Optimizer = Literal["adam", "adamw", "sgd"]
WeightDecay = float | Literal["default"]
LearningRateSchedule = Literal["constant", "linear", "cosine", "quarter_cosine"]

DEFAULT_DECAY = 0.01
"""Weight decay of torch.optim.AdamW."""


@dataclass(frozen=True, repr=False)
class TrainingSettings(ShortSettings):
    """What is trained beside the schedule, and how. Defaults are ARENA's.

    Raises:
        ArgumentError: if a value is out of its range; the message names it.
    """

    steps: int = 10_000
    """With 0 nothing is trained: the initial weights are the toy model."""
    batch_size: int = 1024
    """Fresh samples a step, for each instance by itself."""
    learning_rate: float = 1e-3
    init_scale: InitScale = "xavier"
    """Standard deviation of the initial W, or "xavier": sqrt(2 / (n_features + n_hidden)); or "unit": random
    directions of norm 1. It belongs to one instance and never depends on how many are trained together."""
    optimizer: Optimizer = "adam"
    """As in torch.optim: Adam and AdamW with β₁ = 0.9, β₂ = 0.999, ε = 1e-8; SGD with `momentum`."""
    weight_decay: WeightDecay = "default"
    """Of W and a trained b: decoupled for adamw, a part of the gradient for sgd; adam has none. "default" is
    that of torch.optim, .01 with adamw and 0 with sgd, and becomes this number."""
    momentum: float = 0.0
    """Of sgd alone, in [0, 1)."""
    learning_rate_schedule: LearningRateSchedule = "constant"
    """What the rate is multiplied with after the warm-up: 1; 1 - t or (1 + cos πt) / 2, which are 0 after the
    last step; or cos(πt / 2), which is 0 at the last step, as in the notebooks of Anthropic and ARENA."""
    warmup_steps: int = 0
    """First steps, over which the rate rises in equal parts to its full height; fewer than `steps`."""
    output: Output = "relu"
    """x' = ReLU(z) or x' = z, of z = Wᵀ h + b."""
    bias: Bias = "trained"
    """b is trained from 0, or stays as it is: 0 ("zero"), E x_i ("mean"), or one value a feature."""
    centred_inputs: bool = False
    """Whether h = W (x - E x) rather than W x. The target is x either way."""
    magnitudes: MagnitudesName = "uniform"
    """Distribution of an active feature's magnitude, a name in `magnitudes.MAGNITUDES`."""
    record_steps: tuple[int, ...] = ()
    """Numbers of steps taken (0 … steps) at which weights and losses are kept, see `History`."""

    def __post_init__(self) -> None:
        self._set("steps", arguments.integer("steps", self.steps, least=0, most=2**32 - 1))
        self._set("batch_size", arguments.integer("batch_size", self.batch_size, most=arguments.LARGEST_SIZE))
        self._set("learning_rate", arguments.number("learning_rate", self.learning_rate, above=0))
        if not isinstance(self.init_scale, str) or self.init_scale not in ("xavier", "unit"):
            self._set("init_scale", arguments.number("init_scale", self.init_scale, above=0))
        arguments.choice("optimizer", self.optimizer, get_args(Optimizer))
        if isinstance(self.weight_decay, str) and self.weight_decay == "default":
            self._set("weight_decay", DEFAULT_DECAY if self.optimizer == "adamw" else 0.0)
        self._set("weight_decay", arguments.number("weight_decay", self.weight_decay, least=0))
        if self.optimizer == "adam" and float(self.weight_decay) > 0:
            raise ArgumentError(f"weight_decay is {self.weight_decay}: must be 0 with adam; adamw decays")
        self._set("momentum", arguments.number("momentum", self.momentum, least=0))
        if self.momentum >= 1 or (self.momentum > 0 and self.optimizer != "sgd"):
            raise ArgumentError(f"momentum is {self.momentum}: must be below 1 with sgd, else 0")
        arguments.choice(
            "learning_rate_schedule", self.learning_rate_schedule, get_args(LearningRateSchedule)
        )
        self._set("warmup_steps", arguments.integer("warmup_steps", self.warmup_steps, least=0))
        if self.warmup_steps and self.warmup_steps >= self.steps:
            raise ArgumentError(f"warmup_steps is {self.warmup_steps}: must be below steps ({self.steps})")
        arguments.choice("output", self.output, get_args(Output))
        self._check_bias()
        arguments.choice("magnitudes", self.magnitudes, magnitudes.NAMES)
        self._set("centred_inputs", arguments.flag("centred_inputs", self.centred_inputs))
        self._set("record_steps", arguments.record_steps(self.record_steps, self.steps))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the one way where a dataclass is frozen

    def _check_bias(self) -> None:
        if isinstance(self.bias, str):
            arguments.choice("bias", self.bias, ("trained", "zero", "mean"))
            return
        values = arguments.several("bias", self.bias)
        self._set("bias", tuple(arguments.number("a value of bias", value) for value in values))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        lists: dict[str, Any] = {"record_steps": list(self.record_steps)}
        if not isinstance(self.bias, str):
            lists["bias"] = list(self.bias)
        return asdict(self) | lists


@dataclass(frozen=True)
class History:
    """What was recorded while toy models were trained: as many records as `record_steps` asks for."""

    steps: Integer[np.ndarray, " record"]
    """Numbers of steps taken: 0 is the start, `settings.steps` the end."""
    W: Float[np.ndarray, "record instance hidden feature"]
    b: Float[np.ndarray, "record instance feature"]
    feature_loss: Float[np.ndarray, "record instance feature"]
    """I_i E(x_i - x'_i)² over a held-out batch, the same for all records of an instance (float64)."""

    @property
    def loss(self) -> Float[np.ndarray, "record instance"]:
        """Mean over the features, as in training."""
        return np.asarray(self.feature_loss.mean(axis=-1))


@dataclass(frozen=True, repr=False, eq=False)
class ToyModels(Ensemble):
    """An ensemble of toy models. Arrays share their first axis, the instance; float32 unless said.

    `models[3]`, `models[2:5]`, `models[[0, 4]]` and iteration give smaller ensembles.
    """

    W: Float[np.ndarray, "instance hidden feature"]
    b: Float[np.ndarray, "instance feature"]
    loss: Float[np.ndarray, " instance"]
    """Mean training loss of the last 100 steps (float64, NaN with no steps): I_i (x_i - x'_i)², mean over
    batch and features."""
    seeds: Integer[np.ndarray, " instance"]
    importance: Float[np.ndarray, "instance feature"]
    probability: Float[np.ndarray, "instance feature"]
    settings: TrainingSettings
    engine: str
    history: History | None = None
    """None unless `record_steps` were asked for."""

    def __len__(self) -> int:
        return len(self.W)

    def encode(
        self, x: Float[np.ndarray, "#instance batch feature"]
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h, float32, of x [instance, batch, feature] or [batch, feature], the same for all toy models.

        Raises:
            ArgumentError: if x has another shape, or a value that is not finite.
        """
        x = arguments.batches("x", x, len(self), self.n_features)
        return encode(x - centre(self.probability, self.settings)[:, None, :], self.W)

    def reconstruct(
        self, x: Float[np.ndarray, "#instance batch feature"]
    ) -> Float[np.ndarray, "instance batch feature"]:
        """x', float32; x and errors as those of `encode`."""
        return reconstruct(self.encode(x), self.W, self.b, self.settings.output)

    def sample(
        self, step: int, batch_size: int, purpose: stream.Purpose = stream.Purpose.EVALUATION
    ) -> Float[np.ndarray, "instance batch feature"]:
        """Inputs x as each toy model is made for, float32, from its own seed's stream.

        Args and errors as those of `sa.sample`.
        """
        return sample(self.seeds, step, batch_size, self.probability, purpose, self.settings.magnitudes)

    def select(self, instances: Integer[np.ndarray, " chosen"] | slice | Sequence[int] | int) -> "ToyModels":
        """Some of the toy models, by index (a slice, one index or more, or a mask).

        Raises:
            ArgumentError: if there is no such toy model.
        """
        instances = arguments.positions("instances", instances, len(self))
        arrays = {name: getattr(self, name)[instances] for name in TENSORS}
        if self.history is None:
            return replace(self, **arrays)
        recorded = {name: getattr(self.history, name)[:, instances] for name in HISTORY_TENSORS}
        return replace(self, **arrays, history=replace(self.history, **recorded))

    # By name: what trains toy models must not be rebuilt where a metric changes.
    def to_frame(self, level: Literal["both", "models", "features"] = "both") -> "pd.DataFrame":
        """What is measured of the toy models, in the columns of the pipeline's tables.

        Args:
            level: "models" (one row a toy model), "features" (one row a feature of a toy model), or "both":
                the rows of "features", with `instance` and with the columns of "models" beside.

        Raises:
            ArgumentError: if `level` is none of these.
        """
        frame: pd.DataFrame = import_module("superposition_atlas.metrics.frames").models_frame(self, level)
        return frame

    def to_torch(self) -> "torch.nn.Module":
        """The toy models as one torch module: parameters `W` and `b`, forward from x to x', `encode` to h."""
        module: torch.nn.Module = import_module("superposition_atlas.storage.torch_module").as_module(self)
        return module

    def summary(self) -> dict[str, object]:
        """What the repr says."""
        return {
            "toy models": len(self),
            "features": self.n_features,
            "hidden": self.n_hidden,
            "steps": self.settings.steps,
            "loss": f"{np.median(self.loss):.4g} (median)" if np.isfinite(self.loss).any() else "unknown",
            "engine": self.engine,
        }

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions, m."""
        return self.W.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.W.shape[2]


TENSORS = ("W", "b", "loss", "seeds", "importance", "probability")
"""The arrays of `ToyModels`, all with the instance as first axis."""

HISTORY_TENSORS = ("W", "b", "feature_loss")
"""The arrays of `History`, all with record and instance as first axes."""


def joined(ensembles: Sequence[ToyModels]) -> ToyModels:
    """Several ensembles of one size, one way of training and one engine as one, in this order."""
    filled = [one for one in ensembles if len(one)] or ensembles[:1]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in filled]) for name in TENSORS
    }
    histories = [one.history for one in filled if one.history is not None]
    if not histories:
        return replace(filled[0], **arrays)
    recorded = {
        name: np.concatenate([getattr(one, name) for one in histories], axis=1) for name in HISTORY_TENSORS
    }
    return replace(filled[0], **arrays, history=replace(histories[0], **recorded))


def no_models(n_features: int, n_hidden: int, settings: TrainingSettings, engine: str) -> ToyModels:
    """An ensemble without toy models, and without what they would have recorded."""
    values = np.zeros((0, n_features))
    return ToyModels(
        W=np.zeros((0, n_hidden, n_features), dtype=np.float32),
        b=values.astype(np.float32),
        loss=values[:, 0],
        seeds=np.zeros(0, dtype=np.uint64),
        importance=values,
        probability=values,
        settings=replace(settings, record_steps=()),
        engine=engine,
    )


def xavier_scale(n_features: int, n_hidden: int) -> float:
    """Xavier's normal scale of one instance's W, sqrt(2 / (n + m)) (Glorot and Bengio 2010)."""
    return sqrt(2.0 / (n_features + n_hidden))


def initial_weights(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    n_features: int,
    n_hidden: int,
    init_scale: InitScale,
) -> Float[np.ndarray, "instance hidden feature"]:
    """W of each seed by itself: normal, or with "unit" columns that are uniform on the sphere."""
    normal = stream.standard_normal(seeds, 0, n_hidden, n_features, stream.Purpose.INITIAL_WEIGHTS)
    if init_scale == "unit":
        return (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32)
    scale = xavier_scale(n_features, n_hidden) if init_scale == "xavier" else float(init_scale)
    return (scale * normal).astype(np.float32)


def mean_inputs(
    probability: Float[np.ndarray, "*instance feature"], magnitudes: MagnitudesName
) -> Float[np.ndarray, "*instance feature"]:
    """E x_i = p_i E a (float64)."""
    return np.asarray(probability, dtype=np.float64) * MAGNITUDES[magnitudes].mean


def initial_bias(
    probability: Float[np.ndarray, "instance feature"], settings: TrainingSettings
) -> Float[np.ndarray, "instance feature"]:
    """b before the first step, float32; where `settings.bias` is not "trained" it stays so.

    Raises:
        ArgumentError: if `settings.bias` has another number of values than there are features.
    """
    b = np.zeros(probability.shape, dtype=np.float32)
    if settings.bias == "mean":
        b[...] = mean_inputs(probability, settings.magnitudes)
    elif not isinstance(settings.bias, str):
        if len(settings.bias) != probability.shape[-1]:
            raise ArgumentError(
                f"bias has {len(settings.bias)} values: must have one for each of the "
                f"{probability.shape[-1]} features"
            )
        b[...] = settings.bias
    return b


def centre(
    probability: Float[np.ndarray, "*instance feature"], settings: TrainingSettings
) -> Float[np.ndarray, "*instance feature"]:
    """What the model takes off its inputs, float32: E x if they are centred, else 0."""
    if not settings.centred_inputs:
        return np.zeros(np.shape(probability), dtype=np.float32)
    return mean_inputs(probability, settings.magnitudes).astype(np.float32)


def encode(
    x: Float[np.ndarray, "instance batch feature"], W: Float[np.ndarray, "instance hidden feature"]
) -> Float[np.ndarray, "instance batch hidden"]:
    """h = W x, of inputs that are centred already where the model wants it."""
    return x @ W.swapaxes(-1, -2)


def reconstruct(
    h: Float[np.ndarray, "instance batch hidden"],
    W: Float[np.ndarray, "instance hidden feature"],
    b: Float[np.ndarray, "instance feature"],
    output: Output = "relu",
) -> Float[np.ndarray, "instance batch feature"]:
    """x' = ReLU(Wᵀ h + b), or without the ReLU."""
    z = h @ W + b[:, None, :]
    return np.maximum(z, 0.0) if output == "relu" else z
