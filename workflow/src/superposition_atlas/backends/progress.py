"""A progress bar on stderr."""

from typing import Any

from tqdm import tqdm


def progress_bar(n_steps: int, description: str, progress: bool | None, n_taken: int = 0) -> "tqdm[Any]":
    """A bar on stderr, from n_taken on: with True always, with None on a terminal only, with False never."""
    # tqdm reads None as "unless on a terminal".
    disable = None if progress is None else not progress
    return tqdm(total=n_steps, initial=n_taken, unit="step", desc=description, disable=disable)
