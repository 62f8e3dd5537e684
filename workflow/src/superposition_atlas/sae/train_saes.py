"""Trains SAEs on toy models: the loop around the engines."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Integer

from superposition_atlas import arguments
from superposition_atlas.backends.gpu import NOT_YET_RUN, gpu_problem, triton_problem
from superposition_atlas.backends.optional_packages import missing
from superposition_atlas.backends.progress import progress_bar
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.errors import TrainingError
from superposition_atlas.sae import resampling as resampling_schemes
from superposition_atlas.sae.architectures.base import Architecture, SAEState, TrainingData, find, join, split
from superposition_atlas.sae.ensemble import ArchitectureName, Resampling, SAEs, SAESettings
from superposition_atlas.toy_model import ToyModels

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "fused", "torch", "cuda"]

_CHUNKS = 50
"""Calls of an engine, at least: how often the progress bar moves and weights are checked."""


def train_saes(
    models: ToyModels,
    *,
    architecture: ArchitectureName = "relu",
    n_latents: int,
    sparsity_coefficient: float | Sequence[float] = 0.2,
    sparsity_warmup_steps: int = 0,
    k: int | Sequence[int] = 1,
    tied: bool = False,
    initial_threshold: float = 0.1,
    bandwidth: float = 0.1,
    prefixes: Sequence[int] = (),
    auxiliary_coefficient: float = 1 / 32,
    resampling: Resampling = "none",
    steps: int = 20_000,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    resample_every: int = 2500,
    dead_window: int = 500,
    resample_scale: float = 0.5,
    seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | None = None,
    record_steps: Sequence[int] = (),
    engine: EngineName = "auto",
    threads: int | None = None,
    progress: bool | None = False,
) -> SAEs:
    """Trains an SAE for every toy model (and every λ or k), on its hidden activations h of its own samples.

    Each SAE has its own stream of samples, by its seed: its result does not depend on which others are
    trained in the same call, on the number of threads, or on what is recorded. SAEs of one toy model that
    differ in λ or k alone see the same samples.

    Args:
        models: the toy models, trained or `random_dictionaries`.
        architecture: a name in `ARCHITECTURES`.
        n_latents: size of the dictionary.
        sparsity_coefficient: λ, or several; see `SAESettings`, as for all settings that follow.
        sparsity_warmup_steps: steps over which λ rises to its full size.
        k: active latents a sample, or several such numbers.
        tied: whether the decoder is the encoder's transpose.
        initial_threshold: θ at the start.
        bandwidth: ε.
        prefixes: numbers of first latents that reconstruct by themselves.
        auxiliary_coefficient: weight of the loss by which dead latents reconstruct the error.
        resampling: what happens to dead latents.
        steps: number of training steps.
        batch_size: samples a step and SAE.
        learning_rate: Adam's.
        resample_every: steps between two resamplings.
        dead_window: steps without firing after which a latent is dead.
        resample_scale: norm of a resampled encoder direction.
        seeds: one a toy model, of samples, initial weights and resampling; default: the models' seeds.
        record_steps: numbers of steps taken (0 … steps) at which the weights are kept as history.
        engine: "fused" (compiled, CPU), "torch" (autograd, the reference), "cuda" (autograd on a GPU, in
            recorded steps), or "auto": fused where there is one and SAEs are not so large that torch is
            faster, else torch.
        threads: CPU threads; None takes all that this process may use.
        progress: True shows a bar on stderr, None shows it where stderr is a terminal, False never.

    Raises:
        TrainingError: for a setting out of its range, when engine "cuda" is asked for and there is none, or
            when weights are no longer finite.
        DeviceError: if a GPU fails or has too little memory; the message names SAEs, seeds and steps.
    """
    settings = SAESettings(
        n_latents=n_latents,
        architecture=architecture,
        sparsity_coefficient=_several(sparsity_coefficient),
        sparsity_warmup_steps=sparsity_warmup_steps,
        k=_several(k),
        tied=tied,
        initial_threshold=initial_threshold,
        bandwidth=bandwidth,
        prefixes=tuple(prefixes),
        auxiliary_coefficient=auxiliary_coefficient,
        resampling=resampling,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        resample_every=resample_every,
        dead_window=dead_window,
        resample_scale=resample_scale,
    )
    chosen = find(architecture)
    engine_name = _engine(engine, chosen, settings, models)
    n_threads = available_threads() if threads is None else arguments.integer("threads", threads)
    toy_model, data = _training_data(models, settings, seeds)
    records = arguments.record_steps(record_steps, steps)
    resamplings = _resampling_steps(settings)

    shapes = chosen.shapes(models.n_hidden, settings.n_latents)
    state = _initial_state(chosen, data, settings)
    parameters = split(state.parameters, shapes)
    history: list[dict[str, np.ndarray]] = []
    resampled: list[np.ndarray] = []

    take_steps = _steps(engine_name, chosen, data, settings, n_threads)
    chunk = -(-steps // _CHUNKS)
    stops = sorted({0, steps, *range(0, steps, chunk), *records, *resamplings})
    with progress_bar(steps, f"{architecture} SAEs", progress) as bar:
        for stop in stops:
            n_steps = stop - state.step
            take_steps(state, n_steps)
            _check_finite(state, n_steps, data, settings)
            if stop in records:
                history.append({name: array.copy() for name, array in parameters.items()})
            if stop in resamplings:
                resampled.append(resampling_schemes.resample(state, parameters, data, chosen, settings))
            bar.update(n_steps)

    return SAEs(
        parameters={name: array.copy() for name, array in parameters.items()},
        seeds=data.seeds,
        toy_model=toy_model,
        sparsity_coefficient=data.sparsity_coefficient,
        k=data.k,
        settings=settings,
        engine=engine_name,
        recorded_steps=np.array(records, dtype=np.int64),
        history={
            name: np.array([record[name] for record in history], dtype=np.float32).reshape(
                len(records), *array.shape
            )
            for name, array in parameters.items()
        },
        resampling_steps=np.array(resamplings, dtype=np.int64),
        resampled=np.array(resampled, dtype=bool).reshape(len(resamplings), len(data.seeds), n_latents),
    )


def _several(value: object) -> tuple[Any, ...]:
    """One number as a tuple of one; several as they are. What is neither is for `SAESettings` to refuse."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(value)
    return (value,)


def _training_data(
    models: ToyModels,
    settings: SAESettings,
    seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | None,
) -> tuple[Integer[np.ndarray, " instance"], TrainingData]:
    """Which toy model each SAE has, and what it is trained on: all toy models with the first λ or k, …"""
    levels = max(len(settings.sparsity_coefficient), len(settings.k))
    toy_model = np.tile(np.arange(len(models)), levels)
    own = models.select(toy_model)

    def for_each(values: Sequence[float]) -> np.ndarray:
        return np.repeat(np.broadcast_to(values, levels), len(models))

    data = TrainingData(
        W=own.W,
        probability=own.probability,
        seeds=_seeds(models, seeds)[toy_model],
        sparsity_coefficient=for_each(settings.sparsity_coefficient).astype(np.float64),
        k=for_each(settings.k).astype(np.int64),
        toy_settings=models.settings,
    )
    return toy_model, data


def _initial_state(architecture: Architecture, data: TrainingData, settings: SAESettings) -> SAEState:
    parameters = join(
        architecture.initial(data, settings), architecture.shapes(data.n_hidden, settings.n_latents)
    )
    return SAEState(
        step=0,
        parameters=parameters,
        first_moment=np.zeros_like(parameters),
        second_moment=np.zeros_like(parameters),
        last_fired=np.full((len(parameters), settings.n_latents), -1, dtype=np.int64),
    )


def _engine(engine: str, architecture: Architecture, settings: SAESettings, models: ToyModels) -> str:
    arguments.choice("engine", engine, get_args(EngineName))
    if engine == "cuda":
        problem = gpu_problem() or triton_problem()
        if problem is not None:
            raise TrainingError(f"engine is cuda, but {problem}: use fused, torch or auto")
        logger.warning(NOT_YET_RUN)
        return engine
    if architecture.advance is None:
        lacking = f"architecture {settings.architecture} has no fused engine"
    elif models.settings.centred_inputs or models.settings.magnitudes != "uniform":
        lacking = "the fused engine has no toy models with centred inputs or other magnitudes than uniform"
    elif engine == "auto":
        from superposition_atlas.sae.fused import fused_saes

        fits = fused_saes.fits(models.n_features, models.n_hidden, settings.n_latents)
        return "fused" if fits else "torch"
    else:
        return engine
    if engine == "fused":
        raise TrainingError(f"engine is 'fused': {lacking}; use torch")
    return "torch"


def _steps(
    engine: str, architecture: Architecture, data: TrainingData, settings: SAESettings, threads: int
) -> Callable[[SAEState, int], None]:
    """What takes so many steps, in place. Engines are imported here, each only where it is needed."""
    if not architecture.trained:

        def only_count(state: SAEState, n_steps: int) -> None:
            state.step += n_steps

        return only_count
    if engine == "fused" and architecture.advance is not None:
        fused_saes = architecture.advance
        return lambda state, n_steps: fused_saes(state, n_steps, data, settings, threads)
    if engine == "cuda":
        from superposition_atlas.sae.cuda_engine import CudaSAEs

        return CudaSAEs(architecture, data, settings).advance
    if (absent := missing("torch")) is not None:
        raise TrainingError(f"these SAEs need engine torch, but {absent}")
    from superposition_atlas.sae import torch_engine

    return lambda state, n_steps: torch_engine.advance(architecture, state, n_steps, data, settings, threads)


def _seeds(
    models: ToyModels, seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | None
) -> Integer[np.ndarray, " instance"]:
    chosen = np.asarray(models.seeds if seeds is None else seeds)
    if chosen.shape != (len(models),):
        raise TrainingError(f"seeds has shape {chosen.shape}: must be one a toy model, ({len(models)},)")
    if not np.issubdtype(chosen.dtype, np.integer) or (chosen < 0).any():
        raise TrainingError(f"seeds is {chosen.tolist()!r:.60}: must be integers of at least 0")
    return chosen


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
