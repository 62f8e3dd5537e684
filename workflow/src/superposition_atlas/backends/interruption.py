"""An orderly end: Ctrl-C and SIGTERM wait until what is going on is safe."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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
