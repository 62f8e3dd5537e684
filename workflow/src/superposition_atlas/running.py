"""What every long calculation asks of its process: how many threads, and a bar that shows how far it is."""

import os
from typing import Any

from tqdm import tqdm


def available_threads() -> int:
    """CPUs that this process may run on: fewer than the machine's under Slurm or taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def progress_bar(n_steps: int, description: str, progress: bool | None) -> "tqdm[Any]":
    """A bar on stderr: with True always, with None where stderr is a terminal, with False never."""
    # tqdm reads None as "unless on a terminal".
    disable = None if progress is None else not progress
    return tqdm(total=n_steps, unit="step", desc=description, disable=disable)
