"""The report's tables as plain rows: read from Parquet, counted and averaged for display, nothing else.

Whatever is undefined (NaN) is None, which the template shows as a dash.
"""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.errors import ArtefactError
from superposition_atlas.observations.words import STATES
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

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
_OUTCOME = (
    *("n_models", "n_seeds", "n_holding", "fraction", "difference", "ci_low", "ci_high"),
    *("verdict", "state", "without_exception", "counts"),
)
_CLAIMS = (
    *("observation", "statement", "source", "criterion", "kind", "requires"),
    *("experiment", "case", "rival", "family", "sample"),
    *_OUTCOME,
    *("norm_threshold", "dedicated_threshold", "primary"),
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
_SAES = (
    "case",
    "sae",
    "architecture",
    "resampling",
    "sparsity_coefficient",
    "k",
    "n_latents",
    *_SAE_MEASURES,
)


def finite(value: Any) -> float | None:
    """A float for JSON, None where it is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None


def models(sources: Sources, experiment: str) -> pd.DataFrame:
    """One row a toy model of the experiment.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    return read_table(sources.locate(layout.experiment_table(experiment, "models")), _MODELS)


def counts(models: pd.DataFrame) -> Row:
    """How many features some toy models represent, and how many of them have a dimension to themselves."""
    found, n_models = np.unique(models["n_represented"].to_numpy(), return_counts=True)
    row: Row = {
        "n_models": len(models),
        "by_count": [{"count": int(k), "n_models": int(n)} for k, n in zip(found, n_models, strict=True)],
        "same_by_l1": int((models["n_represented"] == models["n_represented_l1"]).sum()),
    }
    for name, column in (("represented", "n_represented"), ("dedicated", "n_dedicated")):
        values = models[column]
        row[name] = {"low": int(values.min()), "high": int(values.max()), "mean": finite(values.mean())}
    return row


def published_norms(sources: Sources, experiment: str, models: pd.DataFrame) -> list[Row]:
    """Published against reproduced Frobenius norms, un-squared, the published maximum over eight toy models.

    One row a trained case of the experiment; only the shown toy models count, which are as many as the
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
                "experiment": experiment,
                "case": case,
                "role": sources.config.experiments[experiment].cases[case].role,
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
            for case, norm, note in zip(table["case"], table["published_norm"], table["note"], strict=True)
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
    return read_table(sources.locate(layout.claims()), _CLAIMS)


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame as plain values."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    value = value.item() if hasattr(value, "item") else value
    return finite(value) if isinstance(value, float) else value


def observations(claims: pd.DataFrame, tested: Collection[str]) -> list[Row]:
    """Each observation with all its outcomes at the primary thresholds, and a summary by experiment.

    Args:
        claims: what `claims` read.
        tested: experiments on which the talk's observations are tested; the others are controls.
    """
    groups = []
    primary = claims[claims["primary"]]
    names = ["experiment", "case", "rival", "family"]
    for (observation, statement), part in primary.groupby(["observation", "statement"], sort=False):
        rows = [
            {
                **dict(zip(names, keys, strict=True)),
                "control": keys[0] not in tested,
                "shown": _outcome(outcomes, "shown"),
                "all": _outcome(outcomes, "all"),
            }
            for keys, outcomes in part.groupby(names, sort=False)
        ]
        groups.append(
            {
                "observation": observation,
                "statement": statement,
                **{name: part[name].iloc[0] for name in ("source", "criterion", "kind", "requires")},
                "rows": rows,
                "summary": [
                    _summary(name, [row for row in rows if row["experiment"] == name])
                    for name in part["experiment"].unique()
                ],
            }
        )
    return groups


def _outcome(outcomes: pd.DataFrame, sample: str) -> Row | None:
    rows = records(outcomes.loc[outcomes["sample"] == sample, list(_OUTCOME)])
    return rows[0] if rows else None


def _widest(row: Row) -> Row:
    """The outcome on all seeds where there are more than the shown ones."""
    outcome: Row = row["all"] or row["shown"]
    return outcome


def _summary(experiment: str, rows: Sequence[Row]) -> Row:
    """The cases of one experiment by the state of the claim, for each sample."""
    summary: Row = {"experiment": experiment, "n_rows": len(rows)}
    samples: dict[str, list[tuple[str, Row]]] = {
        "shown": [(_compared(row), row["shown"]) for row in rows if row["shown"]],
        "widest": [(_compared(row), _widest(row)) for row in rows],
    }
    for sample, outcomes in samples.items():
        summary[sample] = {
            "n_rows": len(outcomes),
            "n_seeds": max((outcome["n_seeds"] for _, outcome in outcomes), default=0),
            **{word: [case for case, outcome in outcomes if outcome["state"] == word] for word in STATES},
        }
    return summary


def _compared(row: Row) -> str:
    """The case, and what it is compared with."""
    return f"{row['case']} against {row['rival']}" if row["rival"] else str(row["case"])


def totals(observations: Sequence[Row]) -> Row:
    """States over all tests of the tested experiments, and how many the sample moves."""
    judged = [group for group in observations if group["requires"]]
    rows = [row for group in judged for row in group["rows"] if not row["control"]]
    both = [row for row in rows if row["shown"] and row["all"]]
    return {
        "n_rows": len(rows),
        "shown": _state_counts([row["shown"] for row in rows if row["shown"]]),
        "widest": _state_counts([_widest(row) for row in rows]),
        "n_in_both": len(both),
        "n_moved": sum(row["shown"]["state"] != row["all"]["state"] for row in both),
    }


def _state_counts(outcomes: Sequence[Row]) -> Row:
    return {word: sum(outcome["state"] == word for outcome in outcomes) for word in STATES}


def thresholds(claims: pd.DataFrame) -> Row:
    """How states move with the thresholds: a column for each pair, a row for each test on all seeds.

    Tests that have the same state everywhere are only counted.
    """
    judged = claims[claims["requires"] != ""]
    with_all = judged.loc[judged["sample"] == "all", "experiment"].unique()
    frame = judged[(judged["sample"] == "all") | ~judged["experiment"].isin(with_all)]
    pairs = _threshold_pairs(frame)
    rows, n_rows = [], 0
    for observation in frame["observation"].unique():
        of_observation = frame[frame["observation"] == observation]
        tests = of_observation.groupby(["experiment", "case", "rival"], sort=False)
        for (experiment, case, rival), part in tests:
            n_rows += 1
            if (part["state"] == part["state"].iloc[0]).all():
                continue
            cells = {
                (row["norm_threshold"], row["dedicated_threshold"]): {
                    "value": row["fraction"] if row["difference"] is None else row["difference"],
                    "state": row["state"],
                }
                for row in records(part)
            }
            rows.append(
                {
                    "observation": observation,
                    "experiment": experiment,
                    "case": case,
                    "rival": rival,
                    "cells": [
                        cells.get((pair["norm_threshold"], pair["dedicated_threshold"])) for pair in pairs
                    ],
                }
            )
    return {"columns": pairs, "rows": rows, "n_rows": n_rows}


def _threshold_pairs(frame: pd.DataFrame) -> list[Row]:
    """The pairs that were tried: those that move the norm's threshold first, then the others."""
    columns = ["norm_threshold", "dedicated_threshold", "primary"]
    pairs = records(frame[columns].drop_duplicates())
    primary = {pair["dedicated_threshold"] for pair in pairs if pair["primary"]}
    return sorted(
        pairs,
        key=lambda pair: (
            pair["dedicated_threshold"] not in primary,
            pair["dedicated_threshold"],
            pair["norm_threshold"],
        ),
    )


def saes(sources: Sources, experiment: str) -> list[Row]:
    """Means over the toy models of a case, a row a case, SAE, and λ or k; `n_defined` says over how many.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    table = read_table(sources.locate(layout.experiment_table(experiment, "saes")), _SAES)
    rows = []
    for (case, sae, *_), part in table.groupby(["case", "sae", "sparsity_coefficient", "k"], sort=False):
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
                "k": int(first["k"]),
                "n_latents": int(first["n_latents"]),
                "mean": {name: finite(part[name].mean()) for name in _SAE_MEASURES},
                "n_defined": {name: int(part[name].notna().sum()) for name in _SAE_MEASURES},
            }
        )
    return rows


def span(values: Float[np.ndarray, "..."]) -> Row:
    """Smallest and largest of some numbers."""
    return {"low": float(values.min()), "high": float(values.max())}
