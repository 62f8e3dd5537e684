"""What was trained or solved before, so that more seeds or a finer grid cost the new items only.

Snakemake removes what a job declares before it runs the job again, so a store is not declared. It is a folder
of files, each written whole. An item is known by a key, which says all that sets it apart from others of the
store, and counts only if it was made with the same settings, code and packages.

Jobs may share a store if none has a key between the keys of another: each then leaves alone what the others
have half written.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage.provenance import package_versions

logger = logging.getLogger(__name__)

Items = TypeVar("Items")

_DECIDE_BITS = ("numpy", "numba", "scipy", "torch")
"""Packages that decide what comes out, to the last bit."""


@dataclass(frozen=True)
class FileFormat(Generic[Items]):
    """How the items of a store are written."""

    suffix: str
    read: Callable[[Path], tuple[Items, dict[str, Any]]]
    """Items and provenance; raises an ArtefactError if the file is not whole."""
    write: Callable[[Items, Path, Mapping[str, Any], str], None]
    """Takes items, path, spec and code."""


class Store(Generic[Items]):
    """The items that are made in one way, in one folder."""

    def __init__(
        self, folder: Path, spec: Mapping[str, Any], code: str, file_format: FileFormat[Items]
    ) -> None:
        """`spec` and `code` say how items are made."""
        versions = package_versions()
        self._folder = folder
        self._spec = {**spec, "versions": {name: versions[name] for name in _DECIDE_BITS if name in versions}}
        self._code = code
        self._format = file_format

    def read(self, keys: Sequence[str], elsewhere: Sequence[Path] = ()) -> list[Items]:
        """Files that hold items of these keys, and maybe others.

        Files of other settings or code and damaged ones are removed; the log says so. In the folders of other
        stores, `elsewhere`, they are passed over and nothing is changed.
        """
        found = []
        for path in [*self._files(keys), *(path for folder in elsewhere for path in _whole(folder, keys))]:
            try:
                items, provenance = self._format.read(path)
                if (provenance["spec"], provenance["code"]) != (self._spec, self._code):
                    raise ArtefactError(f"{path}: belongs to other settings or code")
                found.append(items)
            except ArtefactError as error:
                if path.parent == self._folder and path.exists():  # another shard's job may have been faster
                    logger.warning("what was made before is ignored, and removed: %s", error)
                    path.unlink(missing_ok=True)
        return found

    def add(self, items: Items, keys: Sequence[str], name: str = "") -> None:
        """Adds items; `name` tells files apart whose lowest and highest keys are the same.

        Raises:
            ArtefactError: if they can't be written.
        """
        path = self._folder / f"{min(keys)}-{max(keys)}-{name}{self._format.suffix}"
        self._format.write(items, path, self._spec, self._code)

    def _files(self, keys: Sequence[str]) -> list[Path]:
        """The files in whose range of keys one of these may be."""
        for path in self._folder.glob(f".*{self._format.suffix}") if keys else ():
            # Half a file, of a job that was killed: no other job writes in this range of keys.
            if min(keys) <= path.name.removeprefix(".").partition("-")[0] <= max(keys):
                path.unlink(missing_ok=True)
        return _whole(self._folder, keys)


def _whole(folder: Path, keys: Sequence[str]) -> list[Path]:
    """The files of a store in whose range of keys one of these may be, but for those half-written."""
    if not keys:
        return []
    lowest, highest = min(keys), max(keys)
    found = []
    for path in sorted(folder.glob("[!.]*-*-*")):
        first, last, _ = path.name.split("-", 2)
        if first <= highest and last >= lowest and path.is_file():
            found.append(path)
    return found
