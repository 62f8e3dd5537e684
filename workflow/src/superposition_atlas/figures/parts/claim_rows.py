"""Rows of claims.parquet as the figures need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from superposition_atlas.figures.parts import rows

COLUMNS = (
    *("observation", "statement", "criterion", "kind", "requires"),
    *("experiment", "case", "rival", "family", "sample"),
    *("n_models", "n_holding", "fraction", "difference", "ci_low", "ci_high", "state"),
    *("norm_threshold", "dedicated_threshold", "primary"),
)
_ONE_OF_EACH = ["observation", "experiment", "case", "rival", "norm_threshold", "dedicated_threshold"]


@dataclass(frozen=True)
class Block:
    """Experiments that speak of the same observations: a table of observations and cases by experiments."""

    experiments: dict[str, str]
    """Name to schedule family."""
    observations: dict[str, str]
    """Name to statement."""
    cases: list[tuple[str, str]]
    """Observation and the label of a row."""


def read(path: Path, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """The claims that are judged, with a label for the row of each: its case, or what that is compared with.

    Raises:
        ArtefactError: as `rows.read`.
    """
    claims = rows.read(path, columns)
    claims = claims[claims["requires"] != ""]
    one_case = claims.groupby(["observation", "experiment"])["case"].transform("nunique") == 1
    against = one_case & (claims["rival"] != "")
    return claims.assign(label=claims["case"].where(~against, "against " + claims["rival"]))


def widest(claims: pd.DataFrame) -> pd.DataFrame:
    """The row of each claim on all seeds if there is one, else that on the shown seeds."""
    on_all = claims["sample"] == "all"
    return claims[on_all | ~claims.duplicated(_ONE_OF_EACH, keep=False)]


def blocks(claims: pd.DataFrame) -> list[Block]:
    """Experiments that share an observation belong together; the others stand by themselves."""
    groups: list[tuple[set[str], set[str]]] = []
    for name, of_experiment in claims.groupby("experiment", sort=False):
        experiments, observations = {str(name)}, set(of_experiment["observation"])
        for group in [group for group in groups if group[1] & observations]:
            groups.remove(group)
            experiments, observations = group[0] | experiments, group[1] | observations
        groups.append((experiments, observations))
    return [_block(claims[claims["experiment"].isin(experiments)]) for experiments, _ in groups]


def _block(claims: pd.DataFrame) -> Block:
    # An observation's place is where it is first seen in any experiment, as OBSERVATIONS orders them.
    pairs = list(dict.fromkeys(zip(claims["observation"], claims["label"], strict=True)))
    observations = dict(zip(claims["observation"], claims["statement"], strict=True))
    order = list(observations)
    return Block(
        experiments=dict(zip(claims["experiment"], claims["family"], strict=True)),
        observations=observations,
        cases=sorted(pairs, key=lambda pair: order.index(pair[0])),
    )
