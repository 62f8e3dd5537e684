"""What a long calculation asks of its process: threads, a bar that shows how far it is, an orderly end."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tqdm import tqdm


def available_threads() -> int:
    """CPUs that this process may run on: fewer than the machine's under Slurm or taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def progress_bar(n_steps: int, description: str, progress: bool | None, n_taken: int = 0) -> "tqdm[Any]":
    """A bar on stderr, from n_taken on: with True always, with None on a terminal only, with False never."""
    # tqdm reads None as "unless on a terminal".
    disable = None if progress is None else not progress
    return tqdm(total=n_steps, initial=n_taken, unit="step", desc=description, disable=disable)


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


@contextmanager
def deferred_signals() -> Iterator[Callable[[], str | None]]:
    """Keeps Ctrl-C and SIGTERM from ending what is going on; gives a function that names one that came.

    A second signal has its usual effect at once. Outside the main thread Python allows none of this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    received: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Who started this process may have wanted it to ignore one.
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(number: int, frame: FrameType | None) -> None:
        received.append("Ctrl-C" if number == signal.SIGINT else "SIGTERM")
        restore()

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: received[0] if received else None
    finally:
        restore()
