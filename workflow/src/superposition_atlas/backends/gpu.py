"""Whether a GPU is to train, and whether it can: the one answer for rules, toy models and SAEs.

A GPU trains only when a configuration or a call names it. `auto` is the CPU: a job never depends on what the
machine that it comes to happens to have.
"""

import os

from superposition_atlas.backends.optional_packages import missing

NOT_YET_RUN = (
    "engine cuda has been tested in Triton's interpreter, and not yet run on a GPU: compare a few seeds with "
    "engine fused"
)


def gpu_is_asked_for(engine: str, device: str) -> bool:
    """Whether settings name a GPU, as engine or as device."""
    return "cuda" in (engine, device)


def gpu_problem() -> str | None:
    """Why torch can't compute on a GPU here, in half a sentence; None if it can.

    It computes there to know: a GPU can be visible and of no use, with another driver than torch was built
    for, with no memory left, or in a process that was forked.
    """
    if (absent := missing("torch")) is not None:
        return absent
    import torch

    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    try:
        torch.ones(2, device="cuda").sum().item()
    except (RuntimeError, AssertionError) as error:  # torch's own of many kinds, all of them RuntimeErrors
        return f"the GPU can't be used ({_first_line(error)})"
    return None


def triton_problem() -> str | None:
    """Why Triton can't compile kernels here, in half a sentence; None if it can."""
    if (absent := missing("triton")) is not None:
        return absent
    if os.environ.get("TRITON_INTERPRET") == "1":
        return None
    try:
        import triton

        triton.runtime.driver.active.get_current_device()  # compiles a small C program at first
    except Exception as error:  # a compiler's, a driver's or Triton's, of any kind
        needs = "for which it needs a C compiler and Python's headers"
        return f"Triton can't compile, {needs} ({_first_line(error)})"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
