"""Progress bars and notices on stderr, for whoever watches it."""

import logging
import sys
from typing import Any

from tqdm import tqdm


def progress_bar(n_steps: int, description: str, progress: bool | None, n_taken: int = 0) -> "tqdm[Any]":
    """A bar on stderr, from n_taken on: True always, None on a terminal or in a notebook, False never."""
    disable = not is_watched() if progress is None else not progress
    return tqdm(total=n_steps, initial=n_taken, unit="step", desc=description, disable=disable)


def notice(logger: logging.Logger, text: str) -> None:
    """Logs a line as information; without a log that takes it, prints it where somebody watches."""
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", text)
    elif is_watched():
        print(text, file=sys.stderr)


def is_watched() -> bool:
    """Whether stderr is a terminal or a notebook."""
    return sys.stderr.isatty() or _is_in_notebook()


def _is_in_notebook() -> bool:
    """Whether IPython runs this as a kernel: it then shows what is written to stderr."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"
