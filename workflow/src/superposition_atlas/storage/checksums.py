"""Seals: the checksum of a whole file inside that file, so that any damage of it is noticed.

A file is written with zeros where the checksum will stand, summed piece by piece (a large one takes no more
memory), and the zeros replaced. PNG has a checksum of every part of its own, which a seal inside would break;
there, those are checked.

With the checksum stands where below results/ the file belongs: one that was put in another's place is whole,
and wrong.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

_MARK = "superposition_atlas:sha256:"
_ANYWHERE = "0" * 16
"""Belongs to no place below results/."""
BLANK = f"{_MARK}{'0' * 64}:{_ANYWHERE}"
"""What a file holds until it is sealed."""
_SEAL = re.compile(re.escape(_MARK.encode()) + rb"[0-9a-f]{64}:[0-9a-f]{16}")
_BLOCK = 1 << 20
"""Bytes that are summed at a time."""
_PNG = b"\x89PNG\r\n\x1a\n"


def below_results(path: Path) -> str | None:
    """The path below results/, or None where it is not there."""
    above, results, below = path.absolute().as_posix().rpartition("/results/")
    return below if above and results else None


def unsummed(path: Path) -> str:
    """The seal of the file that is to stand at `path`, with zeros for the checksum."""
    return BLANK.removesuffix(_ANYWHERE) + _place(path)


def seal(path: Path, belongs: Path) -> None:
    """Puts the checksum of a file in the places that it keeps for it (a PDF holds its description twice).

    Args:
        path: the file.
        belongs: where it will stand.
    """
    checksum = _checksum(path, BLANK.encode(), unsummed(belongs).encode())
    starts = [start for start, piece, is_seal in _pieces(path) if is_seal and piece == BLANK.encode()]
    with path.open("r+b") as stream:
        for start in starts:
            stream.seek(start)
            stream.write(checksum)


def flaw(path: Path) -> str | None:
    """Why a file is not what was written there, or None if it is. Its suffix says whether it is a PNG.

    Raises:
        OSError: if it can't be read.
    """
    if path.suffix == ".png":
        content = path.read_bytes()
        return _flaw_of_png(content) or _misplaced(path, _SEAL.search(content))
    # More than one if a title, say, looks like a seal.
    found = {piece for _, piece, is_seal in _pieces(path) if is_seal}
    if not found:
        return "no checksum: it ends early, or this pipeline did not make it"
    for piece in found:
        if _checksum(path, piece, BLANK.encode()[: -len(_ANYWHERE)] + piece[-len(_ANYWHERE) :]) == piece:
            return _misplaced(path, _SEAL.match(piece))
    return "its checksum is wrong"


def _misplaced(path: Path, found: re.Match[bytes] | None) -> str | None:
    """What is wrong if a file's seal names another place; a copy from or to elsewhere may have any name."""
    named = found[0][-len(_ANYWHERE) :].decode() if found else _ANYWHERE
    if _ANYWHERE in (named, _place(path)) or named == _place(path):
        return None
    return "it was made as another file of results/"


def _place(path: Path) -> str:
    """Where a file belongs, as its seal has it."""
    below = below_results(path)
    return _ANYWHERE if below is None else hashlib.sha256(below.encode()).hexdigest()[: len(_ANYWHERE)]


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
    """The seal of a file, summed with `blank` wherever `found` stands."""
    summed = hashlib.sha256()
    for _, piece, is_seal in _pieces(path):
        summed.update(blank if is_seal and piece == found else piece)
    head, tail = len(_MARK), len(_ANYWHERE) + 1
    return blank[:head] + summed.hexdigest().encode() + blank[-tail:]


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
            whole = max(end, len(rest) - len(BLANK) + 1)
            yield start + end, rest[end:whole], False
            start, rest = start + whole, rest[whole:]
    yield start, rest, False
