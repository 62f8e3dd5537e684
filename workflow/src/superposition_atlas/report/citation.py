"""What the report says of itself: authors, date, commit, address and licence, from CITATION.cff and git."""

import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from superposition_atlas import __version__
from superposition_atlas.errors import ArtefactError

_MADE_FROM = ("workflow", "config", "Snakefile")
"""What of the checkout the results depend on."""


@dataclass(frozen=True)
class Imprint:
    """How to cite the report."""

    title: str
    authors: tuple[str, ...]
    keywords: tuple[str, ...]
    licence: str
    address: str
    version: str
    commit: str
    """The newest commit that touched code or configuration; empty outside a checkout."""
    is_changed: bool
    """Whether code or configuration differ from that commit."""
    date: date
    """Date of that commit, else of the release: no time of day, so the same inputs give the same bytes."""


def imprint(citation: Path | None, checkout: Path) -> Imprint:
    """Reads CITATION.cff and the checkout.

    Args:
        citation: CITATION.cff, or None for a report without it.
        checkout: a folder in the checkout.

    Raises:
        ArtefactError: if CITATION.cff can't be read.
    """
    cff = _read(citation) if citation else {}
    commit, day, is_changed = _commit(checkout)
    released = cff.get("date-released")
    return Imprint(
        title=str(cff.get("title", "Superposition when features are not equally sparse")),
        authors=tuple(_name(author) for author in cff.get("authors", ()))
        or ("The superposition-atlas authors",),
        keywords=tuple(map(str, cff.get("keywords", ("superposition", "toy models")))),
        licence=str(cff.get("license", "MIT")),
        address=str(cff.get("repository-code") or cff.get("url") or ""),
        version=__version__,
        commit=commit,
        is_changed=is_changed,
        date=date.fromisoformat(day) if day else released if isinstance(released, date) else date(1970, 1, 1),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(f"{path}: can't be read ({reason})") from None
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: not a citation file (CFF): it has no keys")
    return content


def _name(author: dict[str, str]) -> str:
    given, family = author.get("given-names", ""), author.get("family-names", "")
    return author.get("name") or f"{given} {family}".strip()


def _commit(checkout: Path) -> tuple[str, str, bool]:
    """The newest commit of what results depend on, its day, and whether files differ from it."""
    top = _git(checkout, "rev-parse", "--show-toplevel")
    logged = _git(Path(top), "log", "-1", "--format=%h %cs", "--", *_MADE_FROM) if top else ""
    if not top or not logged:
        return "", "", False
    commit, _, day = logged.partition(" ")
    return commit, day, _git(Path(top), "diff", "--quiet", "HEAD", "--", *_MADE_FROM) is None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git, no checkout, or it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
