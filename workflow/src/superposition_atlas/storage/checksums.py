"""Seals: a checksum of the whole file inside the file, so that any damage is noticed.

A file is written with zeros in place of the checksum, hashed piece by piece (a large file takes no more
memory than a small one), and then the zeros are replaced. A PNG has a checksum for each of its parts, which
a seal inside would break; for a PNG, those are checked instead.

With the checksum stands which file of results/ was written, as a digest of its path, or that it was written
elsewhere. A whole file may be read under any name and in any place; only the check before a run, which
knows what each file must be, compares the place (`read_seal`).
"""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MARK = "superposition_atlas:sha256:"
_ANYWHERE = "0" * 16
"""Place of a file that was written outside results/."""
BLANK = f"{_MARK}{'0' * 64}:{_ANYWHERE}"
"""Placeholder that a file holds until it is sealed."""
_SEAL = re.compile(re.escape(_MARK.encode()) + rb"[0-9a-f]{64}:[0-9a-f]{16}")
_BLOCK = 1 << 20
"""Bytes that are hashed at a time."""
NO_SEAL = "no checksum: it ends early, or this pipeline did not make it"
_PNG = b"\x89PNG\r\n\x1a\n"


def unsummed(path: Path) -> str:
    """The seal of a file at `path`, with zeros for the checksum."""
    return BLANK.removesuffix(_ANYWHERE) + _place(path)


def seal(path: Path, belongs: Path) -> None:
    """Replaces the placeholders in a file by its checksum (a PDF holds its description twice).

    Args:
        path: the file.
        belongs: the path that the file will have.
    """
    checksum = _checksum(path, BLANK.encode(), unsummed(belongs).encode())
    starts = [start for start, piece, is_seal in _pieces(path) if is_seal and piece == BLANK.encode()]
    with path.open("r+b") as stream:
        for start in starts:
            stream.seek(start)
            stream.write(checksum)


def flaw(path: Path) -> str | None:
    """Why a file differs from what was written, or None. The suffix tells PNG files from others.

    Raises:
        OSError: if it can't be read.
    """
    return read_seal(path).flaw


@dataclass(frozen=True)
class Seal:
    """A checked seal."""

    flaw: str | None
    """Why the file differs from what was written, or None."""
    place: str = _ANYWHERE

    def belongs_at(self, path: Path) -> bool:
        """Whether the file may have been written as this one; a copy elsewhere may have any name."""
        return _ANYWHERE in (self.place, _place(path)) or self.place == _place(path)


def read_seal(path: Path) -> Seal:
    """Reads and checks the seal of a file. The suffix tells PNG files from others.

    Raises:
        OSError: if it can't be read.
    """
    if path.suffix == ".png":
        content = path.read_bytes()
        found = _SEAL.search(content)
        return Seal(_flaw_of_png(content), _place_in(found[0]) if found else _ANYWHERE)
    # More than one if a title, say, looks like a seal.
    pieces = {piece for _, piece, is_seal in _pieces(path) if is_seal}
    if not pieces:
        return Seal(NO_SEAL)
    for piece in pieces:
        if _checksum(path, piece, BLANK.encode()[: -len(_ANYWHERE)] + piece[-len(_ANYWHERE) :]) == piece:
            return Seal(None, _place_in(piece))
    return Seal("its checksum is wrong")


def has_seal(path: Path) -> bool:
    """Whether a file holds what looks like a seal: then this pipeline wrote it.

    Raises:
        OSError: if it can't be read.
    """
    return any(is_seal for _, _, is_seal in _pieces(path))


def _place_in(seal: bytes) -> str:
    return seal[-len(_ANYWHERE) :].decode()


def _place(path: Path) -> str:
    """Digest of a path below the working directory's results/, as the seal stores it."""
    # As it is typed, with no link followed: results/ may be a link, and rules write from here.
    below = os.path.relpath(os.path.abspath(path), os.path.abspath("results"))
    if below.split(os.sep)[0] in (os.pardir, os.curdir):
        return _ANYWHERE
    return hashlib.sha256(below.encode()).hexdigest()[: len(_ANYWHERE)]


def png_parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each part of a PNG.

    Raises:
        ValueError: if one ends early or its checksum is wrong.
    """
    at = len(_PNG)
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        part, end = content[at + 4 : at + 8 + length], at + 12 + length
        if end > len(content):
            raise ValueError("it ends early")
        if zlib.crc32(part) != int.from_bytes(content[end - 4 : end], "big"):
            raise ValueError("a checksum is wrong")
        yield part[:4], part[4:]
        at = end


def _flaw_of_png(content: bytes) -> str | None:
    if not content.startswith(_PNG):
        return "it does not begin as one"
    last = b""
    try:
        for kind, _ in png_parts(content):
            if last == b"IEND":
                return "something follows its end"
            last = kind
    except ValueError as error:
        return str(error)
    return None if last == b"IEND" else "it ends early"


def _checksum(path: Path, found: bytes, blank: bytes) -> bytes:
    """The seal of a file, hashed with `blank` in place of each `found`."""
    summed = hashlib.sha256()
    for _, piece, is_seal in _pieces(path):
        summed.update(blank if is_seal and piece == found else piece)
    head, tail = len(_MARK), len(_ANYWHERE) + 1
    return blank[:head] + summed.hexdigest().encode() + blank[-tail:]


def _pieces(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """The pieces of a file: offset, bytes, and whether they look like a seal."""
    start, rest = 0, b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            rest += block
            end = 0
            for match in _SEAL.finditer(rest):
                yield start + end, rest[end : match.start()], False
                yield start + match.start(), match[0], True
                end = match.end()
            # A seal may cross the border of two blocks.
            whole = max(end, len(rest) - len(BLANK) + 1)
            yield start + end, rest[end:whole], False
            start, rest = start + whole, rest[whole:]
    yield start, rest, False
