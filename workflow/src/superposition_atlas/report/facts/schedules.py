"""What maps over schedules and recorded tests say: the best, the trained and the predicted features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from superposition_atlas.figures import catalogue
from superposition_atlas.report.facts.toy_models import Share, share
from superposition_atlas.report.ledger import Ledger, read_csv
from superposition_atlas.storage import layout
from superposition_atlas.storage.map_files import of_variant

_POINTS = (
    *("key", "variant", "family", "mean_density", "steepness", "importance_ratio", "order", "n_seeds"),
    *("not_all_represented", "best_not_all_represented", "best_n_represented", "keeps_best"),
    *("median_excess", "least_excess", "frugal_keeps_best"),
)


@dataclass(frozen=True)
class AtlasFacts:
    """Schedules of the map of mean density and steepness, each counted once."""

    n_schedules: int
    n_models: int
    n_seeds: int
    densities: tuple[float, float]
    steepnesses: tuple[float, float]
    best_counts: dict[int, int]
    """Schedules by the number of features that the best solution represents."""
    n_features: int
    n_all: int
    """Schedules whose best solution represents all features."""
    n_unequal: int
    n_all_unequal: int
    """The same among schedules whose probabilities differ."""
    densest_all: float
    """Largest mean density of those; NaN if there are none."""
    all_where_best: float
    """Share of toy models that represent all features, where the best solution does; NaN if nowhere."""
    all_where_not: float
    keeps_best: float
    """Share of toy models that represent the best solution's features."""
    n_mostly: int
    """Schedules at which more than half of the toy models do."""
    n_some: int
    """Schedules at which some toy model does."""
    n_frugal: int
    """Schedules at which the toy model of lowest loss does."""
    median_excess: float
    least_excess: float
    all_by_order: dict[str, Share]
    """For aligned and reversed orders, the schedules whose best solution represents all features."""


def atlas(ledger: Ledger) -> AtlasFacts | None:
    """The atlas, or None where there is none.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column or rows.
    """
    described = catalogue.atlas(ledger.sources.config)
    if described is None:
        return None
    path = layout.map_table(described.name, "points")
    table = of_variant(ledger.read(path, _POINTS), described.main_variant, ledger.sources.locate(path))
    once = table.drop_duplicates("key")
    has_all = ~once["best_not_all_represented"].astype(bool)
    unequal = once["steepness"] > 1
    keeps, weights = once["keeps_best"], once["n_seeds"]
    numbers, n_of = np.unique(once["best_n_represented"].to_numpy(), return_counts=True)
    ordered = table[(table["steepness"] > 1) & (table["importance_ratio"] < 1)]
    orders = {
        str(order): share(int((~own["best_not_all_represented"].astype(bool)).sum()), len(own))
        for order, own in ordered.drop_duplicates(["key", "order"]).groupby("order")
        if order in ("aligned", "reversed")
    }
    facts = AtlasFacts(
        n_schedules=len(once),
        n_models=int(weights.sum()),
        n_seeds=len(described.seeds),
        densities=(float(table["mean_density"].min()), float(table["mean_density"].max())),
        steepnesses=(float(table["steepness"].min()), float(table["steepness"].max())),
        best_counts={int(k): int(n) for k, n in zip(numbers, n_of, strict=True)},
        n_features=described.n_features,
        n_all=int(has_all.sum()),
        n_unequal=int(unequal.sum()),
        n_all_unequal=int((has_all & unequal).sum()),
        densest_all=float(once.loc[has_all & unequal, "mean_density"].max()),
        all_where_best=_all_represented(once[has_all & unequal]),
        all_where_not=_all_represented(once[~has_all & unequal]),
        keeps_best=float(np.average(keeps, weights=weights)),
        n_mostly=int((keeps > 0.5).sum()),
        n_some=int((keeps > 0).sum()),
        n_frugal=int(once["frugal_keeps_best"].astype(bool).sum()),
        median_excess=float(once["median_excess"].median()),
        least_excess=float(once["least_excess"].median()),
        all_by_order=orders,
    )
    ledger.note(path, described.name, facts)
    return facts


def _all_represented(points: pd.DataFrame) -> float:
    if points.empty:
        return float("nan")
    return 1 - float(np.average(points["not_all_represented"], weights=points["n_seeds"]))


@dataclass(frozen=True)
class PredictorFacts:
    """Two rules beside the best solutions of random schedules: do they name the same features?"""

    n: int
    full: Share
    """Structures, triangles and pentagons among them, at their best scale and bias."""
    matching: Share
    """The two costs as they stand."""


def predictor(ledger: Ledger) -> PredictorFacts | None:
    """The first map of random schedules whose best solutions are known.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    maps = catalogue.solved_maps(ledger.sources.config, "random")
    if not maps:
        return None
    path = layout.map_table(maps[0], "predictions")
    table = ledger.read(path, ("key", "agrees", "matching_agrees")).drop_duplicates("key")
    right = {name: int(table[name].astype(bool).sum()) for name in ("agrees", "matching_agrees")}
    n = len(table)
    facts = PredictorFacts(n, share(right["agrees"], n), share(right["matching_agrees"], n))
    ledger.note(path, maps[0], facts)
    return facts


MEASURES = ("jaccard_rule", "jaccard_ceiling", "below_ceiling", "jaccard_greedy", "jaccard_value_at_rule")
_SUBSETS = ("all", "pairs suffice", "a pentagon pays")


@dataclass(frozen=True)
class ProspectiveRow:
    """Random schedules of one size: mean overlaps with the features of a trained toy model."""

    subset: str
    n_features: int
    n_hidden: int
    n_schedules: int
    n_models: int
    means: dict[str, float]
    """Mean by measure."""
    below: tuple[float, float]
    """95 % interval, over schedules, of the ceiling minus the rule's overlap."""


def prospective(ledger: Ledger) -> list[ProspectiveRow]:
    """The recorded test on random schedules; nothing where its table is not given.

    Raises:
        ArtefactError: if the table can't be read or lacks a column.
    """
    path = ledger.sources.prospective
    if path is None:
        return []
    table = read_csv(path, ("schedules", "n_features", "n_hidden", "measure", "mean", "ci_low", "ci_high"))
    rows = []
    for _, own in table.groupby(["n_features", "n_hidden", "schedules"], sort=False):
        first, means = own.iloc[0], dict(zip(own["measure"], own["mean"].astype(float), strict=True))
        if first["schedules"] not in _SUBSETS or not set(MEASURES) <= means.keys():
            continue
        below = own[own["measure"] == "below_ceiling"].iloc[0]
        rows.append(
            ProspectiveRow(
                subset=str(first["schedules"]),
                n_features=int(first["n_features"]),
                n_hidden=int(first["n_hidden"]),
                n_schedules=int(first["n_schedules"]),
                n_models=int(first["n_models"]),
                means={name: means[name] for name in MEASURES},
                below=(float(below["ci_low"]), float(below["ci_high"])),
            )
        )
    ledger.note(str(path), "prospective", rows)
    return rows
