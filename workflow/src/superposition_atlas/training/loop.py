"""The one training loop: pauses between steps, checkpoints, signals, and the search for a diverging step.

Toy models and SAEs are trained by it alike. It knows neither: what is trained describes itself as a
`Training`, and `run` decides when its engine pauses and what happens in the pause.
"""

import logging
from collections.abc import Collection
from contextlib import nullcontext
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from jaxtyping import Bool

from superposition_atlas.backends.interruption import deferred_signals
from superposition_atlas.backends.progress import progress_bar
from superposition_atlas.errors import ArtefactError, DeviceError, TrainingError
from superposition_atlas.training.checkpoint import Checkpoint
from superposition_atlas.training.pace import Pace

logger = logging.getLogger(__name__)


class State(Protocol):
    """All that training carries from one step to the next."""

    step: int
    """Steps taken."""

    def copy(self, instances: slice = ...) -> Self:
        """A copy of all instances or of some."""
        ...

    def is_finite(self) -> Bool[np.ndarray, " instance"]:
        """Whether all of an instance's numbers are finite."""
        ...


S = TypeVar("S", bound=State)


class Training(Protocol[S]):
    """What is trained, and by which engine."""

    title: str
    """For the progress bar."""
    description: str
    """For the log: how many, of what sizes, how many steps."""
    steps: int
    """Steps to take in all."""
    n_weights: int
    """Numbers that a pause looks at."""
    stops: Collection[int]
    """Numbers of steps taken at which `arrive` is called; also at 0 and at the end."""
    state: S

    def advance(self, state: S, n_steps: int) -> None:
        """Takes n_steps steps of all instances, in place; 0 only gets the engine ready."""
        ...

    def advance_one(self, state: S, n_steps: int, instance: int) -> None:
        """Takes the steps of one instance, whose state this is."""
        ...

    def arrive(self) -> None:
        """Records what is wanted at this step. Called again at a step where training was resumed."""
        ...

    def tensors(self) -> dict[str, np.ndarray]:
        """The state and all that was recorded, for a checkpoint."""
        ...

    def restore(self, step: int, tensors: dict[str, np.ndarray]) -> None:
        """Goes back to what `tensors` returned after so many steps."""
        ...

    def diverged(self, instance: int, step: int) -> TrainingError:
        """The error for an instance that is not finite after so many steps."""
        ...


def run(training: Training[Any], checkpoint: Checkpoint | None, progress: bool | None) -> None:
    """Takes all steps, or those that a checkpoint leaves.

    Raises:
        TrainingError: if a number stops being finite; the message names instance and step.
        DeviceError: if a GPU fails.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; with a checkpoint, its message says where to go on from.
    """
    saved = checkpoint.resume() if checkpoint else None
    if saved:
        training.restore(*saved)
        logger.info("going on from step %d of %d", training.state.step, training.steps)
    if training.steps:
        training.advance(training.state, 0)
    pace = Pace(training.description, training.n_weights)
    # Without a checkpoint there is nothing to bring to an orderly end.
    signals = deferred_signals() if checkpoint else nullcontext(lambda: None)
    bar = progress_bar(training.steps, training.title, progress, training.state.step)
    with bar, signals as signal_received:
        for stop in sorted({0, training.steps, *training.stops}):
            while training.state.step < stop:
                n_steps = min(pace.next_steps, stop - training.state.step)
                with pace.measured(n_steps, training.steps - training.state.step):
                    _advance(training, n_steps, checkpoint)
                bar.update(n_steps)
                if checkpoint and checkpoint.is_due() and not signal_received():
                    _save(checkpoint, training)
                if checkpoint and (name := signal_received()):
                    raise _interrupted(name, checkpoint, training)
            if training.state.step == stop:
                training.arrive()
        if checkpoint and (name := signal_received()):
            raise _interrupted(name, checkpoint, training)
        if checkpoint and checkpoint.exists:
            _save(checkpoint, training)


def _advance(training: Training[Any], n_steps: int, checkpoint: Checkpoint | None) -> None:
    """Takes steps, and looks whether all is finite afterwards."""
    before = training.state.copy()
    try:
        training.advance(training.state, n_steps)
    except DeviceError as error:
        training.state = before
        if checkpoint is None or not _save(checkpoint, training):
            raise
        raise DeviceError(
            f"{error}; {checkpoint.path} keeps the first {before.step} steps: the same call goes on there"
        ) from error
    finite = training.state.is_finite()
    if not finite.all():
        instance = int(np.flatnonzero(~finite)[0])
        raise training.diverged(instance, _diverging_step(training, before, n_steps, instance))


def _diverging_step(training: Training[Any], before: State, n_steps: int, instance: int) -> int:
    """Steps after which an instance is no longer finite: it is before these n_steps, and not after them."""
    good = before.copy(slice(instance, instance + 1))
    while n_steps > 1:
        trial = good.copy()
        training.advance_one(trial, n_steps // 2, instance)
        if trial.is_finite().all():
            good, n_steps = trial, n_steps - n_steps // 2
        else:
            n_steps //= 2
    return good.step + 1


def _save(checkpoint: Checkpoint, training: Training[Any]) -> bool:
    """Whether it could be saved."""
    try:
        checkpoint.save(training.state.step, training.tensors())
    except ArtefactError as error:  # what is trained is worth more than its checkpoint
        logger.warning("no checkpoint written: %s", error)
        return False
    return True


def _interrupted(signal_name: str, checkpoint: Checkpoint, training: Training[Any]) -> KeyboardInterrupt:
    """What to raise after a signal: it says what a checkpoint keeps."""
    is_saved = _save(checkpoint, training)
    remains = f"{checkpoint.path} keeps what is done" if is_saved else "nothing could be kept"
    return KeyboardInterrupt(f"{signal_name} at step {training.state.step} of {training.steps}; {remains}")
