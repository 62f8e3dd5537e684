"""Before a run: are the results that are there what was written, and not of the future?

A damaged table is noticed by whoever reads it. A picture or a PDF is read by nobody, and a table by nobody
whose own result is there already: Snakemake looks at their dates alone.
"""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums
from superposition_atlas.storage.atomic import damaged

_NAMES = {".parquet": "Parquet", ".safetensors": "safetensors"}


def refuse_damaged(paths: Iterable[str]) -> None:
    """Reads all that exist of these files, about a second a gigabyte.

    Raises:
        ArtefactError: one line that names those which are not what was written.
    """
    with ThreadPoolExecutor() as pool:
        named = sorted(set(paths))
        found = [(Path(path), flaw) for path, flaw in zip(named, pool.map(_flaw, named), strict=True) if flaw]
    if not found:
        return
    (first, reason), *others = found
    kind = _NAMES.get(first.suffix, first.suffix.removeprefix(".").upper())
    if not others:
        raise damaged(first, kind, reason)
    # All of them, so that the line can be copied to delete them.
    also = ", ".join(str(path) for path, _ in others)
    raise ArtefactError(
        f"{first}: not a whole {kind} file ({reason}), and neither are {also}; "
        "delete them and run the same command again"
    )


def date_back(paths: Iterable[str | Path]) -> None:
    """Dates files of the future as of now: the clock was set back since they were written.

    Snakemake fails a job whose output is older than its input; what is rebuilt, contents decide.
    """
    now = time.time()
    for path in map(Path, paths):
        with suppress(OSError):
            if path.stat().st_mtime > now:
                os.utime(path, (now, now))


def refuse_unknown(paths: Iterable[str], memory: Path) -> None:
    """Whether files may be of another configuration, since Snakemake, which would know, remembers nothing.

    Args:
        paths: of results.
        memory: Snakemake's folder.

    Raises:
        ArtefactError: if some of them exist, and `memory` has no record of any job, done or begun.
    """
    there = sorted(path for path in paths if Path(path).is_file())
    records = (record for name in ("metadata", "incomplete") for record in (memory / name).rglob("*"))
    if there and next(records, None) is None:
        raise ArtefactError(
            f"{there[0]}: of what configuration it is can't be told, nor of {len(there) - 1} other files, "
            f"since {memory}/ has no record of them; bring back {memory}/, or delete all of results/ but "
            "checkpoints/ (training is kept there) and run the same command again"
        )


def _flaw(path: str) -> str | None:
    if os.path.exists(path) and not os.path.isfile(path):
        return "not a file"
    try:
        return checksums.flaw(Path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror
