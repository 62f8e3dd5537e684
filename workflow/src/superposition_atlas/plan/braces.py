"""Many paths in a few letters: a job's command stays short however many files the job reads."""

import re
import shlex
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

from superposition_atlas.plan.names import Wildcards

_PLAIN = re.compile(r"[A-Za-z0-9_./=-]*")


def braces(paths: Sequence[str]) -> str:
    """A pattern that bash expands to these paths, in their order: `results/{talk,wide}.parquet`.

    Paths with letters that mean something to bash are quoted one by one instead.
    """
    if len(paths) < 2 or not all(map(_PLAIN.fullmatch, paths)):
        return " ".join(map(shlex.quote, paths))
    # Whole words, which are easier to read than letters.
    words = [re.findall(r"[^/.]+|[/.]", path) for path in paths]
    n_first = _n_common(words)
    rests = [path[n_first:] for path in words]
    n_last = _n_common([rest[::-1] for rest in rests])
    middles = ["".join(rest[: len(rest) - n_last]) for rest in rests]
    end = "".join(rests[0][len(rests[0]) - n_last :])
    return f"{''.join(words[0][:n_first])}{{{','.join(middles)}}}{end}"


def _n_common(words: Sequence[Sequence[str]]) -> int:
    """How many words all sequences begin with."""
    return sum(1 for _ in takewhile(lambda alike: len(set(alike)) == 1, zip(*words, strict=False)))


def input_in_braces(role: str = "") -> Callable[[Wildcards, Any], str]:
    """A job's input files as such a pattern, as a param; Snakemake compares the files themselves.

    Args:
        role: name of the files among the rule's inputs; all of them if empty.
    """

    def pattern(wildcards: Wildcards, input: Any) -> str:
        files = getattr(input, role) if role else input
        return braces([files] if isinstance(files, str) else list(files))

    return pattern
