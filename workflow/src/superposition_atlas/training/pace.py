"""How fast training goes: what it will cost, and how many steps to take until the next look around."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25  # between looks at signals, weights and the clock: cheap, and short enough for Ctrl-C
_SECONDS_A_WEIGHT = 2e-7  # of a pause's distance, where looking at millions of weights takes a while itself
_CALIBRATION_SECONDS = 0.02  # of the first steps, which are training as well


class Pace:
    """Measured on the steps themselves. It decides when training pauses, never what comes out."""

    def __init__(self, description: str, n_weights: int) -> None:
        self._description = description
        self._pause = max(_PAUSE_SECONDS, _SECONDS_A_WEIGHT * n_weights)
        self._is_known = False
        self._measured = 0.0
        self._best = float("inf")
        self.next_steps = 1
        """Steps to take before the next pause."""

    @contextmanager
    def measured(self, n_steps: int, n_left: int) -> Iterator[None]:
        """Around n_steps steps, with n_left to go before them. Logs the estimate once it is one."""
        start = time.perf_counter()
        yield
        taken = time.perf_counter() - start
        seconds_a_step = max(taken, 1e-9) / n_steps
        self._measured += taken
        self._best = min(self._best, seconds_a_step)  # what else the machine does only slows
        if not self._is_known and self._measured >= _CALIBRATION_SECONDS:
            self._is_known = True
            logger.info("%s: about %s", self._description, _duration(self._best * n_left))
        # The first steps are short of time to be measured by: no leap on their word.
        self.next_steps = max(1, min(8 * n_steps, int(self._pause / seconds_a_step)))


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
