"""One run at a time in one folder, by a lock that the operating system drops with the process that holds it.

Snakemake's own lock is a file: it outlives a run that was killed, and the same command then refuses to go on.
"""

import errno
import fcntl
from pathlib import Path
from typing import IO

from superposition_atlas.errors import AtlasError

_HELD: list[IO[bytes]] = []


def lock_folder(folder: Path) -> None:
    """Holds the folder until this process ends.

    Raises:
        AtlasError: if another process holds it, or if the folder can't be written to.
    """
    file = folder / ".snakemake" / "superposition_atlas.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("ab")
    except OSError as error:
        raise AtlasError(f"{file}: can't be written ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise AtlasError(f"{folder}: another run is at work here; wait for it, or end it") from None
    except OSError as error:
        # Some network file systems have no locks; there, two runs at once are the user's own care.
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            raise AtlasError(f"{file}: can't be locked ({error.strerror})") from None
    _HELD.append(handle)
