"""Training of toy models: one `train`, one module an engine behind it."""

import logging
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.backends.gpu import NOT_YET_RUN, gpu_is_asked_for, gpu_problem, triton_problem
from superposition_atlas.backends.interruption import deferred_signals
from superposition_atlas.backends.optional_packages import missing
from superposition_atlas.backends.progress import progress_bar
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.errors import ArtefactError, DeviceError, TrainingError
from superposition_atlas.sampling.magnitudes import MagnitudesName
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import (
    Bias,
    History,
    InitScale,
    LearningRateSchedule,
    Optimizer,
    Output,
    ToyModels,
    TrainingSettings,
    WeightDecay,
)
from superposition_atlas.training.checkpoint import Checkpoint, Records, stacked
from superposition_atlas.training.pace import Pace
from superposition_atlas.training.problem import Engine, Problem, TrainingState

__all__ = ["LOSS_WINDOW", "Device", "EngineName", "engine_name", "random_dictionaries", "train"]

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "fused", "torch", "cuda"]
Device = Literal["auto", "cpu", "cuda"]

LOSS_WINDOW = 100
"""`ToyModels.loss` is the mean over this many last steps (over all where there are fewer)."""


def train(
    schedule: Schedule,
    n_hidden: int,
    seeds: Iterable[int],
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
    bias: Bias = "trained",
    centred_inputs: bool = False,
    magnitudes: MagnitudesName = "uniform",
    record_steps: Iterable[int] = (),
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: int | None = None,
    progress: bool | None = False,
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 60.0,
) -> ToyModels:
    """Train one toy model for each seed, all of them together.

    A toy model's result depends on its seed, its schedule and the settings alone: never on which others are
    trained in the same call, on their order, on the number of threads, on what is recorded, or on
    interruptions. How long it will take is logged after the first milliseconds of it (INFO).

    Args:
        schedule: importance and probability, each [feature] (shared) or [instance, feature].
        n_hidden: number of hidden dimensions, m.
        seeds: one an instance, 0 ≤ seed < 2^64. Equal seeds see equal words of the stream.
        steps: optimizer steps; with 0 the initial weights are what comes back.
        batch_size: fresh samples a step, for each instance by itself.
        learning_rate: highest rate; see `TrainingSettings`, as for all settings down to `record_steps`.
        init_scale: standard deviation of the initial W, or "xavier": sqrt(2 / (n + m)), or "unit": W_i are
            random directions of norm 1.
        optimizer: "adam", "adamw" or "sgd".
        weight_decay: of adamw and sgd; "default" is .01 with adamw and 0 with sgd, as in torch.optim.
        momentum: of sgd.
        learning_rate_schedule: "constant", "linear", "cosine" or "quarter_cosine".
        warmup_steps: steps over which the rate rises linearly first.
        output: "relu" or "linear".
        bias: "trained", or frozen at "zero", at the "mean" of the inputs, or at one number a feature.
        centred_inputs: whether the model sees x - E x; it reconstructs x either way.
        magnitudes: of active features: "uniform", "binary", "exponential" or "lognormal".
        record_steps: numbers of steps taken (0 … steps) at which weights and held-out losses are kept, in
            `ToyModels.history`. Memory grows by the weights of the ensemble for each, whatever `steps` is.
        engine: "fused" (compiled, CPU), "cuda" (a GPU, by Triton), "torch" (autograd, the reference), or
            "auto": fused, or with device "cuda" that GPU's: cuda, or torch without Triton.
        device: "cpu", "cuda", or "auto": a GPU with engine "cuda", else the CPU.
        threads: CPU threads; None takes all that this process may use.
        progress: True shows a bar on stderr, None shows it where stderr is a terminal, False never.
        checkpoint: file in which training is kept while it runs, and from which the same call goes on if it
            was ended: by Ctrl-C or SIGTERM (which save once more) or in any other way. It stays, complete, if
            it was ever written: remove it when the result is safe.
        checkpoint_seconds: time between two checkpoints.

    Raises:
        TrainingError: if an argument is not as above, if device or engine "cuda" is asked for and there is
            none, or if a loss or weight stops being finite; the message names instance, seed, step and
            setting.
        DeviceError: if a GPU fails or has too little memory; the message names instances, seeds and steps.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; with a checkpoint, its message says where to go on from.
    """
    if not isinstance(schedule, Schedule):
        raise TrainingError(f"schedule is {schedule!r:.60}: must be a Schedule, as sa.schedules makes them")
    seed_array = _seeds(seeds)
    problem = Problem(
        seeds=seed_array,
        importance=_per_instance("importance", schedule.importance, len(seed_array)),
        probability=_per_instance("probability", schedule.probability, len(seed_array)),
        n_hidden=arguments.integer("n_hidden", n_hidden),
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
            bias=bias,
            centred_inputs=centred_inputs,
            magnitudes=magnitudes,
            record_steps=tuple(arguments.several("record_steps", record_steps)),
        ),
    )
    if checkpoint_seconds != np.inf:
        checkpoint_seconds = arguments.number("checkpoint_seconds", checkpoint_seconds, least=0)
    chosen = _engine(engine, device, threads)
    kept = None
    if checkpoint is not None:
        if not isinstance(checkpoint, str | Path) or "\0" in str(checkpoint):
            raise TrainingError(f"checkpoint is {checkpoint!r}: must be a path")
        kept = Checkpoint(Path(checkpoint), checkpoint_seconds, problem, chosen.name)
    state, records = _run(problem, chosen, kept, progress)
    history = None
    if problem.settings.record_steps:
        history = History(np.array(problem.settings.record_steps), **stacked(records, state.weights))
    return ToyModels(
        W=state.weights.W,
        b=state.weights.b,
        loss=state.loss_sum / (min(problem.settings.steps, LOSS_WINDOW) or np.nan),
        seeds=problem.seeds,
        importance=problem.importance,
        probability=problem.probability,
        settings=problem.settings,
        engine=chosen.name,
        history=history,
    )


def random_dictionaries(
    schedule: Schedule, n_hidden: int, seeds: Iterable[int], magnitudes: MagnitudesName = "uniform"
) -> ToyModels:
    """Known dictionaries for SAEs: features that are random unit vectors, a toy model that nobody trained.

    Args and errors as those of `train`.
    """
    return train(schedule, n_hidden, seeds, steps=0, init_scale="unit", magnitudes=magnitudes, device="cpu")


def engine_name(engine: EngineName = "auto", device: Device = "auto") -> str:
    """What `ToyModels.engine` will be if `train` is called with these.

    Raises:
        TrainingError: as `train`.
    """
    return _engine(engine, device, None).name


def _run(
    problem: Problem, engine: Engine, kept: Checkpoint | None, progress: bool | None
) -> tuple[TrainingState, Records]:
    """All steps, or those that are left; `loss_sum` is that of the last `LOSS_WINDOW`."""
    settings = problem.settings
    window = max(settings.steps - LOSS_WINDOW, 0)
    stops = sorted({0, window, settings.steps, *settings.record_steps})
    state, records = (kept.resume() if kept else None) or (TrainingState.initial(problem), [])
    if state.step:
        logger.info("going on from step %d of %d", state.step, settings.steps)
    if settings.steps:
        engine.advance(state, 0, problem)  # compiles, or loads what was
    pace = Pace(problem, engine)
    # Without a checkpoint there is nothing to bring to an orderly end.
    signals = deferred_signals() if kept else nullcontext(lambda: None)
    bar = progress_bar(settings.steps, "training", progress, state.step)
    with bar, signals as signal_received:
        for stop in stops:
            while state.step < stop:
                if state.step == window:
                    state.loss_sum[:] = 0.0
                before = state.copy()
                n_steps = min(pace.next_steps, stop - state.step)
                with pace.measured(n_steps, settings.steps - state.step):
                    try:
                        engine.advance(state, n_steps, problem)
                    except DeviceError as error:
                        raise _failed(error, kept, before, records) from error
                if not state.is_finite().all():
                    raise _diverged(before, state, problem, engine)
                bar.update(n_steps)
                if kept and kept.is_due() and not signal_received():
                    _save(kept, state, records)
                if kept and (name := signal_received()):
                    raise _interrupted(name, kept, state, records, settings)
            if settings.record_steps[len(records) : len(records) + 1] == (stop,):
                weights = state.copy().weights
                records.append((weights, engine.feature_loss(weights, problem)))
        if kept and (name := signal_received()):
            raise _interrupted(name, kept, state, records, settings)
        if kept and kept.exists:
            _save(kept, state, records)
    return state, records


def _save(kept: Checkpoint, state: TrainingState, records: Records) -> bool:
    """Whether it could be saved."""
    try:
        kept.save(state, records)
    except ArtefactError as error:  # what is trained is worth more than its checkpoint
        logger.warning("no checkpoint written: %s", error)
        return False
    return True


def _interrupted(
    signal_name: str, kept: Checkpoint, state: TrainingState, records: Records, settings: TrainingSettings
) -> KeyboardInterrupt:
    """What to raise after a signal: it says what is kept."""
    is_saved = _save(kept, state, records)
    remains = f"{kept.path} keeps what is done" if is_saved else "nothing could be kept"
    return KeyboardInterrupt(f"{signal_name} at step {state.step} of {settings.steps}; {remains}")


def _failed(
    error: DeviceError, kept: Checkpoint | None, before: TrainingState, records: Records
) -> DeviceError:
    """What to raise after a device has failed: it says what is kept."""
    if kept is None or not _save(kept, before, records):
        return error
    return DeviceError(
        f"{error}; {kept.path} keeps the first {before.step} steps: the same call goes on there"
    )


def _engine(name: EngineName, device: Device, threads: int | None) -> Engine:
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
    threads = available_threads() if threads is None else arguments.integer("threads", threads)
    on_cuda = gpu_is_asked_for(name, device)
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


def _seeds(seeds: Iterable[int]) -> Integer[np.ndarray, " instance"]:
    values = [
        arguments.integer("a seed", seed, least=0, most=2**64 - 1)
        for seed in arguments.several("seeds", seeds)
    ]
    if not values:
        raise TrainingError("seeds is empty: there is no toy model to train")
    return np.array(values, dtype=np.uint64)


def _per_instance(
    name: str, values: Float[np.ndarray, "*instance feature"], n_instances: int
) -> Float[np.ndarray, "instance feature"]:
    rows = np.atleast_2d(values)
    if values.ndim == 2 and len(rows) != n_instances:
        raise TrainingError(f"{name} has {len(rows)} rows for {n_instances} seeds: must have one row a seed")
    if not np.all(np.abs(rows) <= arguments.LARGEST):
        raise TrainingError(f"{name} is {rows.max():g} somewhere: must be at most {arguments.LARGEST:g}")
    # Not the caller's own; and rows in one piece, where a copy of what is broadcast would have columns so.
    return np.array(np.broadcast_to(rows, (n_instances, rows.shape[1])), order="C")


def _diverged(before: TrainingState, after: TrainingState, problem: Problem, engine: Engine) -> TrainingError:
    """The error for the first instance that is no longer finite: the step is found by taking steps again."""
    instance = int(np.flatnonzero(~after.is_finite())[0])
    one = slice(instance, instance + 1)
    own, good, n_steps = problem.select(one), before.copy(one), after.step - before.step
    # It is finite before these n_steps and not behind them.
    while n_steps > 1:
        trial = good.copy()
        engine.advance(trial, n_steps // 2, own)
        if trial.is_finite().all():
            good, n_steps = trial, n_steps - n_steps // 2
        else:
            n_steps //= 2
    settings = problem.settings
    return TrainingError(
        f"training diverged: the toy model of seed {problem.seeds[instance]} (instance {instance}) "
        f"has a loss, weight or running mean that is not finite after {good.step + 1} steps; "
        f"learning_rate is {settings.learning_rate}, init_scale is {settings.init_scale}, "
        f"its largest importance is {problem.importance[instance].max():g}"
    )
