"""SAEs as the training loop sees them: their state, their engine, resampling, and what is recorded."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer

from superposition_atlas.backends.optional_packages import missing
from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.architecture import Architecture, SAEState, TrainingData, join, split
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.sae.resampling import resample

_ARRAYS = ("parameters", "first_moment", "second_moment", "last_fired")


class SAETraining:
    """A `training.loop.Training` of SAEs."""

    def __init__(
        self,
        architecture: Architecture,
        settings: SAESettings,
        toy_model: Integer[np.ndarray, " instance"],
        data: TrainingData,
        *,
        records: Sequence[int],
        engine_name: str,
        threads: int,
    ) -> None:
        """Draws the initial weights; `toy_model` says which toy model each SAE has, for the result."""
        self._architecture, self._settings, self._data = architecture, settings, data
        self._toy_model, self._records = toy_model, records
        self._resamplings = _resampling_steps(settings)
        self._threads = threads
        self._shapes = architecture.shapes(data.n_hidden, settings.n_latents)
        self.engine_name = engine_name
        self.title = f"{architecture.name} SAEs"
        self.description = (
            f"{len(data.seeds)} {architecture.name} SAEs {data.n_hidden} → {settings.n_latents}, "
            f"{settings.steps} steps of {settings.batch_size} samples ({engine_name})"
        )
        self.steps = settings.steps
        self.stops: Collection[int] = {*records, *self._resamplings}
        self.state = self._initial_state()
        self.n_weights = self.state.parameters.size
        self._history: list[np.ndarray] = []
        self._resampled: list[np.ndarray] = []
        self._engine = self._engine_for(data)

    def advance(self, state: SAEState, n_steps: int) -> None:
        """See `training.loop.Training`."""
        self._engine(state, n_steps)

    def advance_one(self, state: SAEState, n_steps: int, instance: int) -> None:
        """See `training.loop.Training`."""
        self._engine_for(self._data.one(instance))(state, n_steps)

    def arrive(self) -> None:
        """Records weights, then resamples dead latents: what is recorded is the state before."""
        step, n_recorded, n_resamplings = self.state.step, len(self._history), len(self._resampled)
        if list(self._records[n_recorded : n_recorded + 1]) == [step]:
            self._history.append(self.state.parameters.copy())
        if self._resamplings[n_resamplings : n_resamplings + 1] == [step]:
            parameters = split(self.state.parameters, self._shapes)
            self._resampled.append(
                resample(self.state, parameters, self._data, self._architecture, self._settings)
            )

    def tensors(self) -> dict[str, np.ndarray]:
        """See `training.loop.Training`."""
        tensors = {name: getattr(self.state, name) for name in _ARRAYS}
        return tensors | {"history": self._stacked_history(), "resampled": self._stacked_resampled()}

    def restore(self, step: int, tensors: dict[str, np.ndarray]) -> None:
        """See `training.loop.Training`."""
        self.state = SAEState(step, *(tensors[name].copy() for name in _ARRAYS))
        self._history, self._resampled = list(tensors["history"]), list(tensors["resampled"])

    def diverged(self, instance: int, step: int) -> TrainingError:
        """See `training.loop.Training`."""
        return TrainingError(
            f"training diverged: the {self._architecture.name} SAE of seed {self._data.seeds[instance]} "
            f"(instance {instance}) has a weight that is no longer finite after {step} steps: "
            f"lower learning_rate ({self._settings.learning_rate})"
        )

    def spec(self) -> dict[str, Any]:
        """Everything that the result depends on, for a checkpoint."""
        data = self._data
        return {
            "W": data.W,
            "probability": data.probability,
            "seeds": data.seeds,
            "toy_models": data.toy_settings.as_dict(),
            "settings": self._settings.as_dict(),
            "record_steps": list(self._records),
        } | ({} if data.structure is None else {"structure": data.structure})

    def saes(self) -> SAEs:
        """The SAEs after the steps taken so far."""
        history = self._stacked_history()
        n_records = len(history)
        return SAEs(
            parameters={
                name: array.copy() for name, array in split(self.state.parameters, self._shapes).items()
            },
            seeds=self._data.seeds,
            toy_model=self._toy_model,
            sparsity_coefficient=self._data.sparsity_coefficient,
            k=self._data.k,
            settings=self._settings,
            engine=self.engine_name,
            recorded_steps=np.array(self._records, dtype=np.int64),
            history={
                name: array.reshape(n_records, *self._shape_of(name)).copy()
                for name, array in split(history.reshape(-1, history.shape[-1]), self._shapes).items()
            },
            resampling_steps=np.array(self._resamplings, dtype=np.int64),
            resampled=self._stacked_resampled(),
        )

    def _shape_of(self, name: str) -> tuple[int, ...]:
        return (len(self._data.seeds), *self._shapes[name])

    def _stacked_history(self) -> np.ndarray:
        shape = (len(self._history), *self.state.parameters.shape)
        return np.array(self._history, dtype=np.float32).reshape(shape)

    def _stacked_resampled(self) -> np.ndarray:
        shape = (len(self._resampled), *self.state.last_fired.shape)
        return np.array(self._resampled, dtype=bool).reshape(shape)

    def _initial_state(self) -> SAEState:
        parameters = join(self._architecture.initial(self._data, self._settings), self._shapes)
        return SAEState(
            step=0,
            parameters=parameters,
            first_moment=np.zeros_like(parameters),
            second_moment=np.zeros_like(parameters),
            last_fired=np.full((len(parameters), self._settings.n_latents), -1, dtype=np.int64),
        )

    def _engine_for(self, data: TrainingData) -> Callable[[SAEState, int], None]:
        """Takes steps in place. Engines are imported here, each only where it is needed."""
        architecture, settings = self._architecture, self._settings
        if not architecture.trained:
            return _only_count
        if self.engine_name == "fused":
            from superposition_atlas.sae.fused import fused_saes

            return lambda state, n: fused_saes.advance(architecture, state, n, data, settings, self._threads)
        if self.engine_name == "cuda":
            from superposition_atlas.sae.cuda_engine import CudaSAEs

            return CudaSAEs(architecture, data, settings).advance
        if (absent := missing("torch")) is not None:
            raise TrainingError(f"SAEs of this architecture or size need engine torch, but {absent}")
        from superposition_atlas.sae import torch_engine

        return lambda state, n: torch_engine.advance(architecture, state, n, data, settings, self._threads)


def _only_count(state: SAEState, n_steps: int) -> None:
    """The engine of architectures that are not trained."""
    state.step += n_steps


def _resampling_steps(settings: SAESettings) -> list[int]:
    if settings.resampling == "none":
        return []
    candidates = range(settings.resample_every - 1, settings.steps, settings.resample_every)
    # Before the first step no latent has had a chance to fire; at the end a new one would have none.
    return [n for n in candidates if 0 < n <= settings.steps - settings.dead_window]
