"""Training of SAEs: `train_saes` checks its arguments, chooses an engine and runs the training loop."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Integer

from superposition_atlas import arguments
from superposition_atlas.backends.gpu import NOT_YET_RUN, gpu_problem, triton_problem
from superposition_atlas.backends.memory import check_memory
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.covered_models import ENCODES, require_settings
from superposition_atlas.errors import ArgumentError, TrainingError
from superposition_atlas.sae.architecture import Architecture, TrainingData
from superposition_atlas.sae.architectures import registry
from superposition_atlas.sae.ensemble import Resampling, SAEs, SAESettings
from superposition_atlas.sae.sae_training import SAETraining
from superposition_atlas.toy_model import ToyModels
from superposition_atlas.training import loop
from superposition_atlas.training.checkpoint import Checkpoint, check_arguments

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "fused", "torch", "cuda"]

_BYTES_A_WEIGHT = 24
"""Memory that a weight of either matrix takes at least, with its two running means."""


def train_saes(
    models: ToyModels,
    *,
    architecture: str = "relu",
    n_latents: int,
    sparsity_coefficient: float | Sequence[float] = 0.2,
    sparsity_warmup_steps: int = 0,
    k: int | Sequence[int] = 1,
    tied: bool = False,
    initial_threshold: float = 0.1,
    bandwidth: float = 0.1,
    prefixes: Sequence[int] = (),
    auxiliary_coefficient: float = 1 / 32,
    resampling: Resampling = "auto",
    steps: int = 20_000,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    resample_every: int = 2500,
    dead_window: int = 500,
    resample_scale: float = 0.5,
    seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | int | None = None,
    record_steps: Sequence[int] = (),
    engine: EngineName = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 60.0,
) -> SAEs:
    """Trains an SAE for every toy model (and every λ or k), on its hidden activations h of its own samples.

    Each SAE has its own stream of samples, by its seed: its result does not depend on which others are
    trained in the same call, on the number of threads, or on what is recorded. SAEs of one toy model that
    differ in λ or k alone see the same samples.

    Args:
        models: the toy models, trained or `random_dictionaries`.
        architecture: Architecture of the SAEs: `relu` with an L1 penalty, `gated`, `jumprelu`, `topk`,
            `batch_topk`, `matryoshka`; or a baseline: `random` directions, a `frozen` random decoder with a
            trained encoder, `pca`; or one of your own (`docs/saes.md`).
        n_latents: Number of latents; ARENA takes as many as there are features.
        sparsity_coefficient: Weight λ of the sparsity term in the loss; a list trains SAEs for each of its
            numbers.
        sparsity_warmup_steps: First steps, over which λ rises linearly.
        k: Active latents a sample, of `topk`, `batch_topk` and `matryoshka`; a list trains SAEs for each of
            its numbers.
        tied: Whether the decoder is the encoder's transpose with rows of norm 1, of `relu` and `jumprelu`.
        initial_threshold: Threshold θ at the start, of `jumprelu`.
        bandwidth: Width ε of the window through which thresholds learn, of `jumprelu`.
        prefixes: Numbers of first latents that reconstruct by themselves, of `matryoshka`, ascending and
            below `n_latents`; all latents together always do.
        auxiliary_coefficient: Weight of the loss by which dead latents learn the error that the others leave,
            of `topk`, `batch_topk` and `matryoshka` (Gao et al. 2024).
        resampling: What happens to dead latents of `relu`: `none` leaves them, `simple` gives them random
            unit vectors, `advanced` gives them inputs that are badly reconstructed. `auto` is `simple`, with
            which most SAEs recover their features, or `none` where an architecture has no resampling.
        steps: Number of training steps.
        batch_size: Fresh samples a step, for each SAE by itself.
        learning_rate: Adam's learning rate, constant.
        resample_every: Steps from one resampling to the next, except in the last `dead_window` steps; at most
            `steps` where there is resampling.
        dead_window: Steps without firing after which a latent is dead; at most `resample_every`.
        resample_scale: Norm of a resampled latent's encoder weights; with `advanced`, relative to the mean
            norm of those alive.
        seeds: one a toy model, of samples, initial weights and resampling; default: the models' seeds. A
            number n means range(n).
        record_steps: numbers of steps taken (0 … steps) at which the weights are kept as history.
        engine: "fused" (compiled, CPU), "torch" (autograd, the reference), "cuda" (autograd on a GPU, in
            recorded steps), or "auto": fused where there is one and SAEs are not so large that torch is
            faster, else torch.
        threads: CPU threads; None takes all that this process may use.
        progress: True shows a bar on stderr, None on a terminal or in a notebook, False never.
        checkpoint: file to keep training in and to go on from, as in `train`.
        checkpoint_seconds: time between two checkpoints.

    Raises:
        ArgumentError: if an argument is not as above, or if the SAEs do not fit into memory.
        TrainingError: when engine "cuda" is asked for and there is none, or when weights are no longer
            finite; the message names SAE, seed, step and learning rate.
        DeviceError: if a GPU fails or has too little memory; the message names SAEs, seeds and steps.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; with a checkpoint, its message says where to go on from.
    """
    arguments.instance("models", models, ToyModels, "ToyModels, as sa.train returns them")
    require_settings(models, "SAEs", ENCODES)
    settings = SAESettings(
        n_latents=n_latents,
        architecture=architecture,
        sparsity_coefficient=_several("sparsity_coefficient", sparsity_coefficient),
        sparsity_warmup_steps=sparsity_warmup_steps,
        k=_several("k", k),
        tied=tied,
        initial_threshold=initial_threshold,
        bandwidth=bandwidth,
        prefixes=tuple(arguments.listed("prefixes", prefixes)),
        auxiliary_coefficient=auxiliary_coefficient,
        resampling=resampling,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        resample_every=resample_every,
        dead_window=dead_window,
        resample_scale=resample_scale,
    )
    chosen = registry.by_name(settings.architecture)
    if progress is not None:
        progress = arguments.flag("progress", progress)
    n_saes = len(models) * max(len(settings.sparsity_coefficient), len(settings.k))
    check_memory(
        _BYTES_A_WEIGHT * n_saes * models.n_hidden * settings.n_latents,
        n_latents=settings.n_latents,
        n_hidden=models.n_hidden,
        n_saes=n_saes,
    )
    path, seconds = check_arguments(checkpoint, checkpoint_seconds)
    engine_name = _engine(engine, chosen, settings, models)
    n_threads = available_threads() if threads is None else arguments.integer("threads", threads, most=4096)
    training = SAETraining(
        chosen,
        settings,
        *_training_data(models, settings, seeds),
        records=arguments.record_steps(record_steps, settings.steps),
        engine_name=engine_name,
        threads=n_threads,
    )
    loop.run(training, _checkpoint(training, path, seconds), progress)
    return training.saes()


def _checkpoint(training: SAETraining, path: Path | None, seconds: float) -> Checkpoint | None:
    if path is None:
        return None
    return Checkpoint(path, seconds, "SAEs", training.spec(), training.engine_name, __name__)


def _several(name: str, value: object) -> tuple[Any, ...]:
    """One number as a tuple of one; several as they are. What is neither is for `SAESettings` to refuse."""
    value = arguments.scalar(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return tuple(arguments.listed(name, value))
    return (value,)


def _training_data(
    models: ToyModels,
    settings: SAESettings,
    seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | int | None,
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
        structure=own.structure,
    )
    return toy_model, data


def _engine(engine: str, architecture: Architecture, settings: SAESettings, models: ToyModels) -> str:
    arguments.choice("engine", engine, get_args(EngineName))
    if engine == "cuda":
        problem = gpu_problem() or triton_problem()
        if problem is not None:
            raise TrainingError(f"engine is cuda, but {problem}: use fused, torch or auto")
        logger.warning(NOT_YET_RUN)
        return engine
    if architecture.fused is None:
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


def _seeds(
    models: ToyModels, seeds: Sequence[int] | Integer[np.ndarray, " toy_model"] | int | None
) -> Integer[np.ndarray, " instance"]:
    if seeds is None:
        return models.seeds
    chosen = arguments.seeds("seeds", seeds)
    if len(chosen) != len(models):
        raise ArgumentError(f"seeds has {len(chosen)} values: must be one a toy model, {len(models)}")
    return chosen
