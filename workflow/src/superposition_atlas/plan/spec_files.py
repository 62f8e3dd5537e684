"""Specs of jobs as files named by their digests: a command that holds its spec would be up to 25 kB long.

A job reads its spec from standard input. A dry run writes nothing: the files of a run are written when it
starts, and a job on a cluster, which plans for itself, writes its file again if it isn't there.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.plan.names import Wildcards
from superposition_atlas.storage.atomic import atomic_path

FOLDER = ".snakemake/superposition_atlas.specs"
_DIGITS = 16

Spec = Callable[[Wildcards, Any], str]


class SpecFiles:
    """The files of the jobs that this process plans.

    Args:
        has_started: whether jobs run already, so that each file is written as soon as it is planned.
    """

    def __init__(self, has_started: bool = False) -> None:
        self._has_started = has_started
        self._planned: dict[Path, str] = {}

    def of(self, spec: Spec) -> Callable[[Wildcards], str]:
        """A job's file, as a param. Another spec has another name, so the job runs again."""

        def file(wildcards: Wildcards) -> str:
            return self._plan(spec(wildcards, None))

        return file

    def untracked(self, spec: Spec) -> Callable[[Wildcards, Any], str]:
        """A job's file, as a param that Snakemake does not compare, since the function takes `input`."""

        def file(wildcards: Wildcards, input: Any) -> str:
            return self._plan(spec(wildcards, input))

        return file

    def write(self) -> None:
        """Writes all files that are planned, and from now on each that will be.

        Raises:
            ArtefactError: if a file can't be written.
        """
        self._has_started = True
        for path, text in self._planned.items():
            _write(path, text)

    def _plan(self, text: str) -> str:
        path = Path(FOLDER, f"{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}.json")
        if self._planned.setdefault(path, text) is text and self._has_started:
            _write(path, text)
        return path.as_posix()


def _write(path: Path, text: str) -> None:
    """Writes a file that isn't there, or was changed by hand."""
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
