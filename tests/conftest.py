"""What all tests share."""

import os
import shutil
import signal

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
