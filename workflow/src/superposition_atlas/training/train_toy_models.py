"""Training of toy models: `train` checks its arguments, chooses an engine and runs the training loop."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Integer
from numpy.typing import ArrayLike

from superposition_atlas import arguments
from superposition_atlas.backends.gpu import NOT_YET_RUN, gpu_is_asked_for, gpu_problem, triton_problem
from superposition_atlas.backends.memory import check_memory
from superposition_atlas.backends.optional_packages import missing
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.covered_models import PLAIN, other_setting
from superposition_atlas.errors import ArgumentError, TrainingError
from superposition_atlas.sampling.magnitudes import MagnitudesName
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.schedules import Schedule, as_schedule
from superposition_atlas.toy_model import (
    Bias,
    Hidden,
    InitScale,
    LearningRateSchedule,
    Optimizer,
    Output,
    OutputWeights,
    Target,
    ToyModels,
    TrainingSettings,
    WeightDecay,
)
from superposition_atlas.training import loop
from superposition_atlas.training.checkpoint import Checkpoint, check_arguments
from superposition_atlas.training.problem import Engine, Problem
from superposition_atlas.training.toy_model_training import LOSS_WINDOW, ToyModelTraining

__all__ = ["LOSS_WINDOW", "Device", "EngineName", "engine_name", "random_dictionaries", "train"]

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "fused", "torch", "cuda"]
Device = Literal["auto", "cpu", "cuda"]

_MOST_THREADS = 4096
_BYTES_A_WEIGHT = 48
"""Memory that training takes at least: weights, two running means, and the normals that they start from."""


def train(
    schedule: Schedule | ToyModels | tuple[ArrayLike, ArrayLike],
    n_hidden: int,
    seeds: Iterable[int] | int,
    *,
    steps: int = 10_000,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    init_scale: InitScale = "xavier",
    optimizer: Optimizer = "adam",
    weight_decay: WeightDecay = "default",
    momentum: float = 0.0,
    learning_rate_schedule: LearningRateSchedule = "constant",
    warmup_steps: int = 0,
    output: Output = "relu",
    hidden: Hidden = "linear",
    output_weights: OutputWeights = "tied",
    target: Target = "inputs",
    bias: Bias = "trained",
    centred_inputs: bool = False,
    magnitudes: MagnitudesName = "uniform",
    record_steps: Iterable[int] = (),
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 60.0,
) -> ToyModels:
    """Train one toy model for each seed, all of them together.

    A toy model's result depends on its seed, its schedule and the settings alone: never on which others are
    trained in the same call, on their order, on the number of threads, on what is recorded, or on
    interruptions. How long it will take is logged after the first milliseconds of it (INFO).

    Args:
        schedule: importance and probability, each [feature] (shared) or [instance, feature]: a `Schedule`,
            which may have a structure, toy models whose schedule is taken, or a pair of arrays.
        n_hidden: number of hidden dimensions, 1 ≤ m ≤ 2^24.
        seeds: one an instance, 0 ≤ seed < 2^64; a number is how many: 8 means range(8). Equal seeds see equal
            words of the stream.
        steps: Number of training steps. With 0 nothing is trained: the toy models are their initial weights.
        batch_size: Fresh samples a step, for each toy model by itself.
        learning_rate: Highest learning rate.
        init_scale: Standard deviation of one toy model's initial weights; `xavier` is √(2 / (n + m)). It
            never depends on how many toy models are trained together. `unit` makes each feature's weights a
            random direction of norm 1: with 0 steps, a known dictionary for SAEs.
        optimizer: Optimizer as in torch.optim, with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
        weight_decay: Weight decay of `adamw` (decoupled) and `sgd` (a part of the gradient); `default` is
            that of torch.optim, .01 with `adamw` and 0 with `sgd`.
        momentum: Momentum of `sgd`, below 1.
        learning_rate_schedule: Course of the learning rate after the warm-up: `constant`, or falling to 0,
            `linear`, by half a `cosine` wave, (1 + cos πt) / 2, or by a `quarter_cosine` wave, cos(πt / 2),
            which is 0 at the last step, as in the notebooks of Anthropic and ARENA.
        warmup_steps: First steps, over which the learning rate rises linearly; fewer than `steps`.
        output: The toy model's last function: `relu`, or `linear` for none.
        hidden: Function of the hidden dimensions: `linear` for none, or `relu`, h = ReLU(W x), which makes
            neurons of them: their basis is privileged.
        output_weights: Matrix from h to the outputs: that of the inputs, `tied`, or W_out, trained beside W,
            `untied`.
        target: What the outputs are to be: the `inputs`, or the `absolute` values of the inputs.
        bias: The bias b is `trained` from 0, or it stays at `zero`, at the `mean` of each input, or at a list
            of one number a feature. With `densest_zero` only the bias of the feature of the highest
            probability stays at 0 (or those, where two are equal).
        centred_inputs: Whether the mean of each input is subtracted before the toy model sees it. The target
            stays the same.
        magnitudes: Distribution of an active feature's value: `uniform` in [0, 1], `binary` (always 1),
            `exponential` with mean 1/2, `lognormal` with mean 1/2 and standard deviation 1 of its logarithm,
            or `signed_uniform` in [-1, 1].
        record_steps: Numbers of steps at which weights and held-out losses are recorded (0 is before
            training), ascending.
        engine: "fused" (compiled, CPU), "cuda" (a GPU, by Triton), "torch" (autograd, the reference), or
            "auto": fused, or with device "cuda" that GPU's: cuda, or torch without Triton. Engine cuda has
            no toy models with other values of `hidden`, `output_weights` and `target` than the defaults.
        device: "cpu", "cuda", or "auto": a GPU with engine "cuda", else the CPU.
        threads: CPU threads; None takes all that this process may use.
        progress: True shows a bar on stderr, None on a terminal or in a notebook, False never.
        checkpoint: file in which training is kept while it runs, and from which the same call goes on if it
            was ended: by Ctrl-C or SIGTERM (which save once more) or in any other way. It stays, complete, if
            it was ever written: remove it when the result is safe.
        checkpoint_seconds: time between two checkpoints.

    Raises:
        ArgumentError: if an argument is not as above, or if the weights do not fit into memory.
        TrainingError: if device or engine "cuda" is asked for and there is none, or if a loss or weight stops
            being finite; the message names instance, seed, step and setting.
        DeviceError: if a GPU fails or has too little memory; the message names instances, seeds and steps.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; with a checkpoint, its message says where to go on from.
    """
    schedule = as_schedule(schedule)
    seed_array = _seeds(seeds)
    n_hidden = arguments.size("n_hidden", n_hidden)
    problem = Problem(
        seeds=seed_array,
        importance=_per_instance("importance", schedule.importance, len(seed_array)),
        probability=_per_instance("probability", schedule.probability, len(seed_array)),
        n_hidden=n_hidden,
        structure=_structure(schedule, len(seed_array)),
        settings=TrainingSettings(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            init_scale=init_scale,
            optimizer=optimizer,
            weight_decay=weight_decay,
            momentum=momentum,
            learning_rate_schedule=learning_rate_schedule,
            warmup_steps=warmup_steps,
            output=output,
            hidden=hidden,
            output_weights=output_weights,
            target=target,
            bias=bias,
            centred_inputs=centred_inputs,
            magnitudes=magnitudes,
            record_steps=tuple(arguments.listed("record_steps", record_steps)),
        ),
    )
    check_memory(
        (_BYTES_A_WEIGHT + 4 * len(problem.settings.record_steps))
        * len(seed_array)
        * problem.n_rows
        * problem.n_features,
        n_hidden=n_hidden,
        n_features=problem.n_features,
        n_seeds=problem.n_instances,
        n_records=len(problem.settings.record_steps),
    )
    if progress is not None:
        progress = arguments.flag("progress", progress)
    path, seconds = check_arguments(checkpoint, checkpoint_seconds)
    training = ToyModelTraining(problem, _engine(engine, device, threads, problem.settings))
    loop.run(training, _checkpoint(training, path, seconds), progress)
    return training.models()


def random_dictionaries(
    schedule: Schedule | ToyModels | tuple[ArrayLike, ArrayLike],
    n_hidden: int,
    seeds: Iterable[int] | int,
    magnitudes: MagnitudesName = "uniform",
) -> ToyModels:
    """Known dictionaries for SAEs: features that are random unit vectors, a toy model that nobody trained.

    Args and errors as those of `train`.
    """
    return train(
        schedule,
        n_hidden,
        seeds,
        steps=0,
        init_scale="unit",
        magnitudes=magnitudes,
        device="cpu",
        progress=False,
    )


def engine_name(
    engine: EngineName = "auto", device: Device = "auto", settings: TrainingSettings | None = None
) -> str:
    """What `ToyModels.engine` will be if `train` is called with these; settings default to its defaults.

    Raises:
        TrainingError: as `train`.
    """
    return _engine(engine, device, None, settings or TrainingSettings()).name


def _checkpoint(training: ToyModelTraining, path: Path | None, seconds: float) -> Checkpoint | None:
    if path is None:
        return None
    return Checkpoint(path, seconds, "toy models", training.spec(), training.engine_name, __name__)


def _engine(name: EngineName, device: Device, threads: int | None, settings: TrainingSettings) -> Engine:
    """The engine to use. torch and numba are imported here, each only where it is needed."""
    arguments.choice("engine", name, get_args(EngineName))
    arguments.choice("device", device, get_args(Device))
    if name == "fused" and device == "cuda":
        raise TrainingError(
            "engine fused runs on the CPU only: use engine cuda or torch (or auto) with device cuda"
        )
    if name == "cuda" and device == "cpu":
        raise TrainingError(
            "engine cuda runs on a GPU only: use engine fused or torch (or auto) with device cpu"
        )
    threads = (
        available_threads() if threads is None else arguments.integer("threads", threads, most=_MOST_THREADS)
    )
    on_cuda = gpu_is_asked_for(name, device)
    if on_cuda and (other := other_setting(settings, PLAIN)):
        if name == "cuda":
            raise TrainingError(
                f"engine is cuda, but {other} is {getattr(settings, other)!r}, which it has not: use engine "
                f"fused or torch, or {PLAIN[other][0]!r}"
            )
        name = "torch"
    if on_cuda:
        key, others = ("engine", "fused, torch") if name == "cuda" else ("device", "cpu")
        problem = gpu_problem()
        if problem is None and name != "torch":
            problem = triton_problem()
            if problem is None:
                from superposition_atlas.training.cuda.cuda_engine import CudaEngine

                logger.warning(NOT_YET_RUN)
                return CudaEngine()
            if name == "auto":
                logger.warning("training on the GPU with engine torch, many times slower: %s", problem)
                problem = None
        if problem is not None:
            raise TrainingError(f"{key} is cuda, but {problem}: use {key} {others} or auto")
    if name == "torch" or on_cuda:
        if (absent := missing("torch")) is not None:
            raise TrainingError(f"engine is torch, but {absent}: use engine fused or auto")
        from superposition_atlas.training.torch_engine import TorchEngine

        return TorchEngine("cuda" if on_cuda else "cpu", threads)
    from superposition_atlas.training.fused.fused_engine import FusedEngine

    return FusedEngine(threads)


def _seeds(seeds: Iterable[int] | int) -> Integer[np.ndarray, " instance"]:
    found = arguments.seeds("seeds", seeds)
    if not len(found):
        raise ArgumentError("seeds is empty: must have one a toy model, 1 at least")
    return found


def _structure(schedule: Schedule, n_instances: int) -> Intervals | None:
    structure = schedule.structure
    if structure is None:
        return None
    if structure.ndim == 3 and len(structure) != n_instances:
        raise ArgumentError(
            f"structure has {len(structure)} rows for {n_instances} seeds: must have one row a seed"
        )
    return np.array(np.broadcast_to(structure, (n_instances, *structure.shape[-2:])), order="C")


def _per_instance(
    name: str, values: Float[np.ndarray, "*instance feature"], n_instances: int
) -> Float[np.ndarray, "instance feature"]:
    rows = np.atleast_2d(values)
    if values.ndim == 2 and len(rows) != n_instances:
        raise ArgumentError(f"{name} has {len(rows)} rows for {n_instances} seeds: must have one row a seed")
    if not np.all(np.abs(rows) <= arguments.LARGEST):
        raise ArgumentError(f"{name} is {rows.max():g} somewhere: must be at most {arguments.LARGEST:g}")
    # Not the caller's own; and rows in one piece, where a copy of what is broadcast would have columns so.
    return np.array(np.broadcast_to(rows, (n_instances, rows.shape[1])), order="C")
