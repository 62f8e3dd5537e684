"""Checkpoints: all that training carries, on disk, so that a run that was ended goes on to the same bits.

A checkpoint is a sealed safetensors file (`storage`), replaced whole or not at all. It belongs to one call of
`train` or `train_saes`: to its seeds, schedule and settings, its engine, its code and the packages that
decide numbers. One that belongs to another call, or that is damaged, is ignored and replaced; any other file
is left alone.
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

from superposition_atlas import arguments
from superposition_atlas.errors import ArtefactError, TrainingError
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.provenance import package_versions, provenance_of
from superposition_atlas.storage.tensors import read_tensors, write_tensors

logger = logging.getLogger(__name__)

_KIND = "checkpoint of "
_LONGEST_HEADER = 2**20  # of a safetensors file, in which the spec stands


class Checkpoint:
    """One call's checkpoint, written at most every so many seconds."""

    def __init__(
        self, path: Path, seconds: float, what: str, spec: Mapping[str, Any], engine: str, module: str
    ) -> None:
        """Writes nothing yet.

        Args:
            path: the file.
            seconds: between two checkpoints.
            what: what is trained, "toy models" or "SAEs".
            spec: plain values and arrays that the result depends on.
            engine: name of the engine.
            module: dotted name of the module whose code decides the result.
        """
        self.path = path
        self._seconds = seconds
        self._engine = engine
        self._code = code_digest(module)
        self._spec = {
            **{name: _fingerprint(value) for name, value in spec.items()},
            "engine": engine,
            "kind": _KIND + what,
            "versions": package_versions(),
        }
        self._due = time.monotonic() + seconds
        self._exists = False

    def resume(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """Steps taken and tensors saved last, or None if there is nothing of use.

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
        return int(provenance["step"]), dict(tensors)

    @property
    def exists(self) -> bool:
        """Whether there is one of this call."""
        return self._exists

    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() >= self._due

    def save(self, step: int, tensors: Mapping[str, np.ndarray]) -> None:
        """Writes it.

        Raises:
            ArtefactError: if it can't be written.
        """
        provenance = provenance_of(self._spec, self._code, engine=self._engine, step=step)
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
        """Removes what a process left that was killed while it wrote."""
        for path in self.path.parent.glob(f".{glob.escape(self.path.name)}.*"):
            with suppress(OSError):
                path.unlink()


def check_arguments(checkpoint: object, seconds: float) -> tuple[Path | None, float]:
    """The arguments `checkpoint` and `checkpoint_seconds` of `train` and `train_saes`, checked.

    Raises:
        ArgumentError: if one is not what is allowed.
    """
    if not (isinstance(seconds, float) and seconds == np.inf):
        seconds = arguments.number("checkpoint_seconds", seconds, least=0)
    if checkpoint is None:
        return None, seconds
    return arguments.path("checkpoint", checkpoint), seconds


def _fingerprint(value: Any) -> Any:
    """Arrays by the digest of their bytes; other values as they are."""
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    return value
