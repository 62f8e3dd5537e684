"""Toy models of an experiment, case by case, beside the best solutions and the matching."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.config import Case, Experiment
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.metrics.maxima import largest_quantile
from superposition_atlas.metrics.seed_counts import any_of, best_of
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

SAMPLE = 8
"""Toy models of a case that the talk shows."""
_MODELS = ("case", "seed", "shown", "frobenius_norm", "n_represented", "n_dedicated", "mean_probability")
_LOSSES = ("case", "seed", "exact_loss", "n_represented", "relative_excess", "keeps_best")
_SOLUTIONS = ("case", "kind", "rank", "n_represented", "n_dedicated")


@dataclass(frozen=True)
class Share:
    """Some of the toy models, with the exact 95 % interval of the share."""

    n_holding: int
    n: int
    share: float
    low: float
    high: float


def share(n_holding: int, n: int) -> Share:
    """A share of at least one toy model."""
    low, high = exact_interval(n_holding, n)
    return Share(n_holding, n, n_holding / n, low, high)


@dataclass(frozen=True)
class CaseFacts:
    """One case of an experiment whose best solutions are known."""

    name: str
    title: str
    role: str
    counts: dict[int, int]
    """Toy models by number of represented features."""
    mean_represented: float
    mean_dedicated: float
    all_represented: Share
    some_dedicated: Share
    eight_without_all: float
    """Chance that eight toy models show none that represents all features; NaN below eight."""
    best_represented: tuple[int, ...]
    """Numbers of features of the best solutions, one a density."""
    best_dedicated: tuple[int, ...]
    keeps_best: Share | None
    median_excess: float
    """Exact loss minus that of the best solution, as a share of the loss of representing nothing."""
    least_excess: float
    best_of_eight: float
    """Chance that the toy model of lowest loss among eight represents the best solution's features."""


def cases(ledger: Ledger, experiment: Experiment) -> list[CaseFacts]:
    """All cases in the configuration's order; without best solutions where none were sought.

    Raises:
        ArtefactError: if a table is missing, damaged, lacks a column, or has no rows of a case.
    """
    path = layout.experiment_table(experiment.name, "models")
    models = ledger.read(path, _MODELS)
    solved = experiment in catalogue.compared_experiments(ledger.sources.config)
    losses = solutions = None
    if solved:
        losses = ledger.read(layout.experiment_table(experiment.name, "losses"), _LOSSES)
        solutions = ledger.read(layout.experiment_table(experiment.name, "solutions"), _SOLUTIONS)
    found = []
    for case in experiment.cases.values():
        own = models[models["case"] == case.name]
        if own.empty:
            raise ArtefactError(f"{ledger.sources.locate(path)}: has no rows of case {case.name!r}")
        facts = _case(case, own, losses, solutions, experiment.n_features)
        found.append(ledger.note(path, f"{experiment.name}.{case.name}", facts))
    return found


def _case(
    case: Case,
    own: pd.DataFrame,
    losses: pd.DataFrame | None,
    solutions: pd.DataFrame | None,
    n_features: int,
) -> CaseFacts:
    numbers, n_models = np.unique(own["n_represented"].to_numpy(), return_counts=True)
    n, n_all = len(own), int((own["n_represented"] == n_features).sum())
    unknown = float("nan")
    keeps, median, least, eight = None, unknown, unknown, unknown
    best = pd.DataFrame({"n_represented": [], "n_dedicated": []})
    if losses is not None and solutions is not None:
        best = solutions[(solutions["case"] == case.name) & (solutions["kind"] == "minimum")]
        best = best[best["rank"] == 0]
        compared = losses[(losses["case"] == case.name) & losses["keeps_best"].notna()]
        if len(compared):
            keeps = share(int(compared["keeps_best"].sum()), len(compared))
            median, least = (
                float(getattr(compared["relative_excess"], name)()) for name in ("median", "min")
            )
            if len(compared) >= SAMPLE and len(case.probability) == 1:
                hits = compared["keeps_best"].to_numpy(dtype=bool)
                eight = best_of(compared["exact_loss"].to_numpy(dtype=float), hits, SAMPLE)
    return CaseFacts(
        name=case.name,
        title=case.title,
        role=case.role,
        counts={int(k): int(count) for k, count in zip(numbers, n_models, strict=True)},
        mean_represented=float(own["n_represented"].mean()),
        mean_dedicated=float(own["n_dedicated"].mean()),
        all_represented=share(n_all, n),
        some_dedicated=share(int((own["n_dedicated"] > 0).sum()), n),
        eight_without_all=1 - any_of(n_all, n, SAMPLE) if n >= SAMPLE else unknown,
        best_represented=tuple(sorted({int(value) for value in best["n_represented"]})),
        best_dedicated=tuple(sorted({int(value) for value in best["n_dedicated"]})),
        keeps_best=keeps,
        median_excess=median,
        least_excess=least,
        best_of_eight=eight,
    )


UNEQUAL = ("aligned", "reversed", "random", "equal")
"""Roles of cases whose features differ in sparsity, which the talk's observations are about."""


def unequal(cases: Sequence[CaseFacts]) -> list[CaseFacts]:
    """Cases whose features differ in sparsity."""
    return [case for case in cases if case.role in UNEQUAL]


def pooled(cases: Sequence[CaseFacts]) -> dict[int, float]:
    """Share of the toy models of these cases together by number of represented features."""
    numbers = sorted({number for case in cases for number in case.counts})
    n = sum(case.all_represented.n for case in cases)
    return {number: sum(case.counts.get(number, 0) for case in cases) / n for number in numbers}


@dataclass(frozen=True)
class MatchedFacts:
    """A case beside the matching: the rule's numbers, and means over toy models."""

    case: str
    title: str
    role: str
    family: str
    n_features: int
    n_hidden: int
    n_models: int
    n_kept_rule: int
    n_kept_trained: float
    n_alone_rule: int
    n_alone_trained: float
    jaccard_rule: float
    jaccard_ceiling: float
    loss_share_rule: float
    loss_share_trained: float
    squared_norm_largest: float

    @property
    def is_close(self) -> bool:
        """Whether the rule is within .05 of a second trained toy model: the bar set before the test."""
        return self.jaccard_rule >= self.jaccard_ceiling - CLOSE


CLOSE = 0.05
_DIGITS = 9
_MATCHED = tuple(MatchedFacts.__dataclass_fields__)[4:]


def distinct(cases: Sequence[Case]) -> list[Case]:
    """Cases whose schedules differ by more than the names of features; of equal ones the last."""
    by_schedule = {}
    for case in cases:
        values = (np.round(row, _DIGITS).tolist() for row in (case.importance[0], case.probability[0]))
        by_schedule[tuple(sorted(zip(*values, strict=True)))] = case
    return list(by_schedule.values())


def matched(ledger: Ledger, experiment: Experiment) -> list[MatchedFacts]:
    """Cases with one schedule beside the matching, each schedule once.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    path = layout.experiment_table(experiment.name, layout.MATCHING)
    table = ledger.read(path, ("case", *_MATCHED))
    found = []
    for case in distinct(catalogue.matched_cases(experiment)):
        rows = table[table["case"] == case.name]
        if len(rows) != 1 or case.role == "densities":
            continue
        row = rows.iloc[0]
        values: dict[str, Any] = {
            name: int(row[name]) if name.startswith("n_") and "trained" not in name else float(row[name])
            for name in _MATCHED
        }
        facts = MatchedFacts(case.name, case.title, case.role, experiment.family, **values)
        found.append(ledger.note(path, f"{experiment.name}.{case.name}.matching", facts))
    return found


@dataclass(frozen=True)
class NormFacts:
    """A published Frobenius norm beside ours."""

    case: str
    title: str
    role: str
    published: float
    largest: float
    """The largest of the shown toy models."""
    low: float
    high: float
    """95 % prediction interval for the largest of as many new ones."""
    n_models: int

    @property
    def miss(self) -> float:
        """Largest norm over the published one, minus 1."""
        return self.largest / self.published - 1

    @property
    def is_met(self) -> bool:
        """Whether the published norm lies in the interval, to the rounding of the post."""
        return self.low - 0.005 <= self.published <= self.high + 0.005


def norms(ledger: Ledger, experiment: Experiment, published: dict[str, float]) -> list[NormFacts]:
    """Cases whose largest of eight the post published, but for its row of unequal densities.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    path = layout.experiment_table(experiment.name, "models")
    models = ledger.read(path, _MODELS)
    found = []
    for case in experiment.cases.values():
        own = models[(models["case"] == case.name) & models["shown"]]["frobenius_norm"]
        if case.role == "densities" or case.name not in published or len(own) < 2:
            continue
        spread, n = float(own.std(ddof=1)), len(own)
        low, high = (
            float(own.mean()) + spread * largest_quantile(level, n, n, n - 1) for level in (0.025, 0.975)
        )
        facts = NormFacts(
            case.name, case.title, case.role, published[case.name], float(own.max()), low, high, n
        )
        found.append(ledger.note(path, f"{experiment.name}.{case.name}.norm", facts))
    return found
