"""One figure of the catalogue: what is drawn, from which files, under which name."""

from dataclasses import dataclass, field
from typing import Any

from superposition_atlas.config.sections import Section


@dataclass(frozen=True)
class FigureTarget:
    """One figure: `results/figures/{name}.svg` and `.png`."""

    name: str
    module: str
    """Module of `superposition_atlas.figures`, and of its caption in workflow/report/captions."""
    inputs: dict[str, str]
    """Path by role; passed to the module's `draw`."""
    category: str
    """Section of the reports."""
    alt: str
    """Alternative text, for readers who can't see the picture."""
    options: dict[str, Any] = field(default_factory=dict)
    """Passed to the module's `draw` by name; what is named by the configuration stands in mappings."""
    labels: dict[str, str] = field(default_factory=dict)
    """Labels that distinguish the figure from others of its module, for captions and Snakemake's report."""
    moves: bool = False
    """Whether a GIF is written beside the figure, which is its last frame."""
    section: Section = ""
    """Section of a further paper that shows it, see `config.sections`; empty where the report may."""
    named_after: str = ""
    """Key of the configuration that its name is made of; empty where it is always the same."""
