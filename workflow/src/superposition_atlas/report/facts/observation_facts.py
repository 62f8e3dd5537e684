"""What became of each observation: its tests by experiment, and the best solutions."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from superposition_atlas.figures import catalogue
from superposition_atlas.observations.definitions import OBSERVATIONS
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.report.phrases import THIN, fixed, short
from superposition_atlas.storage import layout

_CLAIMS = (
    *("observation", "statement", "source", "criterion", "kind", "experiment", "case", "rival", "sample"),
    *("n_models", "n_holding", "fraction", "difference", "ci_low", "ci_high", "verdict", "state", "requires"),
    *("primary", "norm_threshold", "dedicated_threshold"),
)
_ANSWER = ("observation", "talk_best", "kind")


@dataclass(frozen=True)
class OutcomeFacts:
    """One observation put to the toy models of one schedule."""

    experiment: str
    case: str
    rival: str
    n_models: int
    n_holding: int
    share: float
    """Share of toy models or of represented features; NaN for comparisons."""
    difference: float
    """Mean paired difference; NaN but for comparisons."""
    low: float
    high: float
    verdict: str
    state: str
    """supported, open or contradicted; empty where nothing is judged."""


@dataclass(frozen=True)
class ObservationFacts:
    """One observation with all its tests, on the widest sample of each experiment."""

    name: str
    statement: str
    source: str
    criterion: str
    kind: str
    is_relative: bool
    """Whether differences are shares of the rival's value."""
    best: float
    """Share of best solutions at the talk's schedules that show it; NaN where unknown."""
    tests: list[OutcomeFacts]

    def of(self, *experiments: str) -> list[OutcomeFacts]:
        """Tests of these experiments."""
        return [test for test in self.tests if test.experiment in experiments]

    def difference(self, value: float) -> str:
        """A difference as it is printed: in features, or as a percentage of the rival's value."""
        sign = "+" if value > 0 else ""
        return sign + (f"{fixed(100 * value, 1)}{THIN}%" if self.is_relative else short(value))

    @property
    def is_control(self) -> bool:
        """Whether it is a control with a known answer."""
        return self.name.startswith("C")


def observations(ledger: Ledger) -> list[ObservationFacts]:
    """All observations that were put to a test, in the table's order.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    path = layout.claims()
    claims = ledger.read(path, _CLAIMS)
    claims = claims[claims["primary"].astype(bool)]
    wide = claims.loc[claims["sample"] == "all", "experiment"].unique()
    claims = claims[(claims["sample"] == "all") | ~claims["experiment"].isin(wide)]
    best: dict[str, float] = {}
    if catalogue.answers(ledger.sources.config):
        answer = ledger.read(layout.answer(), _ANSWER)
        shares = answer[answer["kind"] != "difference"]
        best = dict(zip(shares["observation"], shares["talk_best"].astype(float), strict=True))
    is_relative = {own.name: own.is_relative for own in OBSERVATIONS}
    found = []
    for name, own in claims.groupby("observation", sort=False):
        first = own.iloc[0]
        tests = [_test(row) for _, row in own.iterrows()]
        facts = ObservationFacts(
            name=str(name),
            statement=str(first["statement"]),
            source=str(first["source"]),
            criterion=str(first["criterion"]),
            kind=str(first["kind"]),
            is_relative=is_relative.get(str(name), False),
            best=best.get(str(name), math.nan),
            tests=tests,
        )
        found.append(ledger.note(path, str(name), facts))
    return found


def _test(row: "pd.Series[Any]") -> OutcomeFacts:
    return OutcomeFacts(
        experiment=str(row["experiment"]),
        case=str(row["case"]),
        rival=str(row["rival"]),
        n_models=int(row["n_models"]),
        n_holding=int(row["n_holding"]),
        share=float(row["fraction"]),
        difference=float(row["difference"]),
        low=float(row["ci_low"]),
        high=float(row["ci_high"]),
        verdict=str(row["verdict"]),
        state=str(row["state"]),
    )
