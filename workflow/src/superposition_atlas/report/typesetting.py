"""From the JSON document and the template to a PDF, with typst: offline, with the fonts of its own wheel."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import typst

from superposition_atlas.errors import ArtefactError

STANDARDS = ["a-2a", "ua-1"]
"""PDF/A-2a for archives, PDF/UA-1 for screen readers."""


def compile_pdf(template: Path, document: Path, figures: Iterable[Path], output: Path) -> None:
    """Writes the PDF.

    The template sees a folder of its own with nothing in it but the .typ files beside it, the document as
    data.json, and the figures in figures/.

    Raises:
        ArtefactError: if the template is missing or can't be compiled, in one line with typst's reason.
    """
    if not template.is_file():
        raise ArtefactError(f"{template}: no such file")
    with tempfile.TemporaryDirectory(prefix="superposition-atlas-") as folder:
        root = Path(folder)
        stage(template, document, figures, root)
        try:
            pdf = _compile(root / template.name, root)
        except typst.TypstError as error:
            reason = " ".join(error.diagnostic.split()) if error.diagnostic else error.message
            raise ArtefactError(f"{template}: typst can't set it: {reason}") from None
    output.write_bytes(pdf)


def stage(template: Path, document: Path, figures: Iterable[Path], root: Path) -> None:
    """Copies what the template may read to `root`."""
    for path in sorted(template.parent.glob("*.typ")):
        shutil.copyfile(path, root / path.name)
    shutil.copyfile(document, root / "data.json")
    (root / "figures").mkdir()
    for path in figures:
        shutil.copyfile(path, root / "figures" / path.name)


def _compile(main: Path, root: Path) -> bytes:
    """Sets with typst's own fonts, so that every machine makes the same bytes.

    They lack most scripts: a title in Chinese, say, needs the machine's fonts as well.
    """
    try:
        return typst.compile(main, root=root, ignore_system_fonts=True, pdf_standards=STANDARDS)
    except typst.TypstError as error:
        if "font" not in error.message:
            raise
    return typst.compile(main, root=root, pdf_standards=STANDARDS)
