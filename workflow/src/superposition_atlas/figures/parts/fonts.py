"""The typeface of text and figures, and what to do about characters that it lacks.

The paper and its figures are set in STIX (SIL Open Font License), which Matplotlib's wheel holds: nothing
else has to be installed, and typst reads the same files. It has no Chinese, Japanese or Korean. Figures whose
text Matplotlib's fonts can set are the same on every machine; others need a font of the machine, as the PDF
does.
"""

import logging
from functools import cache
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.text import Text

logger = logging.getLogger(__name__)

FAMILY = "STIXGeneral"
"""The family of all text."""
MATHS = "stix"
"""Matplotlib's name for the formulas of that family."""
FOLDER = Path(get_data_path()) / "fonts" / "ttf"
"""The files of the family."""
_FIRST = ("DejaVu Sans", "Noto Sans CJK", "Source Han Sans", "WenQuanYi", "Noto Sans")
"""Families that are tried before others."""
_NAMED = 20
"""Characters that a message lists at most."""


def complete(figure: Figure, path: Path) -> None:
    """Gives texts that need it another font, and logs which characters no font has.

    Args:
        figure: about to be saved.
        path: the file, for the message.
    """
    texts = [text for text in figure.findobj(Text) if _lacking(text.get_text(), FAMILY)]
    lacking = {char for text in texts for char in _lacking(text.get_text(), FAMILY)}
    if not lacking:
        return
    families = [FAMILY]
    for family in _families():
        if found := lacking - _lacking("".join(lacking), family):
            families.append(family)
            lacking -= found
        if not lacking:
            break
    for text in texts:
        text.set_fontfamily(families)
    if lacking:
        named = "".join(sorted(lacking)[:_NAMED])
        logger.warning(
            "%s: no font on this machine has %s, drawn as boxes; install one that does (Noto Sans CJK, say)",
            *(path, named),
        )


@cache
def _families() -> tuple[str, ...]:
    """All families of the machine, the likely ones first."""
    names = {entry.name for entry in fontManager.ttflist} - {FAMILY}
    return tuple(sorted(names, key=lambda name: (not name.startswith(_FIRST), name)))


@cache
def _characters(family: str) -> frozenset[int]:
    return frozenset(get_font(findfont(family)).get_charmap())


def _lacking(text: str, family: str) -> set[str]:
    return {char for char in text if ord(char) not in _characters(family) and not char.isspace()}
