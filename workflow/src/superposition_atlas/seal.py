"""Seals: the checksum of a whole file inside that file, so that any damage of it is noticed.

A file is written with zeros where the checksum will stand, summed, and the zeros replaced. PNG has a checksum
of every part of its own, which a seal inside would break; there, those are checked.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator

_MARK = "superposition_atlas:sha256:"
PLACE = f"{_MARK}{'0' * 64}"
"""What provenance holds until the file is sealed."""
_SEAL = re.compile(re.escape(_MARK.encode()) + rb"[0-9a-f]{64}")
_PNG = b"\x89PNG\r\n\x1a\n"


def sealed(content: bytes) -> bytes:
    """The content with its checksum in the places kept for it (a PDF holds its description twice)."""
    return content.replace(PLACE.encode(), _checksum(content, PLACE.encode()))


def flaw(content: bytes, suffix: str = "") -> str | None:
    """Why this is not what was written to a file of that suffix, or None if it is."""
    if suffix == ".png":
        return _flaw_of_png(content)
    # More than one if a title, say, looks like a seal.
    found = set(_SEAL.findall(content))
    if not found:
        return "no checksum: it ends early, or this pipeline did not make it"
    return None if any(_checksum(content, place) == place for place in found) else "its checksum is wrong"


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


def _checksum(content: bytes, place: bytes) -> bytes:
    """The seal of the content, with zeros wherever `place` stands."""
    summed, start, view = hashlib.sha256(), 0, memoryview(content)
    while (found := content.find(place, start)) >= 0:
        summed.update(view[start:found])
        summed.update(PLACE.encode())
        start = found + len(place)
    summed.update(view[start:])
    return f"{_MARK}{summed.hexdigest()}".encode()
