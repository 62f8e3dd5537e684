"""The report's tables as plain rows: read from Parquet, counted and averaged for display, nothing else.

Whatever is undefined (NaN) is None, which the template shows as a dash.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from superposition_atlas import storage
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.report.sources import Sources

Row = dict[str, Any]

VERDICTS = ("holds", "depends", "fails")

_MODELS = (
    "case",
    "shown",
    "loss",
    "frobenius_norm",
    "n_represented",
    "n_represented_l1",
    "n_dedicated",
    "mean_probability",
)
_CLAIMS = (
    "observation",
    "statement",
    "criterion",
    "experiment",
    "case",
    "family",
    "sample",
    "n_seeds",
    "n_holding",
    "fraction",
    "ci_low",
    "ci_high",
    "verdict",
    "norm_threshold",
    "dedicated_threshold",
    "primary",
)
_SAE_MEASURES = (
    "l0",
    "fvu",
    "mmcs",
    "mmcs_all",
    "mcc",
    "recall_represented",
    "recall_represented_alive",
    "recall_represented_08",
    "recall_all",
    "uniqueness",
    "dead_fraction",
    "shrinkage",
    "n_resampled",
)
_SAES = ("case", "sae", "architecture", "resampling", "sparsity_coefficient", "n_latents", *_SAE_MEASURES)


def finite(value: Any) -> float | None:
    """A float for JSON, None where it is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None


def models(sources: Sources, experiment: str) -> pd.DataFrame:
    """One row a toy model of the experiment.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    return storage.read_table(sources.locate(catalogue.experiment_table(experiment, "models")), _MODELS)


def counts(models: pd.DataFrame) -> Row:
    """How many features some toy models represent, and how many of them have a dimension to themselves."""
    by_count = models["n_represented"].value_counts().sort_index()
    row: Row = {
        "n_models": len(models),
        "by_count": [{"count": int(k), "n_models": int(n)} for k, n in by_count.items()],
        "same_by_l1": int((models["n_represented"] == models["n_represented_l1"]).sum()),
    }
    for name, column in (("represented", "n_represented"), ("dedicated", "n_dedicated")):
        values = models[column]
        row[name] = {"low": int(values.min()), "high": int(values.max()), "mean": finite(values.mean())}
    return row


def published_norms(sources: Sources, models: pd.DataFrame) -> list[Row]:
    """Published against reproduced Frobenius norms, un-squared, the published maximum over eight toy models.

    One row a case that is published or trained; only the shown toy models count, which are as many as the
    published ones.

    Raises:
        ArtefactError: if the published table can't be read.
    """
    published = _published(sources.published)
    shown = models[models["shown"]]
    rows = []
    for case in dict.fromkeys([*published, *shown["case"]]):
        trained = shown[shown["case"] == case]
        if trained.empty:
            continue
        largest = trained.loc[trained["frobenius_norm"].idxmax()]
        norm, note = published.get(case, (None, ""))
        low, high = float(trained["frobenius_norm"].min()), float(largest["frobenius_norm"])
        rows.append(
            {
                "case": case,
                "note": note,
                "published": norm,
                "n_models": len(trained),
                "low": low,
                "high": high,
                "mean_probability": float(trained["mean_probability"].mean()),
                "mean_probability_of_high": float(largest["mean_probability"]),
                "relative_difference": None if norm is None else high / norm - 1,
                "within": None if norm is None else low <= norm <= high,
            }
        )
    return rows


def _published(path: Path) -> dict[str, tuple[float, str]]:
    try:
        table = pd.read_csv(path, keep_default_na=False)
        return {
            str(case): (float(norm), str(note))
            for case, norm, note in zip(
                table["case"], table["published_norm"], table["note"], strict=True
            )
        }
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such file") from None
    except KeyError as error:
        raise ArtefactError(f"{path}: has no column {error}; it has {', '.join(table.columns)}") from None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: not a table of published norms ({error})") from None


def claims(sources: Sources) -> pd.DataFrame:
    """Every observation's outcome, one row an experiment, case, sample and pair of thresholds.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    return storage.read_table(sources.locate(catalogue.CLAIMS), _CLAIMS)


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame as plain values."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return finite(value) if isinstance(value, float) else value


def findings(claims: pd.DataFrame) -> list[Row]:
    """Each observation with its verdicts by experiment and sample, at the primary thresholds."""
    rows = []
    for (observation, statement), of_observation in claims[claims["primary"]].groupby(
        ["observation", "statement"], sort=False
    ):
        outcomes = []
        for (experiment, sample), part in of_observation.groupby(["experiment", "sample"], sort=False):
            outcomes.append(
                {
                    "experiment": experiment,
                    "sample": sample,
                    "n_rows": len(part),
                    "fraction_low": finite(part["fraction"].min()),
                    "fraction_high": finite(part["fraction"].max()),
                    "n_seeds_low": int(part["n_seeds"].min()),
                    "n_seeds_high": int(part["n_seeds"].max()),
                    **{word: part.loc[part["verdict"] == word, "case"].tolist() for word in VERDICTS},
                }
            )
        rows.append(
            {
                "observation": observation,
                "statement": statement,
                "criteria": of_observation["criterion"].unique().tolist(),
                "outcomes": outcomes,
            }
        )
    return rows


def thresholds(claims: pd.DataFrame) -> Row:
    """How verdicts move with the thresholds: a column for each pair, a row for each claim on all seeds.

    Claims that have the same verdict everywhere are only counted.
    """
    widest = claims["sample"].eq("all") | ~claims["experiment"].isin(
        claims.loc[claims["sample"].eq("all"), "experiment"]
    )
    pair = ["norm_threshold", "dedicated_threshold"]
    frame = claims[widest]
    columns = frame[[*pair, "primary"]].groupby(pair, dropna=False)["primary"].any().reset_index()
    pairs = list(columns[pair].itertuples(index=False, name=None))
    moving, n_rows = [], 0
    for keys, part in frame.groupby(["observation", "experiment", "case", "sample"], sort=False):
        n_rows += 1
        if part["verdict"].nunique() == 1:
            continue
        cells = dict(
            zip(
                part[pair].itertuples(index=False, name=None),
                zip(part["fraction"], part["verdict"], strict=True),
                strict=True,
            )
        )
        moving.append(
            {
                **dict(zip(("observation", "experiment", "case", "sample"), keys, strict=True)),
                "cells": [
                    {"fraction": finite(cells[key][0]), "verdict": cells[key][1]} if key in cells else None
                    for key in pairs
                ],
            }
        )
    return {"columns": records(columns), "rows": moving, "n_rows": n_rows}


def saes(sources: Sources, experiment: str) -> list[Row]:
    """Means over the toy models of each case, one row a case and SAE; `n_defined` says over how many.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    table = storage.read_table(sources.locate(catalogue.experiment_table(experiment, "saes")), _SAES)
    rows = []
    for (case, sae), part in table.groupby(["case", "sae"], sort=False):
        first = part.iloc[0]
        rows.append(
            {
                "experiment": experiment,
                "case": case,
                "sae": sae,
                "n_saes": len(part),
                "architecture": first["architecture"],
                "resampling": first["resampling"],
                "sparsity_coefficient": finite(first["sparsity_coefficient"]),
                "n_latents": int(first["n_latents"]),
                "mean": {name: finite(part[name].mean()) for name in _SAE_MEASURES},
                "n_defined": {name: int(part[name].notna().sum()) for name in _SAE_MEASURES},
            }
        )
    return rows


def span(values: Sequence[float]) -> Row:
    """Smallest and largest of some numbers."""
    return {"low": float(min(values)), "high": float(max(values))}
