"""How many threads a calculation may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def available_threads() -> int:
    """CPUs that this process may run on: fewer than the machine's under Slurm or taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Torch's thread count is global: set it for the length of a call."""
    import torch  # here: only those who train with it wait for it

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
