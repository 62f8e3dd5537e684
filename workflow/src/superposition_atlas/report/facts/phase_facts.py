"""How well trained toy models agree with the best solutions on a phase diagram, and how phases change."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from superposition_atlas.config import Map
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout
from superposition_atlas.theory.phase_borders import DEDICATED, NOT_REPRESENTED, PHASES, SUPERPOSITION

_COUNTS = {
    NOT_REPRESENTED: "n_not_represented",
    SUPERPOSITION: "n_superposition",
    DEDICATED: "n_dedicated",
}
_COLUMNS = (
    *("density", "relative_importance", "variant", "n_models", *_COUNTS.values()),
    *("phase", "lowest_phase", "best_phase", "rule_phase", "minima"),
)


@dataclass(frozen=True)
class PhaseFacts:
    """One phase diagram."""

    n_points: int
    n_agree: int
    """Points at which the toy models' means are in the phase of the best solution,"""
    n_agree_rule: int
    """in that of the cheapest closed form,"""
    n_agree_lowest: int
    """and points at which the toy model of the lowest loss is in the best solution's phase."""
    n_best_is_rule: int
    """Points at which the best solution is in the phase of the cheapest closed form."""
    n_models: int
    """Toy models without the worst of each point,"""
    n_models_agree: int
    """and those that are in the phase of the best solution."""
    n_at_border: int
    """Points at which the means are in another phase than the best that have a neighbour of another best."""
    commonest: tuple[str, ...]
    """The commonest phase of the best and of the means; empty where all agree."""
    n_commonest: int
    densest: float
    """Highest density,"""
    n_densest: int
    """its toy models,"""
    n_densest_shared: int
    """and those among them whose last feature is in superposition."""
    n_changes: int
    """Neighbouring points whose best solutions differ in phase,"""
    n_coexist: int
    """and those where a minimum of the other's phase is there at one of the two at least."""
    phases_best: tuple[str, ...]
    """Phases that are the best somewhere,"""
    phases_trained: tuple[str, ...]
    """and those that the means have somewhere."""


def phase_facts(ledger: Ledger, map_: Map) -> PhaseFacts:
    """What a map's table of phases says, of its main way of training.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    path = layout.map_table(map_.name, "phases")
    table = ledger.read(path, _COLUMNS)
    facts = facts_of(table[table["variant"] == map_.main_variant])
    noted: PhaseFacts = ledger.note(path, map_.name, facts)
    return noted


def facts_of(table: pd.DataFrame) -> PhaseFacts:
    """The facts of a table of phases of one way of training."""
    differs = table[table["phase"] != table["best_phase"]]
    kinds = differs.groupby(["best_phase", "phase"]).size().sort_values(ascending=False, kind="stable")
    changes = [(one, other) for one, other in _neighbours(table) if one["best_phase"] != other["best_phase"]]
    at_border = {place for pair in changes for place in (pair[0]["place"], pair[1]["place"])}
    densest = table[table["density"] == table["density"].max()]
    own = sum(int(table.loc[table["best_phase"] == phase, name].sum()) for phase, name in _COUNTS.items())
    return PhaseFacts(
        n_points=len(table),
        n_agree=len(table) - len(differs),
        n_agree_rule=int((table["phase"] == table["rule_phase"]).sum()),
        n_agree_lowest=int((table["lowest_phase"] == table["best_phase"]).sum()),
        n_best_is_rule=int((table["best_phase"] == table["rule_phase"]).sum()),
        n_models=int(table["n_models"].sum()),
        n_models_agree=own,
        n_at_border=sum(place in at_border for place in differs.index),
        commonest=tuple(map(str, kinds.index[0])) if len(kinds) else (),
        n_commonest=int(kinds.iloc[0]) if len(kinds) else 0,
        densest=float(densest["density"].iloc[0]),
        n_densest=int(densest["n_models"].sum()),
        n_densest_shared=int(densest["n_superposition"].sum()),
        n_changes=len(changes),
        n_coexist=sum(_coexist(one, other) for one, other in changes),
        phases_best=tuple(phase for phase in PHASES if (table["best_phase"] == phase).any()),
        phases_trained=tuple(phase for phase in PHASES if (table["phase"] == phase).any()),
    )


def _neighbours(table: pd.DataFrame) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Points beside each other on the grid, along either axis; `place` is the row's index."""
    for along, across in (("density", "relative_importance"), ("relative_importance", "density")):
        for _, line in table.sort_values(along).groupby(across):
            rows = [row | {"place": place} for place, row in line.to_dict("index").items()]
            yield from pairwise(rows)


def _coexist(one: dict[str, object], other: dict[str, object]) -> bool:
    """Whether one of two points has minima in the best phases of both."""
    wanted = {one["best_phase"], other["best_phase"]}
    return any(wanted <= set(str(point["minima"]).split(", ")) for point in (one, other))
