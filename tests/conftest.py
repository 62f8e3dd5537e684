"""What all tests share."""

import os
import shutil
import signal

import pytest
from hypothesis import settings

# Kernels for a GPU run in Triton's interpreter where there is none. Triton asks when it is first imported.
if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")

# A shell's background jobs ignore Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing about the code: other tests run on the same cores.
settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One of pytest's workers runs all tests of a file: what they share is built, and compiled, once.

    Tests on Slurm, which wait most, come first, and then those that run whole workflows, so that no worker is
    left with one when the others have ended (with xdist's `--no-loadscope-reorder`).
    """
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("slurm", "workflow")])
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
