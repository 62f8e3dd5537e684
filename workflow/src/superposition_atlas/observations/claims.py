"""The talk's observations as tests: in how many seeds does each hold, with an interval, and how sure is that?

An observation is a yes-or-no question to every toy model. `always` ones (in no scenario, never, every) hold
if no seed says no, and fail if, by the interval, most seeds do; `mostly` ones hold or fail by whether the
interval lies above or below one half. What is left depends on the seed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas.metrics.features import DEDICATED_DIMENSIONALITY, REPRESENTED_NORM
from superposition_atlas.metrics.intervals import wilson_interval

PerSeed = Bool[np.ndarray, " seed"]
PerFeature = Float[np.ndarray, "seed feature"]

CONTROLS = ("densities", "matched")
"""Roles of cases with uniform sparsity: what the others are compared with."""
DENSEST_SHARE = 0.1
"""P2 asks for the least sparse tenth of the features, at least one."""
ANGLE_TOLERANCE = 10.0
"""Degrees by which neighbours in a regular pentagon may miss 72."""
NORM_TOLERANCE = 0.1
"""Share of the mean norm by which a norm in a regular pentagon may miss it."""
ORTHOGONAL_COSINE = 0.1
"""Two features are orthogonal if |cos| is smaller than this."""


@dataclass(frozen=True)
class Thresholds:
    """A feature is represented if ‖W_i‖ > norm, dedicated if also D_i > dimensionality."""

    norm: float = REPRESENTED_NORM
    dimensionality: float = DEDICATED_DIMENSIONALITY


PRIMARY = Thresholds()
SWEEP = (
    *(Thresholds(norm=norm) for norm in (0.3, 0.4, 0.6, 0.7)),
    *(Thresholds(dimensionality=dimensionality) for dimensionality in (0.8, 0.85, 0.95, 0.99)),
)
"""Thresholds at which every observation is tested as well, to see how its verdict moves."""


@dataclass(frozen=True)
class CaseMeasurements:
    """One case's features as arrays; rows are seeds, in the order of `seeds`."""

    role: str
    """The case's role in the observations, as the configuration states; empty for other cases."""
    seeds: Integer[np.ndarray, " seed"]
    shown: PerSeed
    importance: PerFeature
    probability: PerFeature
    norm: PerFeature
    dimensionality: PerFeature
    interference: PerFeature
    W: Float[np.ndarray, "seed hidden feature"]

    @classmethod
    def from_table(cls, features: pd.DataFrame, role: str) -> "CaseMeasurements":
        """Reads the rows of one case in `features.parquet`, and takes the case's role."""
        rows = features.sort_values(["seed", "feature"])
        n_seeds = rows["seed"].nunique()

        def column(name: str) -> np.ndarray:
            return rows[name].to_numpy().reshape(n_seeds, -1)

        names = ("importance", "probability", "norm", "dimensionality", "interference")
        weights = np.stack(rows["weights"].to_list()).astype(np.float64)
        return cls(
            role=role,
            seeds=column("seed")[:, 0],
            shown=column("shown")[:, 0],
            W=weights.reshape(n_seeds, -1, weights.shape[-1]).swapaxes(1, 2),
            **{name: column(name) for name in names},
        )

    def only(self, chosen: PerSeed) -> "CaseMeasurements":
        """The chosen seeds alone."""
        arrays = (field.name for field in fields(self) if field.name != "role")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})

    def represented(self, thresholds: Thresholds) -> Bool[np.ndarray, "seed feature"]:
        """Which features are represented."""
        return self.norm > thresholds.norm

    def dedicated(self, thresholds: Thresholds) -> Bool[np.ndarray, "seed feature"]:
        """Which features are represented and have a dimension to themselves."""
        return self.represented(thresholds) & (self.dimensionality > thresholds.dimensionality)

    def frobenius_norm(self) -> Float[np.ndarray, " seed"]:
        """Un-squared ‖W‖_F."""
        return np.sqrt((self.norm**2).sum(axis=1))


Cases = Mapping[str, CaseMeasurements]
Test = Callable[[Cases, str, Thresholds], PerSeed]


@dataclass(frozen=True)
class Observation:
    """A statement of the talk or its post, and the question that it puts to every toy model of a case."""

    name: str
    statement: str
    criterion: str
    quantifier: Literal["always", "mostly"]
    applies: Callable[[Cases, str], bool]
    """Whether the observation is about this case, given all cases of the experiment."""
    holds: Test


# --- questions ---------------------------------------------------------------------------------------------


def _not_all_represented(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return np.logical_not(cases[case].represented(thresholds).all(axis=1))


def _three_represented(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return np.asarray(cases[case].represented(thresholds).sum(axis=1) == 3)


def _none_dedicated(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return np.logical_not(cases[case].dedicated(thresholds).any(axis=1))


def _fewest_represented(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return _lowest(cases, case, lambda measured: measured.represented(thresholds).sum(axis=1).astype(float))


def _strictly_fewest_represented(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    def count(measured: CaseMeasurements) -> Float[np.ndarray, " seed"]:
        # A lead of half a feature is a lead of at least one.
        return measured.represented(thresholds).sum(axis=1) + (0.5 if measured is cases[case] else 0.0)

    return _lowest(cases, case, count)


def _least_superposition(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    def mean_interference(measured: CaseMeasurements) -> Float[np.ndarray, " seed"]:
        there = measured.represented(thresholds)
        total = (measured.interference * there).sum(axis=1)
        return np.asarray(total / np.maximum(there.sum(axis=1), 1))

    return _lowest(cases, case, mean_interference)


def _lowest(
    cases: Cases, case: str, measure: Callable[[CaseMeasurements], Float[np.ndarray, " seed"]]
) -> PerSeed:
    """Whether no other case has a lower value at the same seed; uniform sparsity is a control, not a case."""
    others = [
        measure(measured)
        for name, measured in cases.items()
        if name != case and measured.role not in CONTROLS
    ]
    return np.asarray(measure(cases[case]) <= np.min(others, axis=0))


def _most_important_dedicated(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    measured = cases[case]
    first = measured.importance.argmax(axis=1)
    return measured.dedicated(thresholds)[np.arange(len(first)), first]


def _densest_not_represented(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    measured = cases[case]
    n_densest = max(1, round(DENSEST_SHARE * measured.norm.shape[1]))
    densest = np.argsort(-measured.probability, axis=1, kind="stable")[:, :n_densest]
    return np.logical_not(np.take_along_axis(measured.represented(thresholds), densest, axis=1).any(axis=1))


def _below_sparsest_uniform(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return cases[case].frobenius_norm() < _of_role(cases, "densities").frobenius_norm().max()


def _below_matched_uniform(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    return cases[case].frobenius_norm() < _of_role(cases, "matched").frobenius_norm()


def _of_role(cases: Cases, role: str) -> CaseMeasurements:
    """The first case that has a role."""
    return next(measured for measured in cases.values() if measured.role == role)


def _regular_pentagon(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    measured = cases[case]
    angles = np.sort(np.degrees(np.arctan2(measured.W[:, 1], measured.W[:, 0])), axis=1)
    gaps = np.diff(angles, axis=1, append=angles[:, :1] + 360.0)
    mean_norm = measured.norm.mean(axis=1, keepdims=True)
    return np.asarray(
        measured.represented(thresholds).all(axis=1)
        & (np.abs(gaps - 72.0) <= ANGLE_TOLERANCE).all(axis=1)
        & (np.abs(measured.norm - mean_norm) <= NORM_TOLERANCE * mean_norm).all(axis=1)
    )


def _two_most_important_orthogonal(cases: Cases, case: str, thresholds: Thresholds) -> PerSeed:
    measured = cases[case]
    two = np.argsort(-measured.importance, axis=1, kind="stable")[:, :2]
    wanted = np.zeros_like(measured.norm, dtype=bool)
    np.put_along_axis(wanted, two, True, axis=1)
    a, b = (np.take_along_axis(measured.W, two[:, None, k : k + 1], axis=2)[:, :, 0] for k in (0, 1))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    orthogonal = np.abs((a * b).sum(axis=1)) < ORTHOGONAL_COSINE * lengths
    return np.asarray((measured.represented(thresholds) == wanted).all(axis=1) & orthogonal)


# --- which cases an observation speaks of ------------------------------------------------------------------


def _is(role: str) -> Callable[[Cases, str], bool]:
    return lambda cases, case: cases[case].role == role


def _is_scenario(cases: Cases, case: str) -> bool:
    """The talk's five cases and whatever a user adds beside them, but not uniform sparsity."""
    return cases[case].role not in CONTROLS and _has_role(cases, "aligned")


def _has_role(cases: Cases, role: str) -> bool:
    return any(measured.role == role for measured in cases.values())


def _is_scenario_of_five(cases: Cases, case: str) -> bool:
    return _is_scenario(cases, case) and cases[case].norm.shape[1] == 5


def _has_rivals(cases: Cases, case: str) -> bool:
    others = (measured for name, measured in cases.items() if name != case)
    return cases[case].role == "aligned" and any(measured.role not in CONTROLS for measured in others)


def _is_scenario_beside(control: str) -> Callable[[Cases, str], bool]:
    return lambda cases, case: _is_scenario(cases, case) and _has_role(cases, control)


OBSERVATIONS = (
    Observation(
        "O1",
        "In no scenario are all features represented.",
        "at least one feature has norm ≤ {norm}",
        "always",
        _is_scenario,
        _not_all_represented,
    ),
    Observation(
        "O1-three",
        "Of 5 features often 3 are represented (read as: in most seeds).",
        "exactly 3 features have norm > {norm}",
        "mostly",
        _is_scenario_of_five,
        _three_represented,
    ),
    Observation(
        "O2",
        "The more important, the more sparse: every feature is always in superposition, none is independent.",
        "no feature has norm > {norm} and D > {dimensionality}",
        "always",
        _is("reversed"),
        _none_dedicated,
    ),
    Observation(
        "O3",
        "Constant importance: still almost every feature is in superposition, none is independent.",
        "no feature has norm > {norm} and D > {dimensionality}",
        "always",
        _is("equal"),
        _none_dedicated,
    ),
    Observation(
        "P1-fewest",
        "Case 1 represents the fewest features, ties allowed.",
        "no other case (uniform sparsity apart) has fewer features with norm > {norm} at the same seed",
        "always",
        _has_rivals,
        _fewest_represented,
    ),
    Observation(
        "P1-strictly",
        "Case 1 represents fewer features than any other case.",
        "every other case (uniform sparsity apart) has more features with norm > {norm} at the same seed",
        "always",
        _has_rivals,
        _strictly_fewest_represented,
    ),
    Observation(
        "P1-least",
        "Case 1 has the least superposition.",
        "no other case (uniform sparsity apart) has lower mean interference of the features with "
        "norm > {norm} at the same seed",
        "always",
        _has_rivals,
        _least_superposition,
    ),
    Observation(
        "P1-top",
        "In case 1 the top features get dedicated dimensions (read as: at least the first does).",
        "the most important feature has norm > {norm} and D > {dimensionality}",
        "always",
        _is("aligned"),
        _most_important_dedicated,
    ),
    Observation(
        "P2",
        "With constant importance the least sparse features are not learned at all.",
        "none of the densest tenth of the features (at least one) has norm > {norm}",
        "always",
        _is("equal"),
        _densest_not_represented,
    ),
    Observation(
        "P4",
        "Uniform sparsity represents most (as the post compares: the norm of its sparsest instance).",
        "the Frobenius norm of W is below the largest among the uniform instances",
        "always",
        _is_scenario_beside("densities"),
        _below_sparsest_uniform,
    ),
    Observation(
        "P4-matched",
        "Uniform sparsity has the larger norm also at the same mean density (a control that the post lacks).",
        "the Frobenius norm of W is below that of uniform sparsity with the same mean, at the same seed",
        "always",
        _is_scenario_beside("matched"),
        _below_matched_uniform,
    ),
    Observation(
        "C1",
        "Equally important features at 95 % sparsity form a regular pentagon.",
        f"all 5 features have norm > {{norm}}, neighbours are 72° ± {ANGLE_TOLERANCE:.0f}° apart, norms are "
        f"within {NORM_TOLERANCE:.0%} of their mean",
        "always",
        _is("pentagon"),
        _regular_pentagon,
    ),
    Observation(
        "C2",
        "Without sparsity exactly the two most important features are represented, orthogonally.",
        f"they alone have norm > {{norm}}, and |cos| between them is below {ORTHOGONAL_COSINE}",
        "always",
        _is("no_sparsity"),
        _two_most_important_orthogonal,
    ),
)
"""O: the talk's. P: the post's. C: controls with a known answer."""


COLUMNS = {
    "observation": "str",
    "statement": "str",
    "criterion": "str",
    "experiment": "str",
    "case": "str",
    "family": "str",
    "sample": "str",
    "quantifier": "str",
    "n_seeds": "int64",
    "n_holding": "int64",
    "fraction": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "verdict": "str",
    "norm_threshold": "float64",
    "dedicated_threshold": "float64",
    "primary": "bool",
}
EMPTY = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


# --- the table ---------------------------------------------------------------------------------------------


def verdict(n_holding: int, n_seeds: int, quantifier: Literal["always", "mostly"]) -> str:
    """`holds`, `fails` or `depends` (on the seed), as the module says."""
    low, high = wilson_interval(n_holding, n_seeds)
    if n_holding == n_seeds if quantifier == "always" else low > 0.5:
        return "holds"
    return "fails" if high < 0.5 else "depends"


def tested(experiment: str, family: str, features: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Every observation on every case that it speaks of: the shown seeds, and all where there are more.

    Args:
        experiment: its name.
        family: what tables call its base schedule.
        features: the experiment's table of features.
        roles: of its cases, by case; a case that is missing has none.
    """
    cases = {
        str(name): CaseMeasurements.from_table(rows, roles.get(str(name), ""))
        for name, rows in features.groupby("case", sort=False)
    }
    table = pd.DataFrame(_rows(cases), columns=list(COLUMNS)).assign(experiment=experiment, family=family)
    return table.astype(COLUMNS)


def _rows(cases: Cases) -> Iterator[dict[str, object]]:
    samples = {"shown": {name: measured.only(measured.shown) for name, measured in cases.items()}}
    if not all(measured.shown.all() for measured in cases.values()):
        samples["all"] = dict(cases)
    for observation in OBSERVATIONS:
        for case in cases:
            if not observation.applies(cases, case):
                continue
            for thresholds in (PRIMARY, *SWEEP):
                for sample, sampled in samples.items():
                    answers = observation.holds(sampled, case, thresholds)
                    n_holding, n_seeds = int(answers.sum()), len(answers)
                    low, high = wilson_interval(n_holding, n_seeds)
                    yield {
                        "observation": observation.name,
                        "statement": observation.statement,
                        "criterion": observation.criterion.format(
                            norm=f"{thresholds.norm:g}", dimensionality=f"{thresholds.dimensionality:g}"
                        ),
                        "case": case,
                        "sample": sample,
                        "quantifier": observation.quantifier,
                        "n_seeds": n_seeds,
                        "n_holding": n_holding,
                        "fraction": n_holding / n_seeds,
                        "ci_low": low,
                        "ci_high": high,
                        "verdict": verdict(n_holding, n_seeds, observation.quantifier),
                        "norm_threshold": thresholds.norm,
                        "dedicated_threshold": thresholds.dimensionality,
                        "primary": thresholds == PRIMARY,
                    }
