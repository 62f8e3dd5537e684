"""Trains one SAE for every toy model: the loop around the engines."""

from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import numpy as np
from jaxtyping import Integer

from superposition_atlas.errors import TrainingError
from superposition_atlas.running import available_threads, progress_bar
from superposition_atlas.sae import resampling as resampling_schemes
from superposition_atlas.sae.architecture import (
    Architecture,
    SAEState,
    TrainingData,
    find,
    join,
    split,
)
from superposition_atlas.sae.ensemble import Resampling, SAEs, SAESettings
from superposition_atlas.toy_model import ToyModels

EngineName = Literal["auto", "fused", "torch"]

_CHUNKS = 50
"""Calls of an engine, at least: how often the progress bar moves and weights are checked."""


def train_saes(
    models: ToyModels,
    *,
    architecture: str = "relu",
    n_latents: int,
    resampling: Resampling = "none",
    sparsity_coefficient: float = 0.2,
    steps: int = 20_000,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    resample_every: int = 2500,
    dead_window: int = 500,
    resample_scale: float = 0.5,
    seeds: Sequence[int] | Integer[np.ndarray, " instance"] | None = None,
    record_steps: Sequence[int] = (),
    engine: EngineName = "auto",
    threads: int | None = None,
    progress: bool | None = False,
) -> SAEs:
    """Trains one SAE for every toy model, on hidden activations h = W x of that model's own samples.

    Each instance has its own stream of samples, by its seed: its result does not depend on which others are
    trained in the same call, on the number of threads, or on what is recorded.

    Args:
        models: the toy models.
        architecture: a name in `ARCHITECTURES`.
        n_latents: size of the dictionary.
        resampling: what happens to dead latents; see `SAESettings`, as for all numbers that follow.
        sparsity_coefficient: λ.
        steps: number of training steps.
        batch_size: samples a step and instance.
        learning_rate: Adam's.
        resample_every: steps between two resamplings.
        dead_window: steps without firing after which a latent is dead.
        resample_scale: norm of a resampled encoder direction.
        seeds: one an instance, of its samples, initial weights and resampling; default: the models' seeds.
        record_steps: numbers of steps taken (0 … steps) at which the weights are kept as history.
        engine: "fused" (compiled), "torch" (autograd, the reference), or "auto": fused where there is one.
        threads: CPU threads of the fused engine; None takes all that this process may use.
        progress: True shows a bar on stderr, None shows it where stderr is a terminal, False never.

    Raises:
        TrainingError: for a setting out of its range, or when weights are no longer finite.
    """
    settings = SAESettings(
        n_latents=n_latents,
        architecture=architecture,
        resampling=resampling,
        sparsity_coefficient=sparsity_coefficient,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        resample_every=resample_every,
        dead_window=dead_window,
        resample_scale=resample_scale,
    )
    chosen = find(architecture)
    engine_name = _engine(engine, chosen, models)
    n_threads = _threads(threads)
    data = TrainingData(models.W, models.probability, _seeds(models, seeds), models.settings)
    records = _record_steps(record_steps, steps)
    resamplings = _resampling_steps(settings)

    shapes = chosen.shapes(models.n_hidden, n_latents)
    state = _initial_state(chosen, data, settings)
    parameters = split(state.parameters, shapes)
    history: list[dict[str, np.ndarray]] = []
    resampled: list[np.ndarray] = []

    chunk = -(-steps // _CHUNKS)
    stops = sorted({0, steps, *range(0, steps, chunk), *records, *resamplings})
    with progress_bar(steps, f"{architecture} SAEs", progress) as bar:
        for stop in stops:
            n_steps = stop - state.step
            if engine_name == "fused" and chosen.advance is not None:
                chosen.advance(state, n_steps, data, settings, n_threads)
            else:
                from superposition_atlas.sae import reference

                reference.advance(chosen, state, n_steps, data, settings)
            _check_finite(state, n_steps, data, settings)
            if stop in records:
                history.append({name: array.copy() for name, array in parameters.items()})
            if stop in resamplings:
                resampled.append(resampling_schemes.resample(state, parameters, data, chosen, settings))
            bar.update(n_steps)

    return SAEs(
        **{name: array.copy() for name, array in parameters.items()},
        seeds=data.seeds,
        settings=settings,
        engine=engine_name,
        recorded_steps=np.array(records, dtype=np.int64),
        **{
            f"{name}_history": np.array([record[name] for record in history], dtype=np.float32).reshape(
                len(records), *array.shape
            )
            for name, array in parameters.items()
        },
        resampling_steps=np.array(resamplings, dtype=np.int64),
        resampled=np.array(resampled, dtype=bool).reshape(len(resamplings), len(models), n_latents),
    )


def _initial_state(architecture: Architecture, data: TrainingData, settings: SAESettings) -> SAEState:
    n_hidden = data.W.shape[1]
    parameters = join(
        architecture.initial(data.seeds, n_hidden, settings.n_latents),
        architecture.shapes(n_hidden, settings.n_latents),
    )
    return SAEState(
        step=0,
        parameters=parameters,
        first_moment=np.zeros_like(parameters),
        second_moment=np.zeros_like(parameters),
        last_fired=np.full((len(parameters), settings.n_latents), -1, dtype=np.int64),
    )


def _engine(engine: str, architecture: Architecture, models: ToyModels) -> str:
    if engine not in ("auto", "fused", "torch"):
        raise TrainingError(f"engine is {engine!r}; allowed: auto, fused, torch")
    if architecture.advance is None:
        lacking = f"architecture {architecture.name} has no fused engine"
    elif models.settings.centred_inputs or models.settings.magnitudes != "uniform":
        lacking = "the fused engine has no toy models with centred inputs or other magnitudes than uniform"
    else:
        return "fused" if engine == "auto" else engine
    if engine == "fused":
        raise TrainingError(f"engine is 'fused'; {lacking}: use torch")
    return "torch"


def _threads(threads: int | None) -> int:
    if threads is None:
        return available_threads()
    if not isinstance(threads, Integral) or threads < 1:
        raise TrainingError(f"threads is {threads!r}; allowed: an integer of at least 1")
    return int(threads)


def _seeds(
    models: ToyModels, seeds: Sequence[int] | Integer[np.ndarray, " instance"] | None
) -> Integer[np.ndarray, " instance"]:
    chosen = np.asarray(models.seeds if seeds is None else seeds)
    if chosen.shape != (len(models),):
        raise TrainingError(f"seeds has shape {chosen.shape}; allowed: one a toy model, ({len(models)},)")
    if not np.issubdtype(chosen.dtype, np.integer) or (chosen < 0).any():
        raise TrainingError(f"seeds is {chosen.tolist()!r:.60}; allowed: integers of at least 0")
    return chosen


def _record_steps(record_steps: Sequence[int], steps: int) -> list[int]:
    for step in record_steps:
        if not isinstance(step, Integral) or not 0 <= step <= steps:
            raise TrainingError(f"record_steps has {step!r}; allowed: integers from 0 to steps ({steps})")
    return sorted({int(step) for step in record_steps})


def _resampling_steps(settings: SAESettings) -> list[int]:
    if settings.resampling == "none":
        return []
    candidates = range(settings.resample_every - 1, settings.steps, settings.resample_every)
    # Before the first step no latent has had a chance to fire; at the end a new one would have none.
    return [n for n in candidates if 0 < n <= settings.steps - settings.dead_window]


def _check_finite(state: SAEState, n_steps: int, data: TrainingData, settings: SAESettings) -> None:
    broken = np.flatnonzero(~np.isfinite(state.parameters).all(axis=1))
    if broken.size:
        raise TrainingError(
            f"{settings.architecture} SAE of seed {data.seeds[broken[0]]} (instance {broken[0]}) is no "
            f"longer finite, between steps {state.step - n_steps} and {state.step}: "
            f"lower learning_rate ({settings.learning_rate})"
        )
