"""The toy model of superposition: h = W x, x' = ReLU(Wᵀ h + b), and an ensemble of trained ones.

Elhage et al. 2022, *Toy Models of Superposition*; shapes and settings as in ARENA 3.0, chapter 1. Its later
sections have h = ReLU(W x), output weights of their own in place of Wᵀ, and |x| as what is to be computed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN
from superposition_atlas.errors import SettingError
from superposition_atlas.objects.ensemble import Ensemble, ShortSettings
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES, MagnitudesName
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.settings.rules import DISTINCT, Length, Range, hold

if TYPE_CHECKING:
    import pandas as pd
    import torch

InitScale = Annotated[float, Range(above=0)] | Literal["xavier", "unit"]
Output = Literal["relu", "linear"]
Hidden = Literal["linear", "relu"]
OutputWeights = Literal["tied", "untied"]
Target = Literal["inputs", "absolute"]
Bias = Literal["trained", "zero", "mean", "densest_zero"] | Annotated[tuple[float, ...], Length(1)]
Optimizer = Literal["adam", "adamw", "sgd"]
WeightDecay = Annotated[float, Range(0)] | Literal["default"]
LearningRateSchedule = Literal["constant", "linear", "cosine", "quarter_cosine"]
RecordSteps = Annotated[tuple[Annotated[int, Range(0)], ...], DISTINCT]

DEFAULT_DECAY = 0.01
"""Weight decay of torch.optim.AdamW."""


@dataclass(frozen=True, repr=False)
class TrainingSettings(ShortSettings):
    """How toy models are trained. Defaults are ARENA's.

    Raises:
        SettingError: if a value is not allowed; the message names it.
    """

    steps: Annotated[int, Range(0, 2**32 - 1)] = 10_000
    """Number of training steps. With 0 nothing is trained: the toy models are their initial weights."""
    batch_size: Annotated[int, Range(1, 2**24)] = 1024
    """Fresh samples a step, for each toy model by itself."""
    learning_rate: Annotated[float, Range(above=0)] = 1e-3
    """Highest learning rate."""
    init_scale: InitScale = "xavier"
    """Standard deviation of one toy model's initial weights; `xavier` is √(2 / (n + m)). It never depends on
    how many toy models are trained together. `unit` makes each feature's weights a random direction of norm
    1: with 0 steps, a known dictionary for SAEs."""
    optimizer: Optimizer = "adam"
    """Optimizer as in torch.optim, with β₁ = 0.9, β₂ = 0.999, ε = 1e-8."""
    weight_decay: WeightDecay = "default"
    """Weight decay of `adamw` (decoupled) and `sgd` (a part of the gradient); `default` is that of
    torch.optim, .01 with `adamw` and 0 with `sgd`."""
    momentum: Annotated[float, Range(0)] = 0.0
    """Momentum of `sgd`, below 1."""
    learning_rate_schedule: LearningRateSchedule = "constant"
    """Course of the learning rate after the warm-up: `constant`, or falling to 0, `linear`, by half a
    `cosine` wave, (1 + cos πt) / 2, or by a `quarter_cosine` wave, cos(πt / 2), which is 0 at the last step,
    as in the notebooks of Anthropic and ARENA."""
    warmup_steps: Annotated[int, Range(0)] = 0
    """First steps, over which the learning rate rises linearly; fewer than `steps`."""
    output: Output = "relu"
    """The toy model's last function: `relu`, or `linear` for none."""
    hidden: Hidden = "linear"
    """Function of the hidden dimensions: `linear` for none, or `relu`, h = ReLU(W x), which makes neurons of
    them: their basis is privileged."""
    output_weights: OutputWeights = "tied"
    """Matrix from h to the outputs: that of the inputs, `tied`, or W_out, trained beside W, `untied`."""
    target: Target = "inputs"
    """What the outputs are to be: the `inputs`, or the `absolute` values of the inputs."""
    bias: Bias = "trained"
    """The bias b is `trained` from 0, or it stays at `zero`, at the `mean` of each input, or at a list of one
    number a feature. With `densest_zero` only the bias of the feature of the highest probability stays at 0
    (or those, where two are equal)."""
    centred_inputs: bool = False
    """Whether the mean of each input is subtracted before the toy model sees it. The target stays the
    same."""
    magnitudes: MagnitudesName = "uniform"
    """Distribution of an active feature's value: `uniform` in [0, 1], `binary` (always 1), `exponential` with
    mean 1/2, `lognormal` with mean 1/2 and standard deviation 1 of its logarithm, or `signed_uniform` in
    [-1, 1]."""
    record_steps: RecordSteps = ()
    """Numbers of steps at which weights and held-out losses are recorded (0 is before training),
    ascending."""

    def __post_init__(self) -> None:
        hold(self)
        object.__setattr__(self, "record_steps", arguments.record_steps(self.record_steps, self.steps))
        if self.warmup_steps and self.warmup_steps >= self.steps:
            allowed = f"an integer ≥ 0 and < {self.steps}, the steps"
            raise SettingError("warmup_steps", self.warmup_steps, allowed)
        if isinstance(self.weight_decay, str):
            decay = DEFAULT_DECAY if self.optimizer == "adamw" else 0.0
            object.__setattr__(self, "weight_decay", decay)
        if self.optimizer == "adam" and float(self.weight_decay) > 0:
            allowed = "0 with the optimizer adam (adamw and sgd take a number ≥ 0)"
            raise SettingError("weight_decay", self.weight_decay, allowed)
        if self.optimizer != "sgd" and self.momentum > 0:
            allowed = f"0 with the optimizer {self.optimizer} (sgd has momentum)"
            raise SettingError("momentum", self.momentum, allowed)
        if self.momentum >= 1:
            raise SettingError("momentum", self.momentum, "a number ≥ 0 and < 1")

    @property
    def trains_bias(self) -> bool:
        """Whether any bias is trained."""
        return self.bias in ("trained", "densest_zero")

    @property
    def n_matrices(self) -> int:
        """Matrices that are trained: W, and W_out unless it is W's."""
        return 2 if self.output_weights == "untied" else 1

    def check_bias(self, n_features: int) -> None:
        """Raises SettingError unless a bias that is given as numbers has one for each of the features."""
        if not isinstance(self.bias, str) and len(self.bias) != n_features:
            allowed = f"a list of {n_features} numbers, one a feature (it has {len(self.bias)})"
            raise SettingError("bias", list(self.bias), allowed)

    def summary(self) -> dict[str, object]:
        """What the repr of toy models says of their training."""
        return {"steps": self.steps}

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
    W_out: Float[np.ndarray, "record instance hidden feature"] | None = None
    """None where output weights are tied."""

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
    batch and features; with `target: absolute`, |x_i| in x_i's place."""
    seeds: Integer[np.ndarray, " instance"]
    importance: Float[np.ndarray, "instance feature"]
    probability: Float[np.ndarray, "instance feature"]
    settings: TrainingSettings
    engine: str
    history: History | None = None
    """None unless `record_steps` were asked for."""
    structure: Intervals | None = None
    """Which features depend on one another, [instance, feature, 2] (`sampling.structure`); None where all are
    independent."""
    W_out: Float[np.ndarray, "instance hidden feature"] | None = None
    """Output weights, x' = f(W_outᵀ h + b); None where they are W."""

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
        seen = x - centre(self.probability, self.settings)[:, None, :]
        return encode(seen, self.W, self.settings.hidden)

    def reconstruct(
        self, x: Float[np.ndarray, "#instance batch feature"]
    ) -> Float[np.ndarray, "instance batch feature"]:
        """x', float32; x and errors as those of `encode`."""
        W_out = self.W if self.W_out is None else self.W_out
        return reconstruct(self.encode(x), W_out, self.b, self.settings.output)

    def sample(
        self, step: int, batch_size: int, purpose: stream.Purpose = stream.Purpose.EVALUATION
    ) -> Float[np.ndarray, "instance batch feature"]:
        """Inputs x as each toy model is made for, float32, from its own seed's stream.

        Args and errors as those of `sa.sample`.
        """
        return sample(
            self.seeds, step, batch_size, self.probability, purpose, self.settings.magnitudes, self.structure
        )

    def select(self, instances: Integer[np.ndarray, " chosen"] | slice | Sequence[int] | int) -> "ToyModels":
        """Some of the toy models, by index (a slice, one index or more, or a mask).

        Raises:
            ArgumentError: if there is no such toy model.
        """
        instances = arguments.positions("instances", instances, len(self))
        arrays = {name: getattr(self, name)[instances] for name in tensor_names(self)}
        if self.history is None:
            return replace(self, **arrays)
        names = history_tensor_names(self.history)
        recorded = {name: getattr(self.history, name)[:, instances] for name in names}
        return replace(self, **arrays, history=replace(self.history, **recorded))

    def of_seeds(self, seeds: Iterable[int]) -> "ToyModels":
        """The toy models whose seed is one of these, in their present order.

        Seeds are compared as integers: as numbers of numpy, some above 2^53 become equal to their neighbours.
        """
        wanted = {int(seed) for seed in seeds}
        chosen = [index for index, seed in enumerate(self.seeds.tolist()) if seed in wanted]
        return self.select(np.array(chosen, dtype=np.int64))

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
        """The toy models as one torch module: parameters `W`, `b` and, where untied, `W_out`; forward goes
        from x to x', `encode` to h.
        """
        module: torch.nn.Module = import_module("superposition_atlas.storage.torch_module").as_module(self)
        return module

    def summary(self) -> dict[str, object]:
        """What the repr says."""
        special = [f"{name} {value}" for name, value in self.settings.changed() if name in PLAIN]
        return {
            "toy models": len(self),
            "features": self.n_features,
            "hidden": self.n_hidden,
            **self.settings.summary(),
            "loss": f"{np.median(self.loss):.4g} (median)" if np.isfinite(self.loss).any() else "unknown",
            "engine": self.engine,
            **({"with": ", ".join(special)} if special else {}),
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
"""The arrays that all `ToyModels` have, all with the instance as first axis; see `tensor_names`."""

HISTORY_TENSORS = ("W", "b", "feature_loss")
"""The arrays that every `History` has, all with record and instance as first axes."""


def tensor_names(models: ToyModels) -> tuple[str, ...]:
    """The arrays that these toy models have: W_out where it is not W, a structure where there is one."""
    return (*TENSORS, *(name for name in ("W_out", "structure") if getattr(models, name) is not None))


def history_tensor_names(history: History) -> tuple[str, ...]:
    """The arrays that this history has."""
    return HISTORY_TENSORS if history.W_out is None else (*HISTORY_TENSORS, "W_out")


def xavier_scale(n_features: int, n_hidden: int) -> float:
    """Xavier's normal scale of one instance's W, sqrt(2 / (n + m)) (Glorot and Bengio 2010)."""
    return sqrt(2.0 / (n_features + n_hidden))


def initial_weights(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    n_features: int,
    n_hidden: int,
    init_scale: InitScale,
    n_matrices: int = 1,
) -> Float[np.ndarray, "instance row feature"]:
    """W of each seed by itself: normal, or with "unit" columns that are uniform on the sphere.

    With two matrices W_out follows, n_hidden rows more of the same kind; W is the same as with one.
    """
    normal = stream.standard_normal(
        seeds, 0, n_matrices * n_hidden, n_features, stream.Purpose.INITIAL_WEIGHTS
    )
    if init_scale == "unit":
        matrices = normal.reshape(-1, n_hidden, n_features)
        unit = matrices / np.linalg.norm(matrices, axis=1, keepdims=True)
        return unit.reshape(normal.shape).astype(np.float32)
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
    """b before the first step, float32; what `settings.bias` holds stays so.

    Raises:
        SettingError: if `settings.bias` has another number of values than there are features.
    """
    b = np.zeros(probability.shape, dtype=np.float32)
    if settings.bias == "mean":
        b[...] = mean_inputs(probability, settings.magnitudes)
    elif not isinstance(settings.bias, str):
        settings.check_bias(probability.shape[-1])
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
    x: Float[np.ndarray, "instance batch feature"],
    W: Float[np.ndarray, "instance hidden feature"],
    hidden: Hidden = "linear",
) -> Float[np.ndarray, "instance batch hidden"]:
    """h = W x or ReLU(W x), of inputs that are centred already where the model wants it."""
    h = x @ W.swapaxes(-1, -2)
    return np.maximum(h, 0.0) if hidden == "relu" else h


def reconstruct(
    h: Float[np.ndarray, "instance batch hidden"],
    W: Float[np.ndarray, "instance hidden feature"],
    b: Float[np.ndarray, "instance feature"],
    output: Output = "relu",
) -> Float[np.ndarray, "instance batch feature"]:
    """x' = ReLU(Wᵀ h + b), or without the ReLU; W is W_out where it is not tied."""
    z = h @ W + b[:, None, :]
    return np.maximum(z, 0.0) if output == "relu" else z
