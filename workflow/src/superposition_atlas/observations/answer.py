"""The table of the answer: one row an observation, where it holds.

    observation: its name, O1 to C1. statement: the author's words. source: where they stand. kind: what is
    counted. requires: what the words require, empty without a test. talk_supported, talk_open,
    talk_contradicted: tests at the talk's schedules by state (all seeds). other_supported, other_open,
    other_contradicted: the same of other families of schedules. talk_trained, talk_best: at the talk's
    schedules, the share of toy models and of best solutions (of kind difference the mean paired difference);
    best ones of small sizes only. n_schedules: schedules of the atlas that the observation is about.
    atlas_trained, atlas_best: the same over these; the grid is no sample, so there is no interval.
    trained_where_best, trained_where_not_best: kind models: share of toy models where the best solution shows
    the observation, and where it does not. general_n_schedules, general_n_models: random schedules that it is
    about, and their toy models. general_trained, general_low, general_high: the share over these, with an
    interval over schedules and seeds that is simultaneous over n_tests. general_verdict, general_state:
    regions that the interval meets, and the state of the claim. general_best, general_best_low,
    general_best_high, general_best_verdict, general_best_state: the same of best solutions. n_tests: distinct
    tests that intervals are simultaneous over. verdict: all this in words.

Shares are of toy models (kind models) or of represented features (kind features); of kind difference are
mean differences, in features or as a share of the rival's norm. What was not asked is NaN or empty.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.observations.claims import N_GENERAL_TESTS
from superposition_atlas.observations.definitions import OBSERVATIONS, Observation
from superposition_atlas.observations.over_schedules import JUDGED, Answers, Map, answers_on
from superposition_atlas.observations.words import STATES, in_general, tally

_UNKNOWN = float("nan")
_NUMBERS = (
    *(f"{where}{state}" for where in ("talk_", "other_") for state in STATES),
    *("n_schedules", "general_n_schedules", "general_n_models"),
)
_SHARES = (
    *("talk_trained", "talk_best", "atlas_trained", "atlas_best"),
    *("trained_where_best", "trained_where_not_best"),
    *("general_trained", "general_low", "general_high"),
    *("general_best", "general_best_low", "general_best_high"),
)
_WORDS = ("general_verdict", "general_state", "general_best_verdict", "general_best_state")
CLAIMS = (
    *("observation", "experiment", "case", "rival", "sample", "primary", "kind", "state"),
    *("n_models", "fraction", "difference", "n_tests"),
)
"""Columns of the table of claims that are read."""


def answer(
    claims: pd.DataFrame,
    primary: Iterable[str],
    solved: Mapping[str, pd.DataFrame],
    atlas: Map,
    random: Map | None,
    effects: pd.DataFrame,
) -> pd.DataFrame:
    """The table.

    Args:
        claims: the table of claims.
        primary: experiments with the talk's own family of schedules.
        solved: tables of solutions by experiment, of those that were solved.
        atlas: the map over schedules.
        random: a map of random schedules, if there is one.
        effects: as `maps.effects` has them.
    """
    n_tests = int(claims["n_tests"].max()) if len(claims) else N_GENERAL_TESTS
    widest = _widest(claims[claims["primary"].astype(bool)])
    rows = []
    for observation in OBSERVATIONS:
        row: dict[str, Any] = {
            "observation": observation.name,
            **{name: getattr(observation, name) for name in ("statement", "source", "kind", "requires")},
            **dict.fromkeys(_NUMBERS, 0),
            **dict.fromkeys(_SHARES, _UNKNOWN),
            **dict.fromkeys(_WORDS, ""),
            "n_tests": n_tests,
        }
        own = widest[widest["observation"] == observation.name]
        row |= _at_the_talk(observation, own, set(primary), solved)
        if observation in JUDGED:
            row |= _over_the_atlas(observation, atlas)
            if random is not None:
                row |= _in_general(observation, random, n_tests)
        if observation.kind == "regression" and len(effects):
            row["n_schedules"] = int(effects["n_schedules"].max())
        rows.append(row | {"verdict": _words(row)})
    return pd.DataFrame(rows)


def _widest(claims: pd.DataFrame) -> pd.DataFrame:
    """The row on all toy models of each test."""
    test = ["observation", "experiment", "case", "rival"]
    return claims[(claims["sample"] == "all") | ~claims.duplicated(test, keep=False)]


def _at_the_talk(
    observation: Observation, claims: pd.DataFrame, primary: set[str], solved: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    at_talk = claims["experiment"].isin(primary)
    row: dict[str, Any] = {
        f"{where}{state}": int((claims.loc[chosen, "state"] == state).sum())
        for where, chosen in (("talk_", at_talk), ("other_", ~at_talk))
        for state in STATES
    }
    own = claims[at_talk & (claims["n_models"] > 0)]
    if observation.kind in ("models", "features", "difference") and len(own):
        column = "difference" if observation.kind == "difference" else "fraction"
        row["talk_trained"] = float(np.average(own[column], weights=own["n_models"]))
        best = [
            _of_best(observation, test["case"], test["rival"], solved[test["experiment"]])
            for test in own.to_dict("records")
            if test["experiment"] in solved
        ]
        row["talk_best"] = float(np.mean(best)) if best else _UNKNOWN
    return row


def _of_best(observation: Observation, case: str, rival: str, solutions: pd.DataFrame) -> float:
    """The answer of a case's best solution; NaN if it is not known."""
    best = solutions[(solutions["kind"] == "minimum") & (solutions["rank"] == 0)].drop_duplicates("case")
    names = [cases.split(", ")[0] for cases in (case, rival) if cases]
    if not set(names) <= set(best["case"]) or observation.column not in best:
        return _UNKNOWN
    values = {name: best.loc[best["case"] == name].iloc[0] for name in names}
    ours, *theirs = (float(values[name][observation.column]) for name in names)
    if theirs:
        difference = ours - theirs[0]
        return difference / theirs[0] if observation.is_relative else difference
    if observation.whole is not None:
        whole = float(values[names[0]][observation.whole.__name__])
        return ours / whole if whole else _UNKNOWN
    return ours


def _over_the_atlas(observation: Observation, atlas: Map) -> dict[str, Any]:
    trained, best = (answers_on(observation, atlas, table) for table in (atlas.models, atlas.best()))
    row = {
        "n_schedules": max(trained.n_schedules, best.n_schedules),
        "atlas_trained": trained.value,
        "atlas_best": best.value,
    }
    if observation.kind == "models":
        holds = dict(zip(best.keys, best.part, strict=True))
        at_best = np.array([holds.get(key, _UNKNOWN) for key in trained.keys])
        row["trained_where_best"] = _mean(trained.part[at_best == 1])
        row["trained_where_not_best"] = _mean(trained.part[at_best == 0])
    return row


def _in_general(observation: Observation, random: Map, n_tests: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for prefix, table in (("general", random.models), ("general_best", random.best())):
        found = answers_on(observation, random, table)
        row[f"{prefix}_trained" if prefix == "general" else prefix] = found.value
        if prefix == "general":
            row |= {"general_n_models": _n_models(observation, found, table)}
        row["general_n_schedules"] = max(row.get("general_n_schedules", 0), found.n_schedules)
        verdict = found.verdict(observation, n_tests)
        if verdict is not None:
            row |= {f"{prefix}_low": verdict.low, f"{prefix}_high": verdict.high}
            row |= {
                f"{prefix}_verdict": str(verdict),
                f"{prefix}_state": verdict.of_claim(observation.requires),
            }
    return row


def _n_models(observation: Observation, found: Answers, table: pd.DataFrame) -> int:
    """Toy models at the schedules that an observation is about; rivals' not among them."""
    return int(table["key"].isin(found.keys).sum()) if observation.kind == "difference" else len(found.part)


def _words(row: Mapping[str, Any]) -> str:
    if not row["requires"]:
        return {"regression": "no test: a regression", "sentence": "no test: one sentence"}.get(
            row["kind"], "no test: a distribution"
        )
    talk = tally({state: row[f"talk_{state}"] for state in STATES})
    return f"{talk}; {in_general(row['general_state'], row['general_best_state'])}"


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else _UNKNOWN
