"""Files that the report reads."""

from dataclasses import dataclass
from pathlib import Path

from superposition_atlas.config import Config
from superposition_atlas.storage import layout


@dataclass(frozen=True)
class Sources:
    """A configuration and the folders that hold what was made from it."""

    config: Config
    results: Path
    """The results folder: the one that `storage.layout` calls results."""
    benchmarks: Path
    """Snakemake's benchmark files; need not exist."""
    captions: Path
    """Captions of the figures, one file a module."""
    published: Path
    """The published Frobenius norms (CSV)."""
    prospective: Path | None = None
    """Means of the recorded test on random schedules (CSV), where the report is to show it."""
    citation: Path | None = None
    """CITATION.cff, for title, date, address and licence."""

    def locate(self, path: str) -> Path:
        """The file that the catalogue or a rule calls `path`."""
        return self.results / Path(path).relative_to(layout.RESULTS)

    def models(self, experiment: str, case: str) -> Path:
        """The toy models of one case."""
        return self.locate(layout.models(experiment, case))

    def saes(self, experiment: str, case: str, sae: str) -> Path:
        """The SAEs of one name on the toy models of one case."""
        return self.locate(layout.saes(experiment, case, sae))
