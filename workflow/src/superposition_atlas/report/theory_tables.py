"""The report's numbers on theory: predictions, competing structures, the bias, and training against the best.

Each part goes with a figure of the catalogue and reads what that figure is drawn from.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.figures import catalogue
from superposition_atlas.figures.catalogue import FigureTarget
from superposition_atlas.figures.parts import structure_style
from superposition_atlas.maps.point_columns import TRAINED_BESIDE_BEST
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.report.shared_tables import finite
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

NEARLY_ALWAYS = 0.85
"""Density from which a feature counts as nearly always active."""
CLEAR_MARGIN = 0.15
"""Margin above which a best solution is counted as a clear one."""

_RULES = {"bare": "bare_agrees", "full": "agrees"}
_EXCESSES = {"bare": "bare_excess", "full": "predicted_excess"}
_PREDICTIONS = (
    "family",
    "margin",
    "best_shape",
    "best_n_represented",
    "best_lowest_b",
    "best_norm_of_lowest_b",
    *_RULES.values(),
    *_EXCESSES.values(),
)
_BIAS = (
    "key",
    "variant",
    "feature",
    "importance",
    "probability",
    "share_represented",
    "mean_bias",
    "best_represented",
    "best_norm",
    "best_bias",
)
_LOSSES = ("case", "seed", "n_represented", "not_all_represented", "relative_excess", "keeps_best")
_SOLUTIONS = ("case", "key", "kind", "rank", "n_represented", "not_all_represented")


def comparisons(sources: Sources) -> Row:
    """All parts by figure module, each a list: one entry a map, or an experiment's case.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    parts: dict[str, Callable[[Sources, FigureTarget], list[Row]]] = {
        "predictor": _predictions,
        "perturbation": _branches,
        "bias": _bias,
        "training_against_best": _training,
        "excess_losses": _losses,
    }
    found: Row = {name: [] for name in parts} | {
        "nearly_always": NEARLY_ALWAYS,
        "clear_margin": CLEAR_MARGIN,
    }
    for figure in catalogue.figures(sources.config):
        if figure.category == catalogue.THEORY and figure.module in parts:
            about = {"map": figure.labels.get("map"), "title": figure.labels.get("title")}
            found[figure.module] += [about | row for row in parts[figure.module](sources, figure)]
    return found


def share(n_holding: int, n: int) -> Row:
    """A share with its exact 95 % interval."""
    low, high = exact_interval(n_holding, n) if n else (0.0, 1.0)
    return {"n_holding": n_holding, "n": n, "share": n_holding / n if n else None, "low": low, "high": high}


def _read(sources: Sources, figure: FigureTarget, role: str, columns: tuple[str, ...]) -> pd.DataFrame:
    return read_table(sources.locate(figure.inputs[role]), columns)


def _predictions(sources: Sources, figure: FigureTarget) -> list[Row]:
    table = _read(sources, figure, "predictions", _PREDICTIONS)
    kinds = table["best_shape"].map(structure_style.kind_of)
    rules = {}
    for rule, agrees in _RULES.items():
        right = table[agrees].astype(bool)
        excess = table.loc[~right, _EXCESSES[rule]]
        rules[rule] = {
            "all": share(int(right.sum()), len(table)),
            "by_family": {
                str(family): share(int(right[own.index].sum()), len(own))
                for family, own in table.groupby("family")
            },
            "missed": {
                kind: {"n_best": int((kinds == kind).sum()), "n_wrong": int((~right & (kinds == kind)).sum())}
                for kind in structure_style.KINDS
            },
            "excess": {"median": finite(excess.median()), "high": finite(excess.max())},
        }
    stacked = table[kinds == "stack"]
    clear = table["margin"] > CLEAR_MARGIN
    return [
        {
            "n": len(table),
            "rules": rules,
            "stacks": {
                "n": len(stacked),
                "bias": _span(stacked["best_lowest_b"]),
                "norm": _span(stacked["best_norm_of_lowest_b"]),
            },
            "clear": share(int(table.loc[clear, "agrees"].astype(bool).sum()), int(clear.sum())),
        }
    ]


def _branches(sources: Sources, figure: FigureTarget) -> list[Row]:
    columns = ("varied", "importance_ratio", "structure", "relative_loss", "is_best")
    branches = _read(sources, figure, "branches", columns)
    crossings = _read(
        sources, figure, "crossings", ("below", "above", "varied", "importance_ratio", "is_best")
    )
    models = _read(
        sources, figure, "models", ("varied", "importance_ratio", "structure", "is_lowest", "variant")
    )
    models = of_variant(models, figure.options["variant"], sources.locate(figure.inputs["models"]))
    ratio = branches["importance_ratio"].iloc[0]
    branches, crossings, models = (
        table[table["importance_ratio"] == ratio] for table in (branches, crossings, models)
    )
    best = branches[branches["is_best"]].set_index("varied")["structure"]
    lowest = models[models["is_lowest"]].drop_duplicates("varied").set_index("varied")["structure"]
    matches = models["structure"] == models["varied"].map(best)
    by_place = matches.groupby(models["varied"]).mean()
    return [
        {
            "density": float(figure.options["density"]),
            "n_places": len(best),
            "n_seeds": int(models.groupby("varied").size().max()),
            "structures": [
                {
                    "name": structure_style.named(str(name)),
                    "low": own["varied"].min(),
                    "high": own["varied"].max(),
                }
                for name, own in branches.groupby("structure", sort=False)
            ],
            "crossings": [
                {
                    "below": structure_style.named(row["below"]),
                    "above": structure_style.named(row["above"]),
                    "varied": row["varied"],
                }
                for row in crossings[crossings["is_best"].astype(bool)].to_dict("records")
            ],
            "n_lowest_is_best": int((lowest == best.reindex(lowest.index)).sum()),
            "share_is_best": {"low": finite(by_place.min()), "high": finite(by_place.max())},
            "hardest": finite(by_place.idxmin()),
        }
    ]


def _bias(sources: Sources, figure: FigureTarget) -> list[Row]:
    """A row a schedule whose densest feature is nearly always active, and variant: of that feature."""
    treatments = figure.options["titles"]
    features = _read(sources, figure, "features", _BIAS)
    points = _read(sources, figure, "points", ("key", "family", "importance_ratio", "order"))
    points = points.drop_duplicates("key")
    densest = features[features["probability"] == features.groupby("key")["probability"].transform("max")]
    rows = densest[densest["probability"] >= NEARLY_ALWAYS].merge(points, on="key")
    rows = rows.drop_duplicates(["key", "variant"])
    rows = rows.assign(place=rows["variant"].map(list(treatments).index))
    rows = rows.sort_values(["family", "probability", "importance_ratio", "order", "place"])
    return [
        {
            **{name: row[name] for name in ("key", "family", "importance_ratio", "order", "variant")},
            "treatment": treatments[row["variant"]],
            **{name: finite(row[name]) for name in ("importance", "probability", "share_represented")},
            **{name: finite(row[name]) for name in ("mean_bias", "best_norm", "best_bias")},
            "best_represented": bool(row["best_represented"]),
        }
        for row in rows.to_dict("records")
    ]


def _training(sources: Sources, figure: FigureTarget) -> list[Row]:
    """A row a schedule, with the outcome at each value of the setting that varies."""
    table = _read(sources, figure, "points", TRAINED_BESIDE_BEST)
    features = _read(sources, figure, "features", ("key", "probability"))
    values = figure.options["values"]
    table = table[table["variant"].isin(values)].drop_duplicates(["key", "variant"])
    rows = []
    for key, own in table.groupby("key"):
        ordered = own.assign(value=own["variant"].map(values)).sort_values("value")
        densities = features.loc[features["key"] == key, "probability"]
        first = ordered.iloc[0]
        rows.append(
            {
                "setting": figure.options["against"],
                "family": first["family"],
                "importance_ratio": finite(first["importance_ratio"]),
                "order": first["order"],
                "probability": {"high": float(densities.max()), "low": float(densities.min())},
                "best_n_represented": int(first["best_n_represented"]),
                "n_seeds": int(first["n_seeds"]),
                "outcomes": [
                    {
                        "value": row["value"],
                        "keeps_best": share(round(row["keeps_best"] * row["n_seeds"]), int(row["n_seeds"])),
                        "n_represented": finite(row["n_represented"]),
                        "median_excess": finite(row["median_excess"]),
                        "least_excess": finite(row["least_excess"]),
                        "frugal_keeps_best": bool(row["frugal_keeps_best"]),
                    }
                    for row in ordered.to_dict("records")
                ],
            }
        )
    return sorted(rows, key=lambda row: (row["probability"]["high"], row["probability"]["low"], row["order"]))


def _losses(sources: Sources, figure: FigureTarget) -> list[Row]:
    """A row an experiment and case."""
    rows = []
    for experiment in catalogue.compared_experiments(sources.config):
        losses = _read(sources, figure, f"losses.{experiment.name}", _LOSSES)
        solutions = _read(sources, figure, f"solutions.{experiment.name}", _SOLUTIONS)
        best = solutions[(solutions["kind"] == "minimum") & (solutions["rank"] == 0)]
        for case, own in losses.groupby("case", sort=False):
            of_case = best[best["case"] == case]
            rows.append(
                {
                    "experiment": experiment.name,
                    "tested": experiment.claims,
                    "case": str(case),
                    "best_n_represented": _span(of_case["n_represented"]),
                    "n_schedules": len(of_case),
                    "n_best_keeps_all": int((~of_case["not_all_represented"]).sum()),
                    "n_represented": _span(own["n_represented"]),
                    "all_represented": share(int((~own["not_all_represented"]).sum()), len(own)),
                    "keeps_best": share(int(own["keeps_best"].astype(bool).sum()), len(own)),
                    "median_excess": finite(own["relative_excess"].median()),
                    "least_excess": finite(own["relative_excess"].min()),
                    "most_excess": finite(own["relative_excess"].max()),
                }
            )
    return rows


def _span(values: "pd.Series[Any]") -> Row:
    if values.empty:
        return {"low": None, "high": None}
    return {"low": np.min(values).item(), "high": np.max(values).item()}
