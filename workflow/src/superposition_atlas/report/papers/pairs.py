"""Pairs of features that are active together, or never, and how they lie in two dimensions."""

from superposition_atlas.report import blocks
from superposition_atlas.report.papers.studied import Studied, Written


def section(studied: Studied) -> Written:
    """What becomes of pairs of features that depend on one another."""
    shown = [figure for figure in studied.figures.all if figure.section == "pairs"]
    return Written([blocks.heading("Pairs"), *studied.figures.blocks(shown)])
