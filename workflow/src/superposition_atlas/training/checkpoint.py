"""Checkpoints: all that training carries, on disk, so that a run that was ended goes on to the same bits.

A checkpoint is a sealed safetensors file (`storage`), replaced whole or not at all. It belongs to one call
of `train`: to its seeds, schedule and settings, its engine, its code and the packages that decide numbers.
One that belongs to another call, or that is damaged, is of no use and is replaced; any other file is left
alone.
"""

import glob
import hashlib
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from superposition_atlas.errors import ArtefactError, TrainingError
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.provenance import package_versions, provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors
from superposition_atlas.toy_model import HISTORY_TENSORS
from superposition_atlas.training.problem import Problem, TrainingState, Weights

logger = logging.getLogger(__name__)

Records = list[tuple[Weights, np.ndarray]]
"""Weights and held-out losses at the record steps passed so far."""

_PARTS = ("weights", "mean", "square")
_KIND = "checkpoint of toy models"
_LONGEST_HEADER = 2**20  # of a safetensors file, in which the spec stands


class Checkpoint:
    """One call's checkpoint, written at most every so many seconds."""

    def __init__(self, path: Path, seconds: float, problem: Problem, engine: str) -> None:
        self.path = path
        self._seconds = seconds
        self._engine = engine
        self._code = code_digest("superposition_atlas.training.train_toy_models")
        self._spec = {
            "problem": _fingerprint(problem),
            "settings": problem.settings.as_dict(),
            "engine": engine,
            "kind": _KIND,
            "versions": package_versions(),
        }
        self._due = time.monotonic() + seconds
        self._exists = False

    def resume(self) -> tuple[TrainingState, Records] | None:
        """What was saved last, or None if there is nothing of use.

        Raises:
            TrainingError: if the path holds something else than a checkpoint.
        """
        self._clear_remains()
        if not self.path.exists():
            return None
        if not self._is_replaceable():
            raise TrainingError(
                f"checkpoint is {self.path}: must be a new file or a checkpoint, and this is something else"
            )
        try:
            tensors, provenance = read_tensors(self.path)
        except ArtefactError as error:
            logger.warning("checkpoint ignored: %s", error)
            return None
        if (provenance["spec"], provenance["code"]) != (self._spec, self._code):
            logger.warning("checkpoint ignored: %s belongs to other settings or code", self.path)
            return None
        self._exists = True
        parts = {part: Weights(tensors[f"{part}.W"], tensors[f"{part}.b"]) for part in _PARTS}
        state = TrainingState(step=int(provenance["step"]), loss_sum=tensors["loss_sum"], **parts)
        recorded = zip(*(tensors[f"recorded.{name}"] for name in HISTORY_TENSORS), strict=True)
        return state, [(Weights(W, b), feature_loss) for W, b, feature_loss in recorded]

    @property
    def exists(self) -> bool:
        """Whether there is one of this call."""
        return self._exists

    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() >= self._due

    def save(self, state: TrainingState, records: Records) -> None:
        """Writes it.

        Raises:
            ArtefactError: if it can't be written.
        """
        tensors = {"loss_sum": state.loss_sum}
        for name in _PARTS:
            part: Weights = getattr(state, name)
            tensors |= {f"{name}.W": part.W, f"{name}.b": part.b}
        tensors |= {f"recorded.{name}": array for name, array in stacked(records, state.weights).items()}
        provenance = provenance_of(self._spec, self._code, engine=self._engine, step=state.step)
        self._due = time.monotonic() + self._seconds  # also of the next attempt, should this one fail
        write_tensors(tensors, self.path, provenance)
        self._exists = True

    def _is_replaceable(self) -> bool:
        """Whether it is a checkpoint, of any call and in any state, or an empty file."""
        if not self.path.is_file():
            return False
        with suppress(OSError), self.path.open("rb") as file:
            start = file.read(_LONGEST_HEADER)
            return not start or _KIND.encode() in start
        return True  # which can't be read: that is said next

    def _clear_remains(self) -> None:
        """Takes away what a process left that was killed while it wrote."""
        for path in self.path.parent.glob(f".{glob.escape(self.path.name)}.*"):
            with suppress(OSError):
                path.unlink()


def stacked(records: Records, like: Weights) -> dict[str, np.ndarray]:
    """Records as the arrays of `toy_model.History`; with no records at all, of length 0."""
    empty = (0, *like.b.shape)
    if not records:
        return {
            "W": np.zeros((0, *like.W.shape), np.float32),
            "b": np.zeros(empty, np.float32),
            "feature_loss": np.zeros(empty),
        }
    return {
        "W": np.stack([weights.W for weights, _ in records]),
        "b": np.stack([weights.b for weights, _ in records]),
        "feature_loss": np.stack([feature_loss for _, feature_loss in records]),
    }


def _fingerprint(problem: Problem) -> Mapping[str, Any]:
    arrays = {
        "seeds": problem.seeds,
        "importance": problem.importance,
        "probability": problem.probability,
    }
    digests = {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in arrays.items()
    }
    return {"n_instances": problem.n_instances, "n_hidden": problem.n_hidden, **digests}
