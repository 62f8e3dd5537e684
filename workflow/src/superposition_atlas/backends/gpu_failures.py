"""Failures of a GPU as errors that say what was being done."""

from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CalledProcessError

import triton

from superposition_atlas.errors import DeviceError


@contextmanager
def failures_named(what: str) -> Iterator[None]:
    """Raises a DeviceError of one line, "the GPU failed" and what it was at, where CUDA or Triton fails."""
    try:
        yield
    except (RuntimeError, OSError, CalledProcessError, triton.TritonError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DeviceError(f"the GPU failed {what}: {reason}") from error
