"""Norms of toy models over schedules, beside the ones that the post published.

The post has the largest ‖W‖_F of eight toy models for each of four cases, and that of one toy model with
uniform sparsity. A case is known by its schedule: which probability goes with which importance.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.intervals import CONFIDENCE
from superposition_atlas.metrics.maxima import largest_quantile

PUBLISHED_NORMS = Path(__file__).with_name("published_frobenius_norms.csv")
"""The post's norms by case, with a note on each."""
PUBLISHED_STEP = 0.01
"""The post rounds to two digits after the point."""
LEAST_DOF = 5
"""Smallest number of degrees of freedom of the spread: with fewer, intervals are too wide to be of use."""
NON_UNIFORM = ("case1", "case2", "case3", "post4")
"""The post's four cases; `uniform` is the fifth number."""

_SAME = 1e-9
"""Densities that differ by less, relatively, are equal: points are rounded."""
_SCHEDULE = ["variant", "family", "first", "last"]
_GROUP = [*_SCHEDULE, "importance_ratio", "case"]


def case_of(importance: Float[np.ndarray, " feature"], probability: Float[np.ndarray, " feature"]) -> str:
    """The case that a schedule of falling importance is: densest first is case 1, sparsest first case 2."""
    if np.ptp(probability) == 0:
        return "uniform"
    if np.ptp(importance) == 0:
        return "post4"
    steps = np.diff(probability)
    return "case1" if np.all(steps <= 0) else "case2" if np.all(steps >= 0) else "case3"


def case_norm_table(points: pd.DataFrame, models: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """One row a schedule and case: what its toy models have, and what new ones are foretold.

    The spread of norms is pooled over all schedules and variants of a case, since each has few seeds; random
    orders of one schedule are one case.

    Args:
        points: key, family, importance, probability and importance_ratio; a schedule may come twice.
        models: key, variant, seed, frobenius_norm, n_represented, n_dedicated, densest_dropped.
        published: case, published_norm and n_instances, of whose norms it is the largest.

    Returns:
        variant: way of training. family, first, last: rule of the probabilities, the largest and the
        smallest. importance_ratio: I_{i+1} / I_i. case: uniform, case1, case2, case3 or post4.
        mean_density: mean p_i. n_models: toy models. norm_mean, norm_sd, norm_max: mean, standard deviation
        and largest of their norms. n_represented, n_dedicated: mean numbers of features. densest_dropped:
        share of toy models. spread: standard deviation of norms, pooled. spread_dof: its degrees of freedom.
        published_norm: of the post. n_instances: toy models of whose norms it is the largest. largest,
        largest_low, largest_high: median of the largest norm of n_instances new toy models, with its interval
        (CONFIDENCE). difference: that median less the published norm. within: whether the published norm lies
        there, missing where there are fewer than LEAST_DOF. uniform_norm: what `largest` is for uniform
        sparsity of the same mean density and importance, interpolated in the logarithm of the density.
    """
    described = _described(points)
    known = models.drop_duplicates(["key", "variant", "seed"])
    groups = described.merge(known, on="key").groupby(_GROUP, sort=False)
    table = groups.agg(
        mean_density=("mean_density", "first"),
        n_models=("frobenius_norm", "size"),
        norm_mean=("frobenius_norm", "mean"),
        norm_sd=("frobenius_norm", "std"),
        norm_max=("frobenius_norm", "max"),
        n_represented=("n_represented", "mean"),
        n_dedicated=("n_dedicated", "mean"),
        densest_dropped=("densest_dropped", "mean"),
    ).reset_index()
    spread = pd.concat([_with_spread(of_case) for _, of_case in table.groupby("case")], ignore_index=True)
    return _with_uniform(_compared(spread, published)).sort_values(_GROUP, ignore_index=True)


def _described(points: pd.DataFrame) -> pd.DataFrame:
    """Each schedule once, with its case and the two ends of its family."""
    rows = []
    for row in points.drop_duplicates("key").to_dict("records"):
        probability = np.asarray(row["probability"])
        case = case_of(np.asarray(row["importance"]), probability)
        rows.append(
            {
                "key": row["key"],
                "case": case,
                "family": "uniform" if case == "uniform" else row["family"],
                "first": float(probability.max()),
                "last": float(probability.min()),
                "importance_ratio": row["importance_ratio"],
                "mean_density": float(probability.mean()),
            }
        )
    return pd.DataFrame(rows)


def pooled_spread(table: pd.DataFrame) -> tuple[float, int]:
    """Standard deviation of norms within schedules, and its degrees of freedom; (NaN, 0) for too few."""
    dof = table["n_models"] - 1
    total = int(dof.sum())
    if total < LEAST_DOF:
        return np.nan, 0
    return float(np.sqrt((dof * table["norm_sd"].fillna(0.0) ** 2).sum() / total)), total


def _with_spread(of_case: pd.DataFrame) -> pd.DataFrame:
    sd, dof = pooled_spread(of_case)
    return of_case.assign(spread=sd, spread_dof=dof)


def _compared(table: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Adds the interval that holds the largest norm of as many toy models as were published."""
    table = table.merge(published[["case", "published_norm", "n_instances"]], on="case", how="left")
    counts = table[["n_instances", "n_models", "spread_dof"]].fillna(0).astype(int)
    tail = (1 - CONFIDENCE) / 2
    for name, share in (("largest_low", tail), ("largest", 0.5), ("largest_high", 1 - tail)):
        quantiles = [
            largest_quantile(share, drawn, seen, dof) if drawn and dof else np.nan
            for drawn, seen, dof in counts.itertuples(index=False)
        ]
        table[name] = table["norm_mean"] + np.array(quantiles) * table["spread"]
    norm = table["published_norm"]
    table["difference"] = table["largest"] - norm
    beyond = pd.concat([table["largest_low"] - norm, norm - table["largest_high"]], axis=1).max(axis=1)
    table["within"] = (beyond <= PUBLISHED_STEP / 2).astype("boolean").mask(beyond.isna())
    return table


def _with_uniform(table: pd.DataFrame) -> pd.DataFrame:
    """Adds the norm of uniform sparsity at the same mean density, within the densities of the map."""
    curves = _UniformCurves(table)
    names = ["variant", "importance_ratio", "mean_density", "n_instances"]
    table["uniform_norm"] = [
        curves.largest(variant, ratio, density, drawn)
        for variant, ratio, density, drawn in table[names].itertuples(index=False)
    ]
    return table


class _UniformCurves:
    """Norms of uniform sparsity over its density, by variant and importance ratio."""

    def __init__(self, table: pd.DataFrame) -> None:
        uniform = table[table["case"] == "uniform"].sort_values("mean_density")
        self._curves = {
            key: rows.reset_index(drop=True) for key, rows in uniform.groupby(["variant", "importance_ratio"])
        }

    def largest(self, variant: str, ratio: float, density: float, n_drawn: float) -> float:
        """Median of the largest norm of new toy models, at a density; NaN where no map reaches so far."""
        curve = self._curves.get((variant, ratio))
        if curve is None or not n_drawn > 0:
            return np.nan
        dof = int(curve["spread_dof"].iloc[0])
        densities = curve["mean_density"].to_numpy()
        reached = densities[0] * (1 - _SAME) <= density <= densities[-1] * (1 + _SAME)
        if not reached or dof == 0:
            return np.nan
        norm = np.interp(np.log(density), np.log(densities), curve["norm_mean"])
        quantile = largest_quantile(0.5, int(n_drawn), int(curve["n_models"].min()), dof)
        return float(norm + quantile * curve["spread"].iloc[0])

    def published_density(self, variant: str, ratio: float) -> float:
        """Density at which the norm is the published one; NaN if there is none."""
        curve = self._curves.get((variant, ratio))
        if curve is None:
            return np.nan
        densities, norms = curve["mean_density"].to_numpy(), curve["norm_mean"].to_numpy()
        return density_of(float(curve["published_norm"].iloc[0]), densities, norms)


def density_of(
    norm: float, densities: Float[np.ndarray, " point"], norms: Float[np.ndarray, " point"]
) -> float:
    """The smallest density at which uniform sparsity has a norm, interpolated in its logarithm; NaN for none.

    Args:
        norm: what is looked for.
        densities: ascending.
        norms: at these densities.
    """
    above = norms - norm
    for k in range(len(above) - 1):
        if above[k] * above[k + 1] <= 0 and above[k] != above[k + 1]:
            part = above[k] / (above[k] - above[k + 1])
            return float(densities[k] * (densities[k + 1] / densities[k]) ** part)
    return np.nan


def schedule_table(norms: pd.DataFrame) -> pd.DataFrame:
    """One row a schedule and importance ratio: how far all cases together are from the published norms.

    Returns:
        variant, family, first, last, mean_density, importance_ratio: as in points.parquet. case1, case2,
        case3, post4: `largest` of each case. case1_within, case2_within, case3_within, post4_within: `within`
        of each. n_compared, n_within: of the four cases. largest_difference: the largest absolute one.
        farthest_case: whose it is. case2_n_dedicated: mean number of dedicated features in case 2.
        post4_densest_dropped: share of toy models. fewest_models: of a case. uniform_density: at which
        uniform sparsity has its published norm with this importance. as_pictured: whether most toy models
        agree with what the post reads from its pictures: in case 2 no feature is dedicated, in its case 4 the
        densest one is not represented.
    """
    table = pd.DataFrame(_schedule_rows(norms))
    if len(table):
        table["as_pictured"] = (table["case2_n_dedicated"] < 0.5) & (table["post4_densest_dropped"] > 0.5)
    return table


def _schedule_rows(norms: pd.DataFrame) -> Iterator[dict[str, Any]]:
    curves = _UniformCurves(norms)
    non_uniform = norms[norms["case"].isin(NON_UNIFORM)]
    for (variant, family, first, last), of_family in non_uniform.groupby(_SCHEDULE, sort=False):
        constant = of_family[of_family["case"] == "post4"]
        for ratio in sorted(of_family.loc[of_family["case"] != "post4", "importance_ratio"].unique()):
            with_ratio = of_family[of_family["importance_ratio"] == ratio]
            cases = pd.concat([with_ratio[with_ratio["case"] != "post4"], constant]).set_index("case")
            yield {
                "variant": variant,
                "family": family,
                "first": first,
                "last": last,
                "mean_density": cases["mean_density"].iloc[0],
                "importance_ratio": ratio,
                **_summary(cases),
                "uniform_density": curves.published_density(str(variant), ratio),
            }


def _summary(cases: pd.DataFrame) -> Mapping[str, Any]:
    differences = cases["difference"].abs()
    known = differences.notna().any()
    by_case = cases.reindex(list(NON_UNIFORM))
    return {
        **{case: by_case.loc[case, "largest"] for case in NON_UNIFORM},
        **{f"{case}_within": by_case.loc[case, "within"] for case in NON_UNIFORM},
        "n_compared": int(cases["within"].notna().sum()),
        "n_within": int(cases["within"].sum()),
        "largest_difference": differences.max(),
        "farthest_case": differences.idxmax() if known else "",
        "case2_n_dedicated": by_case.loc["case2", "n_dedicated"],
        "post4_densest_dropped": by_case.loc["post4", "densest_dropped"],
        "fewest_models": int(cases["n_models"].min()),
    }
