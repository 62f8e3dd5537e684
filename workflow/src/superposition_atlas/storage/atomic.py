"""Files are written whole or not at all, and sealed with a checksum that reveals damage."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import checksums
from superposition_atlas.storage.file_kinds import content_of, is_whole, require_file

_PROBED_BYTES = 2**20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place on success and vanishes on any error.

    Raises:
        ArtefactError: if the file can't be written (no space, no permission).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise ArtefactError(f"{path}: can't be written ({error.strerror})") from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise ArtefactError(f"{path}: can't be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Writes a megabyte into a folder, as a file without a name. A missing folder is not created.

    Raises:
        ArtefactError: if that fails (no space, no permission), with what to do.
    """
    if not folder.exists():
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBED_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        raise ArtefactError(
            f"{folder.absolute()}: {reason}; mend that and run the same command again"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_sealed(content: bytes, path: Path) -> None:
    """Writes a file that holds its `provenance_text`, sealed.

    Raises:
        ArtefactError: if the file can't be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        checksums.seal(temporary, path)


def check_seal(path: Path, kind: str) -> None:
    """Checks that this pipeline wrote a file, and that every bit is as it was written.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    require_file(path)
    try:
        reason = checksums.flaw(path)
        if reason is None:
            return
        if checksums.has_seal(path):
            raise damaged(path, kind, reason)
        found = content_of(path)
        if kind not in found:
            raise ArtefactError(f"{path}: got {found}, allowed is a file of this pipeline ({kind})")
        if is_whole(path):
            raise ArtefactError(f"{path}: carries no provenance: this pipeline did not make it")
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    # It may be foreign: never advise to delete it.
    raise ArtefactError(f"{path}: {found} that ends early, or that this pipeline did not make")


def damaged(path: Path, kind: str, reason: str) -> ArtefactError:
    """The error for a file that bears the seal of this pipeline and has changed since, with what to do."""
    line = reason.strip().partition("\n")[0]
    return ArtefactError(
        f"{path}: not the {kind} file that this pipeline wrote ({line}); if it is one of its results, "
        "delete it and run the same command again"
    )
