"""The report's numbers on the atlas: in how many schedules observations hold, and training finds the best."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.observations.definitions import DRAWN, Observation, is_about
from superposition_atlas.report.shared_tables import finite
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

_MOST = 0.5
"""More than this share of the seeds is most of them."""
_COORDINATES = ("family", "mean_density", "steepness", "importance_ratio", "order")
_COUNTS = (
    "n_represented",
    "best_n_represented",
    "predicted_n_represented",
    "n_dedicated",
    "best_n_dedicated",
)
_MEASURES = (*_COUNTS, "keeps_best", "median_excess")


def atlas(sources: Sources) -> Row | None:
    """Counts over the schedules of the map, each once; None where there is no such map.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column or rows.
    """
    described = catalogue.atlas(sources.config)
    if described is None:
        return None
    path = sources.locate(layout.map_table(described.name, "points"))
    answers = [f"{prefix}{own.column}" for own in DRAWN for prefix in ("", "best_")]
    columns = [
        *("key", "variant", "observations"),
        *_COORDINATES,
        *_MEASURES,
        *answers,
        "n_seeds",
        "agrees",
        "frugal_keeps_best",
    ]
    variant = next(iter(described.variants))
    table = read_table(path, list(dict.fromkeys(columns)))
    table = table[table["variant"] == variant]
    if table.empty:
        raise ArtefactError(f"{path}: has no rows of the variant {variant!r}")
    schedules = table.drop_duplicates("key")
    cases = cases_at(described, sources.config.experiments.values())
    return {
        "n_features": described.n_features,
        "n_hidden": described.n_hidden,
        "n_seeds": len(described.seeds),
        "n_starts": described.n_starts,
        "n_schedules": len(schedules),
        "n_models": int(schedules["n_seeds"].sum()),
        "axes": _axes(table),
        "observations": [_observation(table, own) for own in DRAWN],
        "training": _training(schedules),
        "cases": list(_of_cases(table, cases)),
    }


def _axes(table: pd.DataFrame) -> Row:
    spans = {
        name: {"low": float(table[name].min()), "high": float(table[name].max())}
        for name in ("mean_density", "steepness")
    }
    ratios = sorted(map(float, table["importance_ratio"].unique()), reverse=True)
    return spans | {"families": sorted(table["family"].unique()), "importance_ratios": ratios}


def _observation(table: pd.DataFrame, own: Observation) -> Row:
    """Counts of the schedules that an observation is about, of how many show it: best, most seeds."""
    about = [is_about(names, own.name) for names in table["observations"]]
    asked = table[about].drop_duplicates("key")
    best, trained = asked[f"best_{own.column}"].astype(bool), asked[own.column] > _MOST
    return {
        "name": own.name,
        "statement": own.brief,
        "n": len(asked),
        "n_best": int(best.sum()),
        "n_trained": int(trained.sum()),
        "n_every_seed": int((asked[own.column] == 1).sum()),
        "n_of_training_alone": int((trained & ~best).sum()),
        "n_of_the_best_alone": int((best & ~trained).sum()),
        "share": finite(asked[own.column].mean()) if len(asked) else None,
    }


def _training(schedules: pd.DataFrame) -> Row:
    """How trained toy models compare with the best solutions."""
    keeps = schedules["keeps_best"]
    predicted = schedules["agrees"]  # unknown where a bias is held
    all_fit = schedules[~schedules["best_not_all_represented"].astype(bool)]
    return {
        "n_mostly_best": int((keeps > _MOST).sum()),
        "n_never_best": int((keeps == 0).sum()),
        "share_best": finite(keeps.mean()),
        "n_frugal_best": int(schedules["frugal_keeps_best"].astype(bool).sum()),
        "median_excess": finite(schedules["median_excess"].median()),
        "n_all_fit": len(all_fit),
        "n_all_fit_trained": int((all_fit["not_all_represented"] < 1 - _MOST).sum()),
        "n_predicted": int(predicted.sum()) if predicted.notna().all() else None,
    }


def _of_cases(table: pd.DataFrame, cases: dict[str, str]) -> Iterator[Row]:
    there = table[table["key"].isin(cases)].drop_duplicates("key")
    named = there.assign(names=there["key"].map(cases)).sort_values(["family", "names"])
    for row in named.to_dict("records"):
        yield _case({str(name): value for name, value in row.items()})


def _case(row: Row) -> Row:
    asked = [own for own in DRAWN if is_about(row["observations"], own.name)]
    return {
        "names": row["names"].split(),
        **{name: row[name] for name in _COORDINATES},
        **{name: None if pd.isna(row[name]) else float(row[name]) for name in _MEASURES},
        "observations": [
            {"name": own.name, "share": float(row[own.column]), "best": bool(row[f"best_{own.column}"])}
            for own in asked
        ],
    }
