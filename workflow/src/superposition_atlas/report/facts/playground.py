"""Slide 4: how many of the playground's networks solve their data set."""

from dataclasses import dataclass

from superposition_atlas.errors import ArtefactError
from superposition_atlas.report.facts.toy_models import Share, share
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

_COLUMNS = ("network", "is_regression", "test_error", "test_fvu", "solved")


@dataclass(frozen=True)
class NetworkFacts:
    """Networks of one name."""

    title: str
    layers: tuple[int, ...]
    is_regression: bool
    solved: Share
    median_error: float
    """Share of the test points that are on the false side; of their variance unexplained in a regression."""
    largest_error: float


def networks(ledger: Ledger) -> list[NetworkFacts]:
    """In the order of the configuration.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column or a name.
    """
    configured = ledger.sources.config.playground
    if not configured:
        return []
    path = layout.playground_table("runs")
    runs = ledger.read(path, _COLUMNS)
    found = []
    for name, network in configured.items():
        own = runs[runs["network"] == name]
        if own.empty:
            raise ArtefactError(f"{ledger.sources.locate(path)}: has no rows of the network {name!r}")
        is_regression = bool(own["is_regression"].iloc[0])
        error = own["test_fvu" if is_regression else "test_error"]
        facts = NetworkFacts(
            network.title,
            tuple(network.settings.hidden_layers),
            is_regression,
            share(int(own["solved"].sum()), len(own)),
            float(error.median()),
            float(error.max()),
        )
        found.append(ledger.note(path, f"playground.{name}", facts))
    return found
