"""Provenance inside pictures and documents, in the place that each format has for a description.

SVG: dc:description. PNG: the text Description. GIF: a comment. JSON: a key of its own, and so in the data of
an HTML page. PDF: dc:source of its metadata (XMP), which leaves title, subject and keywords to libraries.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from superposition_atlas.storage import checksums
from superposition_atlas.storage.atomic import check_seal
from superposition_atlas.storage.provenance import PROVENANCE_KEY, parsed_provenance, provenance_text

KEY = PROVENANCE_KEY
HTML_DATA = '<script type="application/json" id="data">'
"""The tag before a page's data."""
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
_SOURCE = "{http://purl.org/dc/elements/1.1/}source"
_GIF_COMMENT = b"\x21\xfe"
_GIF_HEADER = 13  # bytes, before the table of colours
_LONGEST = 255  # bytes of a GIF's block


def figure_metadata(path: Path, provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """Metadata for Matplotlib to write into an .svg or .png: the provenance, and no date."""
    text = provenance_text(provenance, ascii_only=True)
    if path.suffix == ".svg":
        return {"Description": text, "Date": None}
    # Never sealed: a checksum inside would break those that a PNG has of its parts.
    return {"Description": text.replace(checksums.BLANK, checksums.unsummed(path)), "Software": None}


def with_comment(gif: bytes, provenance: Mapping[str, Any]) -> bytes:
    """A GIF with its provenance as a comment."""
    # The seal comes first: no block's length may stand inside it.
    text = f"{checksums.BLANK} {provenance_text(provenance, ascii_only=True)}".encode()
    parts = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    start = _after_colours(gif)
    return gif[:start] + _GIF_COMMENT + blocks + b"\0" + gif[start:]


def with_source(pdf: bytes, provenance: Mapping[str, Any]) -> bytes:
    """A PDF with its provenance as dc:source of its metadata, which typst has no way to set.

    Args:
        pdf: with metadata that are not compressed and a table of cross-references, as typst writes it.
        provenance: see `storage.provenance`.

    Raises:
        ValueError: if it is no such PDF.
    """
    text = escape(provenance_text(provenance, ascii_only=True))
    start = pdf.index(b"<x:xmpmeta")
    end = pdf.index(b"</rdf:Description>", start)
    source = f"<dc:source>{text}</dc:source>".encode()
    lengths = list(re.finditer(rb"/Length (\d+)", pdf[:start]))
    length = lengths[-1]
    number = str(int(length[1]) + len(source)).encode()
    grown = pdf[: length.start(1)] + number + pdf[length.end(1) : end] + source + pdf[end:]
    added = len(grown) - len(pdf)
    table = grown.rindex(b"\nxref\n") + 1
    entries = grown.index(b"\n", table + len(b"xref\n")) + 1
    trailer = grown.index(b"trailer", entries)

    def moved(match: re.Match[bytes]) -> bytes:
        place = int(match[1])
        return b"%010d" % (place + added if place > start else place) + match[2]

    references = re.sub(rb"(\d{10})( \d{5} n)", moved, grown[entries:trailer])
    last = re.sub(rb"startxref\s+\d+", b"startxref\n%d" % table, grown[trailer:])
    return grown[:entries] + references + last


def read_provenance(path: Path) -> dict[str, Any]:
    """The provenance of a file whose suffix is one of `READERS`.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    kind = path.suffix.removeprefix(".").upper()
    check_seal(path, kind)
    text: str | bytes = ""
    with suppress(LookupError, ValueError, ElementTree.ParseError):
        text = READERS[path.suffix](path.read_bytes())
    return parsed_provenance(text, path)


def _from_svg(content: bytes) -> str:
    return _description(content)


def _from_png(content: bytes) -> bytes:
    texts = dict(part.split(b"\0", 1) for kind, part in checksums.png_parts(content) if kind == b"tEXt")
    return texts[b"Description"]


def _from_gif(content: bytes) -> bytes:
    at = _after_colours(content)
    if content[at : at + 2] != _GIF_COMMENT:
        raise ValueError("no comment")
    at, text = at + 2, b""
    while length := content[at]:
        text += content[at + 1 : at + 1 + length]
        at += 1 + length
    return text.partition(b" ")[2]


def _from_json(content: bytes) -> str:
    return json.dumps(json.loads(content)[KEY])


def _from_html(content: bytes) -> str:
    return _from_json(content.split(HTML_DATA.encode(), 1)[1].split(b"</script>", 1)[0])


def _from_pdf(content: bytes) -> str:
    start, end = content.index(b"<x:xmpmeta"), content.index(b"</x:xmpmeta>") + len(b"</x:xmpmeta>")
    return _description(content[start:end], _SOURCE)


def _description(xml: bytes, name: str = _DESCRIPTION) -> str:
    found = ElementTree.fromstring(xml).find(f".//{name}")
    if found is None:
        raise ValueError("no description")
    return "".join(found.itertext())


def _after_colours(gif: bytes) -> int:
    flags = gif[10]
    return _GIF_HEADER + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)


READERS: dict[str, Callable[[bytes], str | bytes]] = {
    ".svg": _from_svg,
    ".png": _from_png,
    ".gif": _from_gif,
    ".json": _from_json,
    ".html": _from_html,
    ".pdf": _from_pdf,
}
"""Functions that get the provenance text out of a file, by suffix."""
