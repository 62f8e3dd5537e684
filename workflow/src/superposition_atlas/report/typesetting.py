"""Typesets the JSON document into a PDF by typst: offline, with its fonts and those of Matplotlib."""

import logging
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import typst

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts.fonts import FOLDER
from superposition_atlas.storage.atomic import write_sealed
from superposition_atlas.storage.embedded import with_source
from superposition_atlas.storage.file_kinds import require_file

if TYPE_CHECKING:
    from typst import PDFStandard

logger = logging.getLogger(__name__)

STANDARDS: "list[PDFStandard]" = ["a-2a", "ua-1"]
"""PDF/A-2a for archives, PDF/UA-1 for screen readers."""


def compile_pdf(
    template: Path, document: Path, figures: Iterable[Path], output: Path, provenance: Mapping[str, Any]
) -> None:
    """Writes the PDF.

    The template sees a folder of its own with nothing in it but the template, the document as data.json, and
    the figures in figures/. The provenance goes into the PDF's metadata.

    Raises:
        ArtefactError: if the template is missing or can't be compiled, in one line with typst's reason.
    """
    require_file(template)
    with tempfile.TemporaryDirectory(prefix="superposition-atlas-") as folder:
        root = Path(folder)
        stage(template, document, figures, root)
        try:
            pdf = _compile(root / template.name, root)
        except typst.TypstError as error:
            raise ArtefactError(f"{template}: typst can't set it: {one_line(error)}") from None
    write_sealed(with_source(pdf, provenance), output)


def stage(template: Path, document: Path, figures: Iterable[Path], root: Path) -> None:
    """Copies what the template may read to `root`."""
    shutil.copyfile(template, root / template.name)
    shutil.copyfile(document, root / "data.json")
    (root / "figures").mkdir()
    for path in figures:
        try:
            ElementTree.parse(path)
        except (ElementTree.ParseError, OSError) as error:
            raise ArtefactError(
                f"{path}: not a whole SVG file ({error}); delete it and run the same command again"
            ) from None
        shutil.copyfile(path, root / "figures" / path.name)


def pages(template: Path, document: Path, figures: Iterable[Path], root: Path, dots: float) -> list[bytes]:
    """Every page as a PNG picture.

    Args:
        template: as for `compile_pdf`.
        document: as for `compile_pdf`.
        figures: as for `compile_pdf`.
        root: a folder that is not there yet.
        dots: per inch.
    """
    root.mkdir(parents=True)
    stage(template, document, figures, root)
    main = root / template.name
    found = typst.compile(
        main, root=root, font_paths=[FOLDER], ignore_system_fonts=True, format="png", ppi=dots
    )
    return [found] if isinstance(found, bytes) else list(found)


def _compile(main: Path, root: Path) -> bytes:
    """Sets with the fonts of two wheels, so that every machine makes the same bytes.

    They lack most scripts: a title in Chinese, say, needs the machine's fonts as well, and if those lack it
    too, a PDF that claims no standard is better than none.
    """
    fonts = [FOLDER]
    try:
        return typst.compile(
            main, root=root, font_paths=fonts, ignore_system_fonts=True, pdf_standards=STANDARDS
        )
    except typst.TypstError:
        pass
    try:
        return typst.compile(main, root=root, font_paths=fonts, pdf_standards=STANDARDS)
    except typst.TypstError as error:
        plain = typst.compile(main, root=root, font_paths=fonts)
        logger.warning("the report is no %s: %s", " and ".join(STANDARDS), one_line(error))
        return plain


def one_line(error: typst.TypstError) -> str:
    """Message of typst and its place, without the excerpt of the source."""
    where = re.search(r"[\w.-]+\.typ:\d+:\d+", error.diagnostic or "")
    hint = f" ({error.hints[0]})" if error.hints else ""
    return f"{error.message.splitlines()[0]}{hint}" + (f" at {where.group()}" if where else "")
