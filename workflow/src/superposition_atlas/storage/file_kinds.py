"""Descriptions of files, for messages about a file of the wrong kind."""

import json
import os
import stat
from pathlib import Path

from superposition_atlas.errors import ArtefactError

_SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_BEGINNINGS = (
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive (as torch.save writes it)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"<svg", "an SVG picture"),
)
_HEAD = 512
"""Bytes that tell most formats."""


def require_file(path: Path) -> None:
    """Whether an ordinary file stands at a path.

    Raises:
        ArtefactError: if none does; the message says what does.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        broken = path.is_symlink()
        raise ArtefactError(
            f"{path}: a link to {os.readlink(path)}, which does not exist"
            if broken
            else f"{path}: no such file"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: can't be read ({getattr(error, 'strerror', error)})") from None
    special = _SPECIAL.get(stat.S_IFMT(mode))
    if special:
        raise ArtefactError(f"{path}: got {special}, allowed is a file")


def content_of(path: Path) -> str:
    """Kind of an ordinary file, in words, by its first bytes.

    Raises:
        OSError: if it can't be read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        return "an empty file"
    # The length of the header, which is JSON.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "a safetensors file"
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning):
            return words
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if head.lstrip().startswith(b"<?xml") or b"<svg" in head:
        return "an SVG picture" if b"<svg" in head else "an XML file"
    if b"\0" not in head:
        # The last character may be cut.
        text = head.decode("utf-8", "replace")[:-1]
        if "\ufffd" not in text:
            return "a JSON file" if text.lstrip()[:1] in ("{", "[") else "a text file"
    return "a file of unknown format"


def is_whole(path: Path) -> bool:
    """Whether a Parquet or safetensors file has its end: without a seal, it may be somebody else's.

    Raises:
        OSError: if it can't be read.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
        size = stream.seek(0, os.SEEK_END)
        if head[:4] == b"PAR1":
            stream.seek(max(size - 4, 0))
            return size > 8 and stream.read(4) == b"PAR1"
        length = int.from_bytes(head, "little")
        if not 2 <= length <= size - 8:
            return False
        stream.seek(8)
        header = stream.read(length)
    return _last_byte(header) == size - 8 - length


def _last_byte(header: bytes) -> int:
    """End of the tensors that a safetensors header names; -1 if it is no such header."""
    try:
        entries = json.loads(header)
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        return max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return -1
