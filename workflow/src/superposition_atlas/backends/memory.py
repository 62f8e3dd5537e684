"""How much memory there is, so that what can't fit is refused before memory is asked for."""

import math
import os
from functools import cache
from pathlib import Path

from superposition_atlas.errors import ArgumentError


def check_memory(n_bytes: float, **sizes: int) -> None:
    """Refuses what cannot fit, before memory is asked for.

    Args:
        n_bytes: bytes that will be needed at least.
        sizes: arguments that they follow from, with their values.

    Raises:
        ArgumentError: if the machine does not have as many.
    """
    if n_bytes > machine_memory():
        given = ", ".join(f"{name} {value}" for name, value in sizes.items())
        first = next(iter(sizes))
        raise ArgumentError(
            f"{first} is {sizes[first]}: must be smaller, as {n_bytes / 1e9:,.0f} GB would be needed and "
            f"there are {machine_memory() / 1e9:,.0f} GB ({given})"
        )


@cache
def machine_memory() -> float:
    """Bytes that this process may use at most: the machine's, or its container's."""
    try:
        found = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # not every system says
        return math.inf
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found = min(found, float(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no container, or no limit ("max")
            continue
    return found
