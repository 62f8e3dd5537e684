"""Seals: the checksum of a whole file inside that file, so that any damage of it is noticed.

A file is written with zeros where the checksum will stand, summed piece by piece (a large one takes no more
memory), and the zeros replaced. PNG has a checksum of every part of its own, which a seal inside would break;
there, those are checked.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

_MARK = "superposition_atlas:sha256:"
PLACE = f"{_MARK}{'0' * 64}"
"""What a file holds until it is sealed."""
_SEAL = re.compile(re.escape(_MARK.encode()) + rb"[0-9a-f]{64}")
_BLOCK = 1 << 20
"""Bytes that are summed at a time."""
_PNG = b"\x89PNG\r\n\x1a\n"


def seal(path: Path) -> None:
    """Puts the checksum of a file in the places that it keeps for it (a PDF holds its description twice)."""
    checksum = _checksum(path, PLACE.encode())
    places = [start for start, piece, is_seal in _pieces(path) if is_seal and piece == PLACE.encode()]
    with path.open("r+b") as stream:
        for place in places:
            stream.seek(place)
            stream.write(checksum)


def flaw(path: Path) -> str | None:
    """Why a file is not what was written, or None if it is. Its suffix says whether it is a PNG.

    Raises:
        OSError: if it can't be read.
    """
    if path.suffix == ".png":
        return _flaw_of_png(path.read_bytes())
    # More than one if a title, say, looks like a seal.
    found = {piece for _, piece, is_seal in _pieces(path) if is_seal}
    if not found:
        return "no checksum: it ends early, or this pipeline did not make it"
    return None if any(_checksum(path, place) == place for place in found) else "its checksum is wrong"


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


def _checksum(path: Path, place: bytes) -> bytes:
    """The seal of a file, with zeros wherever `place` stands."""
    summed = hashlib.sha256()
    for _, piece, is_seal in _pieces(path):
        summed.update(PLACE.encode() if is_seal and piece == place else piece)
    return f"{_MARK}{summed.hexdigest()}".encode()


def _pieces(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """A file in pieces, each with where it starts and whether it looks like a seal."""
    start, rest = 0, b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            rest += block
            end = 0
            for match in _SEAL.finditer(rest):
                yield start + end, rest[end : match.start()], False
                yield start + match.start(), match[0], True
                end = match.end()
            # One may stand across the border of two blocks.
            whole = max(end, len(rest) - len(PLACE) + 1)
            yield start + end, rest[end:whole], False
            start, rest = start + whole, rest[whole:]
    yield start, rest, False
