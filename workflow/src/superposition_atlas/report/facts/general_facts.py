"""What random schedules, which stand for all, say of each observation."""

from dataclasses import dataclass

from superposition_atlas.figures import catalogue
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

_ANSWER = (
    *("observation", "statement", "general_n_schedules", "general_n_models"),
    *("general_trained", "general_state", "general_best", "general_best_state"),
)


@dataclass(frozen=True)
class GeneralFacts:
    """One observation over the random schedules that it is about."""

    name: str
    statement: str
    n_schedules: int
    n_models: int
    trained: float
    """Share of toy models, or of represented features, or mean difference."""
    state: str
    """supported, open or contradicted, of toy models."""
    best: float
    best_state: str


def general(ledger: Ledger) -> list[GeneralFacts]:
    """Observations that were put to random schedules; none where the configuration has no such map.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    if not catalogue.answers(ledger.sources.config):
        return []
    path = layout.answer()
    answer = ledger.read(path, _ANSWER)
    found = []
    for row in answer[answer["general_state"] != ""].to_dict("records"):
        facts = GeneralFacts(
            name=str(row["observation"]),
            statement=str(row["statement"]),
            n_schedules=int(row["general_n_schedules"]),
            n_models=int(row["general_n_models"]),
            trained=float(row["general_trained"]),
            state=str(row["general_state"]),
            best=float(row["general_best"]),
            best_state=str(row["general_best_state"]),
        )
        found.append(ledger.note(path, f"general.{facts.name}", facts))
    return found
