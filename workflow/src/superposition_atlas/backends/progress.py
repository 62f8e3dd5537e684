"""A progress bar on stderr."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(n_steps: int, description: str, progress: bool | None, n_taken: int = 0) -> "tqdm[Any]":
    """A bar on stderr, from n_taken on: True always, None on a terminal or in a notebook, False never."""
    disable = not (sys.stderr.isatty() or _is_in_notebook()) if progress is None else not progress
    return tqdm(total=n_steps, initial=n_taken, unit="step", desc=description, disable=disable)


def _is_in_notebook() -> bool:
    """Whether IPython runs this as a kernel: it then shows what is written to stderr."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"
