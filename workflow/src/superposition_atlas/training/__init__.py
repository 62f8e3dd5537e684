"""Training of toy models: one `train`, one module an engine behind it."""

import ctypes
import operator
import sys
from collections.abc import Iterable
from math import isfinite
from typing import Literal

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.errors import TrainingError
from superposition_atlas.running import available_threads, progress_bar
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import InitScale, ToyModels, TrainingSettings
from superposition_atlas.training.state import Engine, Problem, TrainingState

__all__ = ["LOSS_WINDOW", "Device", "EngineName", "train"]

EngineName = Literal["auto", "fused", "torch"]
Device = Literal["auto", "cpu", "cuda"]

LOSS_WINDOW = 100
"""`ToyModels.loss` is the mean over this many last steps (over all where there are fewer)."""

_CHUNKS = 100  # how often weights are checked and the progress bar moves


def train(
    schedule: Schedule,
    n_hidden: int,
    seeds: Iterable[int],
    *,
    steps: int = 10_000,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    init_scale: InitScale = "xavier",
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: int | None = None,
    progress: bool | None = False,
) -> ToyModels:
    """Train one toy model for each seed, all of them together.

    A toy model's result depends on its seed, its schedule and the settings alone: never on which others are
    trained in the same call, on their order, or on the number of threads.

    Args:
        schedule: importance and probability, each [feature] (shared) or [instance, feature].
        n_hidden: number of hidden dimensions, m.
        seeds: one an instance, 0 ≤ seed < 2^64. Equal seeds see equal words of the stream.
        steps: optimiser steps.
        batch_size: fresh samples a step, for each instance by itself.
        learning_rate: Adam's, constant.
        init_scale: standard deviation of the initial W, or "xavier": sqrt(2 / (n + m)).
        engine: "fused" (compiled, CPU), "torch" (autograd, the reference), or "auto": torch where there is a
            CUDA device and `device` allows it, else fused.
        device: "cpu", "cuda" or "auto".
        threads: CPU threads; None takes all that this process may use.
        progress: True shows a bar on stderr, None shows it where stderr is a terminal, False never.

    Raises:
        TrainingError: if an argument is not as above, if device "cuda" is asked for and there is none, or
            if a loss or weight stops being finite; the message names the seed, the steps and the setting.
    """
    seed_array = _seeds(seeds)
    n_hidden = _at_least_one("n_hidden", n_hidden)
    settings = TrainingSettings(
        steps=_at_least_one("steps", steps),
        batch_size=_at_least_one("batch_size", batch_size),
        learning_rate=_positive("learning_rate", learning_rate),
        init_scale=init_scale if init_scale == "xavier" else _positive("init_scale", init_scale),
    )
    problem = Problem(
        seeds=seed_array,
        importance=_per_instance("importance", schedule.importance, len(seed_array)),
        probability=_per_instance("probability", schedule.probability, len(seed_array)),
        n_hidden=n_hidden,
        settings=settings,
    )
    chosen = _engine(engine, device, threads)
    state = TrainingState.initial(problem)
    loss = np.full(len(seed_array), np.nan)
    with progress_bar(steps, "training", progress) as bar:
        for end in _chunk_ends(steps):
            start = state.step
            loss = chosen.advance(state, end - start, problem)
            _check_finite(state, loss, start, problem)
            bar.update(end - start)
    return ToyModels(
        W=state.weights.W,
        b=state.weights.b,
        loss=loss,
        seeds=problem.seeds,
        importance=problem.importance,
        probability=problem.probability,
        settings=settings,
        engine=chosen.name,
    )


def _chunk_ends(steps: int) -> list[int]:
    """Where training pauses; the last chunk is the loss window."""
    before_window = max(steps - LOSS_WINDOW, 0)
    size = max(LOSS_WINDOW, -(-before_window // _CHUNKS))
    return [*range(size, before_window, size), *([before_window] if before_window else []), steps]


def _engine(name: EngineName, device: Device, threads: int | None) -> Engine:
    """The engine to use. torch and numba are imported here, each only where it is needed."""
    if name not in ("auto", "fused", "torch"):
        raise TrainingError(f"engine is {name!r}: must be auto, fused or torch")
    if device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"device is {device!r}: must be auto, cpu or cuda")
    if name == "fused" and device == "cuda":
        raise TrainingError("engine fused runs on the CPU only: use engine torch (or auto) with device cuda")
    threads = available_threads() if threads is None else _at_least_one("threads", threads)
    on_cuda = name != "fused" and (device == "cuda" or (device == "auto" and _cuda_driver_exists()))
    if on_cuda and not _cuda_is_available():
        if device == "cuda":
            raise TrainingError("device is cuda, but torch finds no CUDA device: use device cpu or auto")
        on_cuda = False
    if name == "torch" or on_cuda:
        from superposition_atlas.training.torch_engine import TorchEngine

        return TorchEngine("cuda" if on_cuda else "cpu", threads)
    from superposition_atlas.training.fused_engine import FusedEngine

    return FusedEngine(threads)


def _cuda_driver_exists() -> bool:
    """Whether it is worth asking torch, whose import takes seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _cuda_is_available() -> bool:
    import torch

    return torch.cuda.is_available()


def _seeds(seeds: Iterable[int]) -> Integer[np.ndarray, " instance"]:
    values = []
    for seed in seeds:
        value = _integer("a seed", seed)
        if not 0 <= value < 2**64:
            raise TrainingError(f"a seed is {value}: must be at least 0 and below 2^64")
        values.append(value)
    if not values:
        raise TrainingError("seeds is empty: there is no toy model to train")
    return np.array(values, dtype=np.uint64)


def _integer(name: str, value: int) -> int:
    try:
        integer = operator.index(value)
    except TypeError:
        raise TrainingError(f"{name} is {value!r}: must be an integer") from None
    if isinstance(value, bool | np.bool_):
        raise TrainingError(f"{name} is {value!r}: must be an integer")
    return integer


def _at_least_one(name: str, value: int) -> int:
    integer = _integer(name, value)
    if integer < 1:
        raise TrainingError(f"{name} is {integer}: must be at least 1")
    return integer


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool | str) or not isinstance(value, int | float | np.number):
        raise TrainingError(f"{name} is {value!r}: must be a number above 0")
    if not (isfinite(value) and value > 0):
        raise TrainingError(f"{name} is {value}: must be a finite number above 0")
    return float(value)


def _per_instance(
    name: str, values: Float[np.ndarray, "*instance feature"], n_instances: int
) -> Float[np.ndarray, "instance feature"]:
    rows = np.atleast_2d(values)
    if values.ndim == 2 and len(rows) != n_instances:
        raise TrainingError(f"{name} has {len(rows)} rows for {n_instances} seeds: must have one row a seed")
    return np.ascontiguousarray(np.broadcast_to(rows, (n_instances, rows.shape[1])))


def _check_finite(
    state: TrainingState, loss: Float[np.ndarray, " instance"], start: int, problem: Problem
) -> None:
    # A square that overflows stops its weight for good while weight and loss stay finite: it counts as well.
    finite = np.isfinite(loss)
    for values in (state.weights, state.mean, state.square):
        finite &= np.isfinite(values.W).all((1, 2)) & np.isfinite(values.b).all(1)
    if not finite.all():
        seed, settings = problem.seeds[~finite][0], problem.settings
        raise TrainingError(
            f"training diverged: the toy model of seed {seed} has a loss, weight or running mean that is not "
            f"finite in steps {start} to {state.step - 1}; "
            f"learning_rate is {settings.learning_rate}, init_scale is {settings.init_scale}"
        )
