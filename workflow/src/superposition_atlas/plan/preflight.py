"""Checks before a run: is the package the one of this checkout, are results whole, and may they be written?

A damaged table is noticed by the command that reads it. A picture or a PDF is read by no command, and a table
by none whose own result exists: Snakemake looks at their dates alone. So every result is read before a run.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from superposition_atlas.errors import ArtefactError, AtlasError, ConfigError
from superposition_atlas.plan.adoption import RECORDS_ELSEWHERE
from superposition_atlas.storage import checksums, layout
from superposition_atlas.storage.atomic import check_writable
from superposition_atlas.storage.file_kinds import require_file
from superposition_atlas.storage.lock import lock_folder

_NAMES = {".parquet": "Parquet", ".safetensors": "safetensors"}
_SOURCE = "workflow/src"


# --- the checkout ------------------------------------------------------------------------------------------


def name_checkout(root: Path) -> None:
    """Tells environment.post-deploy.sh, which Snakemake runs, where the checkout is."""
    os.environ["SUPERPOSITION_ATLAS_CHECKOUT"] = str(root)


def check_checkout(root: Path, package: Path = Path(__file__).parents[1]) -> None:
    """Whether the package that Python imports is the one of this checkout.

    Args:
        root: folder of the Snakefile.
        package: folder of the package that was imported.

    Raises:
        ConfigError: if it is another one, or if Snakemake can't work in such a folder; with what to do.
    """
    if {"{", "}"} & set(str(root)):
        raise ConfigError(
            f"{root}: got a folder with braces, allowed is one without (Snakemake takes them for wildcards); "
            "move it"
        )
    if package.resolve().is_relative_to((root / _SOURCE).resolve()):
        return
    advice = f"run: {sys.executable} -m pip install --editable {root}"
    if package.parent.name == Path(_SOURCE).name:
        raise ConfigError(
            f"superposition_atlas is that of another checkout, {package.parents[2]}; for this one, {root}, "
            f"use a Python environment of its own (make makes one), or {advice}"
        )
    raise ConfigError(
        f"superposition_atlas is installed as a copy in {package.parent}, so changes in {root} would "
        f"not count; {advice}"
    )


# --- results -----------------------------------------------------------------------------------------------


def refuse_damaged(paths: Iterable[str]) -> None:
    """Reads all that exist of these files of results/, about a second a gigabyte.

    Raises:
        ArtefactError: one line that names those which are not what was written.
    """
    named = sorted(path for path in set(paths) if os.path.lexists(path))
    with ThreadPoolExecutor() as pool:
        seals = dict(zip(named, pool.map(_seal, named), strict=True))
    damaged = [path for path, seal in seals.items() if seal.flaw]
    if damaged:
        first, *others = damaged
        suffix = Path(first).suffix
        kind = _NAMES.get(suffix, suffix.removeprefix(".").upper())
        # All of them, so that the line can be copied to delete them.
        also = f", and neither are {', '.join(others)}" if others else ""
        raise ArtefactError(
            f"{first}: not a whole {kind} file ({seals[first].flaw}){also}; "
            f"delete {'them' if others else 'it'} and run the same command again"
        )
    strangers = [path for path, seal in seals.items() if not seal.belongs_at(Path(path))]
    if strangers:
        are = "are whole, but were" if strangers[1:] else "is whole, but was"
        raise ArtefactError(
            f"{', '.join(strangers)} {are} written as another file of results/; put the right files back, or "
            "move these away and run the same command again"
        )


def _seal(path: str) -> checksums.Seal:
    try:
        require_file(Path(path))
        return checksums.read_seal(Path(path))
    except ArtefactError as error:
        return checksums.Seal(str(error).partition(": ")[2])
    except OSError as error:
        return checksums.Seal(error.strerror)


def note_memory(memory: Path) -> None:
    """Notes at the start of a run if Snakemake keeps its records elsewhere (--persistence-backend-db-url).

    Raises:
        ArtefactError: if the note can't be written.
    """
    note = memory / RECORDS_ELSEWHERE
    try:
        if (memory / "metadata").is_dir() or (memory / "metadata.db").is_file():
            note.unlink(missing_ok=True)
        else:
            note.touch()
    except OSError as error:
        raise ArtefactError(f"{note}: can't be written ({error.strerror})") from None


def sources(root: Path) -> Iterator[Path]:
    """Files of the checkout that rules have as inputs."""
    for folder in ("report", "resources", "src/superposition_atlas/explorer/page"):
        yield from (root / "workflow" / folder).rglob("*")


def date_back(paths: Iterable[str | Path]) -> None:
    """Dates files of the future as of now: the clock was set back since they were written.

    Snakemake fails a job whose output is older than its input; what is rebuilt, contents decide.
    """
    now = time.time()
    for path in map(Path, paths):
        with suppress(OSError):
            if path.stat().st_mtime > now:
                os.utime(path, (now, now))


# --- the folder --------------------------------------------------------------------------------------------


def hold_folder() -> None:
    """Takes the working directory, and results/ if it is a link: two runs would train everything twice.

    Raises:
        AtlasError: if another run holds it, or if nothing can be written there.
    """
    lock_folder(Path.cwd())
    if Path(layout.RESULTS).is_symlink():  # maybe another checkout's as well
        lock_folder(Path(layout.RESULTS).resolve())


def check_disk() -> None:
    """Room and permission, for the results and for what Snakemake keeps.

    Raises:
        ArtefactError: if there is none.
    """
    for folder in (Path(), Path(layout.RESULTS)):
        check_writable(folder)


def name_full_disk() -> None:
    """Prints the reason after a run that failed: a job's message is in its log, maybe on a full disk."""
    try:
        check_disk()
    except AtlasError as error:
        print(f"error: {error}", file=sys.stderr)
