"""Experiments, read from the schedules file that describes them to all later stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.errors import ArtefactError
from superposition_atlas.sampling.structure import ALL, SHARED, Intervals, independent
from superposition_atlas.storage.parquet import read_columns, table_provenance


@dataclass(frozen=True)
class CaseDescription:
    """One case of an experiment's schedules file."""

    name: str
    title: str
    role: str
    """Role in the talk's observations; empty for none."""
    training: dict[str, Any]
    importance: Float[np.ndarray, "variant feature"]
    probability: Float[np.ndarray, "variant feature"]
    structure: Intervals | None = None
    """[variant, feature, 2]; None where all features are independent."""


@dataclass(frozen=True)
class ExperimentDescription:
    """The content of an experiment's schedules file: all that later stages need to know."""

    name: str
    title: str
    family: str
    n_features: int
    n_hidden: int
    seeds: tuple[int, ...]
    shown_seeds: int
    claims: bool
    cases: Mapping[str, CaseDescription]

    def case(self, name: str) -> CaseDescription:
        """The named case.

        Raises:
            ArtefactError: if there is none.
        """
        if name not in self.cases:
            raise ArtefactError(
                f"experiment {self.name} has no case {name!r}; it has {', '.join(self.cases)}"
            )
        return self.cases[name]

    @property
    def roles(self) -> dict[str, str]:
        """The roles of the cases, by case."""
        return {name: case.role for name, case in self.cases.items()}

    def spec_of(self, case_name: str) -> dict[str, Any]:
        """All that the models of a case depend on, as plain values."""
        case = self.case(case_name)
        return {
            "experiment": self.name,
            "case": case.name,
            "n_features": self.n_features,
            "n_hidden": self.n_hidden,
            "seeds": list(self.seeds),
            "importance": case.importance.tolist(),
            "probability": case.probability.tolist(),
            "training": case.training,
        } | ({} if case.structure is None else {"structure": case.structure.tolist()})


def read_experiment(schedules: Path) -> ExperimentDescription:
    """Reads an experiment's schedules file.

    Raises:
        ArtefactError: if the file is missing, damaged, or not written by this pipeline.
    """
    spec = table_provenance(schedules)["spec"]
    of_structure = ("group", "interval_start") if spec.pop("structured", False) else ()
    columns = ["case", "variant", "feature", "importance", "probability", *of_structure]
    table = read_columns(schedules, columns)
    descriptions, cases = spec.pop("cases"), {}
    # In the table's order, which is the configuration's: provenance is sorted by name.
    for name in dict.fromkeys(table["case"].tolist()):
        rows = np.flatnonzero(table["case"] == name)
        rows = rows[np.lexsort((table["feature"][rows], table["variant"][rows]))]
        shape = (len(set(table["variant"][rows].tolist())), spec["n_features"])
        cases[name] = CaseDescription(
            name=name,
            importance=table["importance"][rows].reshape(shape),
            probability=table["probability"][rows].reshape(shape),
            structure=_structure(*(table[name][rows].reshape(shape) for name in of_structure)),
            **{"role": "", **descriptions[name]},
        )
    return ExperimentDescription(cases=cases, seeds=tuple(spec.pop("seeds")), **spec)


def _structure(
    group: Integer[np.ndarray, "variant feature"] | None = None,
    interval_start: Float[np.ndarray, "variant feature"] | None = None,
) -> Intervals | None:
    """The structure whose columns these are; None where all features of a case are independent."""
    if group is None or interval_start is None or not np.any(group >= 0):
        return None
    structure = independent(group.shape)
    structure[..., 0] = np.where(group >= 0, SHARED + group, structure[..., 0])
    structure[..., 1] = interval_start * ALL
    return structure
