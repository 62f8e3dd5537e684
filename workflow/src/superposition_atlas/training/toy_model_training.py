"""Toy models as the training loop sees them: their state, their engine, and what is recorded of them."""

from collections.abc import Collection
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.errors import TrainingError
from superposition_atlas.toy_model import HISTORY_TENSORS, History, ToyModels
from superposition_atlas.training.problem import Engine, Problem, TrainingState, Weights

LOSS_WINDOW = 100
"""`ToyModels.loss` is the mean over this many last steps (over all where there are fewer)."""

_PARTS = ("weights", "mean", "square")


class ToyModelTraining:
    """A `loop.Training` of toy models."""

    title = "training"

    def __init__(self, problem: Problem, engine: Engine) -> None:
        settings = problem.settings
        self.problem, self._engine = problem, engine
        self.engine_name = engine.name
        self.description = (
            f"{problem.n_instances} toy models {problem.n_features} → {problem.n_hidden}, "
            f"{settings.steps} steps of {settings.batch_size} samples ({engine.name})"
        )
        self.steps = settings.steps
        self.n_weights = problem.n_instances * problem.n_features * (problem.n_rows + 1)
        self._window = max(settings.steps - LOSS_WINDOW, 0)
        self.stops: Collection[int] = {self._window, *settings.record_steps}
        self.state = TrainingState.initial(problem)
        self._records: list[tuple[Weights, np.ndarray]] = []

    def advance(self, state: TrainingState, n_steps: int) -> None:
        """See `loop.Training`."""
        self._engine.advance(state, n_steps, self.problem)

    def advance_one(self, state: TrainingState, n_steps: int, instance: int) -> None:
        """See `loop.Training`."""
        self._engine.advance(state, n_steps, self.problem.select(slice(instance, instance + 1)))

    def arrive(self) -> None:
        """Starts the sum of losses anew where the last steps begin; records weights and held-out losses."""
        if self.state.step == self._window:
            self.state.loss_sum[:] = 0.0
        n_recorded = len(self._records)
        if self.problem.settings.record_steps[n_recorded : n_recorded + 1] == (self.state.step,):
            weights = self.state.copy().weights
            self._records.append((weights, self._engine.feature_loss(weights, self.problem)))

    def tensors(self) -> dict[str, np.ndarray]:
        """See `loop.Training`."""
        tensors = {"loss_sum": self.state.loss_sum}
        for name in _PARTS:
            part: Weights = getattr(self.state, name)
            tensors |= {f"{name}.W": part.W, f"{name}.b": part.b}
        return tensors | {f"recorded.{name}": array for name, array in self._recorded().items()}

    def restore(self, step: int, tensors: dict[str, np.ndarray]) -> None:
        """See `loop.Training`."""
        parts = {part: Weights(tensors[f"{part}.W"], tensors[f"{part}.b"]) for part in _PARTS}
        self.state = TrainingState(step=step, loss_sum=tensors["loss_sum"], **parts)
        recorded = zip(*(tensors[f"recorded.{name}"] for name in HISTORY_TENSORS), strict=True)
        self._records = [(Weights(W, b), feature_loss) for W, b, feature_loss in recorded]

    def diverged(self, instance: int, step: int) -> TrainingError:
        """See `loop.Training`."""
        problem, settings = self.problem, self.problem.settings
        return TrainingError(
            f"training diverged: the toy model of seed {problem.seeds[instance]} (instance {instance}) "
            f"has a loss, weight or running mean that is not finite after {step} steps; "
            f"learning_rate is {settings.learning_rate}, init_scale is {settings.init_scale}, "
            f"its largest importance is {problem.importance[instance].max():g}"
        )

    def spec(self) -> dict[str, Any]:
        """What the result depends on, for a checkpoint."""
        problem = self.problem
        return {
            "seeds": problem.seeds,
            "importance": problem.importance,
            "probability": problem.probability,
            "n_instances": problem.n_instances,
            "n_hidden": problem.n_hidden,
            "settings": problem.settings.as_dict(),
        } | ({} if problem.structure is None else {"structure": problem.structure})

    def models(self) -> ToyModels:
        """The toy models after the steps taken so far."""
        problem, settings = self.problem, self.problem.settings
        history = None
        if settings.record_steps:
            recorded = self._recorded()
            rows = _matrices(recorded.pop("W"), problem)
            history = History(np.array(settings.record_steps), **rows, **recorded)
        return ToyModels(
            **_matrices(self.state.weights.W, problem),
            b=self.state.weights.b,
            loss=self.state.loss_sum / (min(settings.steps, LOSS_WINDOW) or np.nan),
            seeds=problem.seeds,
            importance=problem.importance,
            probability=problem.probability,
            settings=settings,
            engine=self._engine.name,
            history=history,
            structure=problem.structure,
        )

    def _recorded(self) -> dict[str, np.ndarray]:
        """Records as the arrays of `toy_model.History`, W and W_out as one; with none at all, of length 0."""
        weights = self.state.weights
        if not self._records:
            empty = (0, *weights.b.shape)
            return {
                "W": np.zeros((0, *weights.W.shape), np.float32),
                "b": np.zeros(empty, np.float32),
                "feature_loss": np.zeros(empty),
            }
        return {
            "W": np.stack([recorded.W for recorded, _ in self._records]),
            "b": np.stack([recorded.b for recorded, _ in self._records]),
            "feature_loss": np.stack([feature_loss for _, feature_loss in self._records]),
        }


def _matrices(rows: Float[np.ndarray, "*lead row feature"], problem: Problem) -> dict[str, Any]:
    """W, and W_out where the rows have it, as ensembles and histories hold them."""
    W, W_out = rows[..., : problem.n_hidden, :], rows[..., problem.n_hidden :, :]
    if problem.settings.output_weights == "tied":
        return {"W": W}
    return {"W": np.ascontiguousarray(W), "W_out": np.ascontiguousarray(W_out)}
