"""The table of claims: every observation, put to the toy models of every experiment that it is about.

One row an observation, experiment, schedule and (for comparisons) rival schedule, for each sample of seeds
and pair of thresholds:

    observation: its name, O1 to C1. statement: the author's words. source: where they stand. criterion: the
    question to a toy model. kind: what is counted (models, features, difference, distribution, …).
    experiment: name of the experiment. family: what its base schedule is called. n_features: n. n_hidden: m.
    case, rival: names of the cases with this schedule, apart by commas: case5 and post4 are one schedule up
    to the names of features, and one row; the rival's, empty without a comparison. key, rival_key: hashes of
    schedule, size and training, whatever the order of features. sample: shown (the toy models in the figures)
    or all; all only where there are more. requires: what the words require, a key of
    `metrics.verdicts.REQUIREMENTS`, empty without a test. n_models, n_seeds: distinct toy models (pairs of a
    comparison), and their distinct seeds. n_holding, fraction: toy models that answer yes (kind features:
    represented features that do), and their share (of the represented features); of a comparison, pairs below
    the rival. difference: mean paired difference: features, or for norms the share of the rival's norm; else
    NaN. ci_low, ci_high: exact interval of the share, or interval of the difference, simultaneous over
    n_tests. verdict: regions that the interval meets, in words: never, seldom, mostly, always; smaller,
    alike, larger; not known. Empty without a test. state: supported, contradicted or open, against what the
    words require; empty without a test. without_exception: θ⁸, the chance that eight fresh seeds show it
    without exception; kind models only. n_tests: distinct tests that the report's intervals are simultaneous
    over. counts: of a distribution, toy models with 0, 1, … n_features; else empty. norm_threshold,
    dedicated_threshold: of ‖W_i‖ and of D_i. primary: whether these are the primary ones.

Verdicts are judged at the primary thresholds on all seeds; the other rows show how they move.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.metrics.clusters import clustered_verdict
from superposition_atlas.metrics.verdicts import (
    Verdict,
    difference_verdict,
    without_exception,
)
from superposition_atlas.observations.definitions import OBSERVATIONS, Observation
from superposition_atlas.observations.measured import PRIMARY, SWEEP, Thresholds
from superposition_atlas.observations.trained import Trained, by_schedule

COLUMNS = {
    **dict.fromkeys(("observation", "statement", "source", "criterion", "kind"), "str"),
    **dict.fromkeys(
        ("experiment", "case", "rival", "key", "rival_key", "family", "sample", "requires"), "str"
    ),
    **dict.fromkeys(("n_features", "n_hidden", "n_models", "n_seeds", "n_holding"), "int64"),
    **dict.fromkeys(("fraction", "difference", "ci_low", "ci_high"), "float64"),
    **dict.fromkeys(("verdict", "state"), "str"),
    "without_exception": "float64",
    "n_tests": "int64",
    "counts": "object",
    **dict.fromkeys(("norm_threshold", "dedicated_threshold"), "float64"),
    "primary": "bool",
}
EMPTY = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})

N_GENERAL_TESTS = 2 * sum(own.is_judged and not own.is_control for own in OBSERVATIONS)
"""Tests of the answer, over random schedules: trained toy models and best solutions for each observation."""

_TEST = ["observation", "key", "rival_key"]
"""Columns that tell tests apart: the same in two experiments is one test."""
_COPIED = ("statement", "source", "kind", "requires", "smallest")
_Row = dict[str, Any]


def unjudged(
    experiment: str, family: str, features: pd.DataFrame, trainings: Mapping[str, Mapping[str, Any]]
) -> list[_Row]:
    """The rows of one experiment, not judged yet: with the answers instead of intervals and verdicts.

    Args:
        experiment: its name.
        family: what tables call its base schedule.
        features: the experiment's table of features.
        trainings: settings of training by case.
    """
    entries = by_schedule(features, trainings)
    about = {"experiment": experiment, "family": family}
    return [
        about | row
        for observation in OBSERVATIONS
        for entry in entries
        if entry.is_one_schedule and _is_about(observation, entry)
        for row in _rows(observation, entry, entries)
    ]


def judged(rows: Sequence[_Row]) -> pd.DataFrame:
    """The table of claims of all experiments, with intervals and verdicts.

    Args:
        rows: of `unjudged`, of all experiments.
    """
    tests = {tuple(row[name] for name in _TEST) for row in rows if row["requires"]}
    n_tests = len(tests) + N_GENERAL_TESTS
    table = [_judged(row, n_tests) for row in rows]
    return pd.DataFrame(table, columns=list(COLUMNS)).astype(COLUMNS) if table else EMPTY


def _is_about(observation: Observation, entry: Trained) -> bool:
    return bool(observation.scope(entry.importance, entry.probability, entry.n_hidden)[0])


# --- asking ------------------------------------------------------------------------------------------------


def _rows(observation: Observation, entry: Trained, entries: Sequence[Trained]) -> Iterator[_Row]:
    if observation.question is None:
        return
    rivals = _rivals(observation, entry, entries)
    for rival in rivals:
        for thresholds in (PRIMARY, *SWEEP):
            for sample in ("shown", "all"):
                if sample == "all" and entry.shown.all():
                    continue
                chosen = _sampled(entry, sample)
                yield {
                    **{name: getattr(observation, name) for name in _COPIED},
                    "observation": observation.name,
                    "criterion": observation.criterion.format(
                        norm=f"{thresholds.norm:g}", dimensionality=f"{thresholds.dimensionality:g}"
                    ),
                    "case": entry.case,
                    "rival": rival.case if rival else "",
                    "key": entry.key,
                    "rival_key": rival.key if rival else "",
                    "sample": sample,
                    "n_features": entry.probability.shape[1],
                    "n_hidden": entry.n_hidden,
                    "norm_threshold": thresholds.norm,
                    "dedicated_threshold": thresholds.dimensionality,
                    "primary": thresholds == PRIMARY,
                    **_answers(observation, chosen, rival and _sampled(rival, sample), thresholds),
                }


def _rivals(observation: Observation, entry: Trained, entries: Sequence[Trained]) -> Sequence[Trained | None]:
    """The schedules that it is compared with, one row each; [None] where it is not compared."""
    if observation.kind == "sentence":
        return [other for other in entries if not other.is_one_schedule][:1]
    if observation.rivals is None:
        return [None]
    return [
        other
        for other in entries
        if other.is_one_schedule
        and observation.rivals(entry.importance, entry.probability, other.importance, other.probability)[0]
    ]


def _sampled(entry: Trained, sample: str) -> Trained:
    return entry.only(entry.shown) if sample == "shown" else entry


def _answers(observation: Observation, entry: Trained, rival: Trained | None, thresholds: Thresholds) -> _Row:
    """Answers as `part`, `whole` and `seeds`, one a toy model, or one a pair and its difference."""
    assert observation.question is not None
    values = observation.question(entry.models.at(thresholds))
    seeds, whole = entry.seeds, np.ones(len(values))
    if observation.kind == "difference":
        assert rival is not None
        ours = _by_seed(values, entry)
        theirs = _by_seed(observation.question(rival.models.at(thresholds)), rival)
        pairs = pd.concat([ours, theirs], axis=1, join="inner").to_numpy()
        differences = pairs[:, 0] - pairs[:, 1]
        if observation.is_relative:
            differences = differences / pairs[:, 1].mean()
        return {"part": differences, "whole": np.ones(len(differences)), "seeds": np.arange(len(differences))}
    if observation.kind == "sentence":
        assert rival is not None
        values = values < observation.question(rival.models.at(thresholds)).max()
    if observation.whole is not None:
        whole = observation.whole(entry.models.at(thresholds))
    return {"part": values, "whole": whole, "seeds": seeds}


def _by_seed(values: np.ndarray, entry: Trained) -> "pd.Series[float]":
    """Mean of each seed: of one toy model, or where cases are one schedule of one in each."""
    return pd.Series(values, index=entry.seeds, dtype=float).groupby(level=0).mean()


# --- judging -----------------------------------------------------------------------------------------------


def _judged(row: _Row, n_tests: int) -> _Row:
    part, whole, seeds = (np.asarray(row[name]) for name in ("part", "whole", "seeds"))
    n_models, kind = len(part), row["kind"]
    filled: _Row = {
        "n_models": n_models,
        "n_seeds": len(np.unique(seeds)),
        "difference": np.nan,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "verdict": "",
        "state": "",
        "without_exception": np.nan,
        "n_tests": n_tests,
        "counts": [],
    }
    if kind == "distribution":
        counts = np.bincount(part.astype(int), minlength=row["n_features"] + 1)
        return row | filled | {"n_holding": 0, "fraction": np.nan, "counts": counts.tolist()}
    holding = part < 0 if kind == "difference" else part
    filled |= {"n_holding": int(holding.sum()), "fraction": _share(holding.sum(), whole.sum())}
    if kind == "models":
        filled["without_exception"] = without_exception(int(holding.sum()), n_models)
    if kind == "difference" and n_models:
        filled["difference"] = part.mean()
    verdict = _verdict(row, part, whole, n_tests)
    if verdict is not None:
        filled |= {"ci_low": verdict.low, "ci_high": verdict.high, "verdict": str(verdict)}
        filled["state"] = verdict.of_claim(row["requires"])
    return row | filled


def _verdict(row: _Row, part: np.ndarray, whole: np.ndarray, n_tests: int) -> Verdict | None:
    """None without a test, or without anything to test it on."""
    if not row["requires"] or not whole.sum() > 0:
        return None
    if row["kind"] == "difference":
        return difference_verdict(part, row["smallest"], n_tests)
    # Features of a toy model do not count as independent; toy models do. Where cases are one schedule up to
    # names, toy models of one seed have different numbers of the stream for a feature of the same role.
    return clustered_verdict(part.astype(float), whole.astype(float), [np.arange(len(part))], n_tests)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
