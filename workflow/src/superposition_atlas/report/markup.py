"""The light markup of the report's sentences, and its three readings: for typst, for a terminal, for tests.

    **strong**   *emphasis*   `code`   $formula$ (a key of `maths.FORMULAS`)   <https://link>
    [@key] a reference   ([[figure:all_cases]]) a figure or table, which vanishes where the document has none

A backslash takes the meaning from the next character; `literal` does so for text of a user's.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from superposition_atlas.report.maths import FORMULAS

Run = dict[str, Any]
"""One piece of a line: its kind, and what the kind needs."""

_ANY = r"((?:\\.|[^\\])+?)"
_TOKEN = re.compile(
    rf"\\(?P<escaped>.)|\*\*(?P<strong>{_ANY})\*\*|\*(?P<emphasis>{_ANY})\*|`(?P<code>{_ANY})`"
    rf"|\$(?P<maths>{_ANY})\$|\[\[(?P<place>[^\]]+)\]\]|\[@(?P<cite>[^\]]+)\]|<(?P<link>https?://[^>]+)>",
    re.DOTALL,
)
_PLACES = re.compile(r"\s*\((?:see )?((?:\[\[[^\]]+\]\](?:, | and )?)+)\)")
_PLACE = re.compile(r"\[\[([^\]]+)\]\]")
_CITATION = re.compile(r"(?<!\\)\[@([^\]]+)\]")
_LONGEST_WORD = 30


def literal(text: str) -> str:
    """A user's text as it stands, with places to break where a word is longer than a line may hold."""
    broken = re.sub(rf"\S{{{_LONGEST_WORD}}}", lambda match: match[0] + "\u200b", text)
    return re.sub(r"([\\*$`\[<])", r"\\\1", broken)


def runs(text: str) -> list[Run]:
    """The pieces of a line.

    Raises:
        KeyError: if a formula is not among `maths.FORMULAS`.
    """
    found: list[Run] = []

    def add_text(piece: str) -> None:
        if found and found[-1]["kind"] == "text":
            found[-1]["text"] += piece
        elif piece:
            found.append({"kind": "text", "text": piece})

    at = 0
    for match in _TOKEN.finditer(text):
        add_text(text[at : match.start()])
        at = match.end()
        kind = str(match.lastgroup)
        inner = match[kind]
        if kind == "escaped":
            add_text(inner)
        elif kind in ("strong", "emphasis"):
            found.append({"kind": kind, "runs": runs(inner)})
        elif kind == "maths":
            formula = FORMULAS[inner]
            found.append({"kind": kind, "typst": formula.typst, "spoken": formula.spoken})
        else:
            found.append({"kind": kind, "text": inner})
    add_text(text[at:])
    return found


def plain(text: str) -> str:
    """The line for a terminal: no figures, no references, formulas in letters."""
    return _plain(runs(re.sub(rf"\s*{_CITATION.pattern}", "", _PLACES.sub("", text))))


def _plain(pieces: list[Run]) -> str:
    by_typst = {formula.typst: formula.plain for formula in FORMULAS.values()}
    words = []
    for run in pieces:
        if run["kind"] == "maths":
            words.append(by_typst[run["typst"]])
        else:
            words.append(_plain(run["runs"]) if "runs" in run else run["text"])
    return "".join(words).replace("\u200b", "")


def with_places(text: str, labels: Mapping[str, str]) -> str:
    """Names the figures and tables that a line refers to by their labels; those that are absent vanish.

    Args:
        text: with `([[figure:module]])`, `([[table:name]])`, or more than one within the parentheses.
        labels: label in the document by such a name.
    """

    def replaced(match: re.Match[str]) -> str:
        present = [labels[name] for name in _PLACE.findall(match[1]) if name in labels]
        return f" ({', '.join(f'[[{label}]]' for label in present)})" if present else ""

    return _PLACES.sub(replaced, text)


def places(text: str) -> list[str]:
    """Names of the figures and tables that a line refers to, as `figure:module` or `table:name`."""
    return [name for match in _PLACES.finditer(text) for name in _PLACE.findall(match[1])]


def cited(texts: Collection[str]) -> list[str]:
    """Keys of the references in the order of their first mention."""
    keys = (key for text in texts for match in _CITATION.findall(text) for key in match.split(","))
    return list(dict.fromkeys(key.strip() for key in keys))
