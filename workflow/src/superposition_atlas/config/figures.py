"""Kinds of figures that an experiment or a map may have, as its key `figures` chooses them."""

from typing import Any, get_args


def figure_kinds(chosen: bool | list[str], allowed: Any) -> tuple[str, ...]:
    """The kinds as a configuration writes them.

    Args:
        chosen: all of them (`True`), none (`False`), or their names.
        allowed: the `Literal` of all kinds.
    """
    if isinstance(chosen, bool):
        return get_args(allowed) if chosen else ()
    return tuple(chosen)
