"""What the jobs of a map say they had to do, read from the log."""

import logging
import re

import pytest


class Said:
    """How many are new, of how many, and how many there were already, since it was last asked."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        caplog.set_level(logging.INFO, logger="superposition_atlas.maps")

    def trained(self) -> tuple[int, int, int]:
        """Toy models."""
        return self._counted(r"trains (\d+) of (\d+) toy models, (\d+) are there already")

    def solved(self) -> tuple[int, int, int]:
        """Schedules."""
        return self._counted(r"solves (\d+) of (\d+) schedules, (\d+) are there already")

    def _counted(self, line: str) -> tuple[int, int, int]:
        ((new, of, kept),) = re.findall(line, self._caplog.text)
        self._caplog.clear()
        return int(new), int(of), int(kept)
