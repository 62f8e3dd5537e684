"""Before a run: are the results that are there what was written?

A damaged table is noticed by whoever reads it. A picture or a PDF is read by nobody, and a table by nobody
whose own result is there already: Snakemake looks at their dates alone.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from superposition_atlas import seal, storage
from superposition_atlas.errors import ArtefactError

_NAMES = {".parquet": "Parquet", ".safetensors": "safetensors"}
_MOST_NAMED = 20


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
        raise storage.damaged(first, kind, reason)
    also = ", ".join(str(path) for path, _ in others[: _MOST_NAMED - 1])
    more = f" and {len(others) - _MOST_NAMED + 1} more" if len(others) >= _MOST_NAMED else ""
    raise ArtefactError(
        f"{first}: not a whole {kind} file ({reason}), and neither are {also}{more}; "
        "delete them and run the same command again"
    )


def _flaw(path: str) -> str | None:
    try:
        return seal.flaw(Path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror
