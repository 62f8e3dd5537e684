"""The report on norms over schedules: which schedules have the published norms, and how they compare."""

from typing import Any

import pandas as pd

from superposition_atlas.maps.norms import NON_UNIFORM
from superposition_atlas.metrics.intervals import CONFIDENCE
from superposition_atlas.report.shared_tables import finite, records
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

NEAREST = 8
"""Number of schedules listed."""

_SCHEDULES = (
    "variant",
    "family",
    "first",
    "last",
    "importance_ratio",
    "mean_density",
    *NON_UNIFORM,
    *(f"{case}_within" for case in NON_UNIFORM),
    "n_compared",
    "n_within",
    "largest_difference",
    "farthest_case",
    "case2_n_dedicated",
    "post4_densest_dropped",
    "as_pictured",
    "fewest_models",
    "uniform_density",
)
_POINTS = (
    "variant",
    "case",
    "family",
    "importance_ratio",
    "mean_density",
    "n_models",
    "largest",
    "published_norm",
    "spread",
    "uniform_norm",
)


def over_schedules(sources: Sources) -> Row | None:
    """All that the section on the schedules shows; None where no map is compared with the published norms.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    maps = sources.config.norm_maps
    if not maps:
        return None
    main = next(iter(maps[0].variants))
    points = read_table(sources.locate(layout.norm_table("points")), _POINTS)
    schedules = read_table(sources.locate(layout.norm_table("schedules")), _SCHEDULES)
    own, of_main = points[points["variant"] == main], schedules[schedules["variant"] == main]
    complete = of_main[of_main["n_compared"] == len(NON_UNIFORM)].sort_values("largest_difference")
    met = complete[complete["n_within"] == len(NON_UNIFORM)]
    return {
        "n_features": maps[0].n_features,
        "n_hidden": maps[0].n_hidden,
        "n_models": int(points["n_models"].sum()),
        "n_schedules": len(of_main),
        "n_complete": len(complete),
        "families": list(of_main["family"].unique()),
        "ratios": sorted(map(float, of_main["importance_ratio"].unique()), reverse=True),
        "confidence": CONFIDENCE,
        "all_within": CONFIDENCE ** len(NON_UNIFORM),
        "n_met": len(met),
        "n_pictured": int(complete["as_pictured"].sum()),
        "met": records(met),
        "nearest": records(complete.head(NEAREST)),
        "schedules": records(complete),
        "cases": [_band(of_case) for _, of_case in own.groupby("case")],
        "uniform": [
            {"importance_ratio": float(str(ratio)), "density": finite(part["uniform_density"].iloc[0])}
            for ratio, part in of_main.groupby("importance_ratio")
        ],
        "trainings": records(schedules[schedules["variant"] != main]),
    }


def _band(of_case: pd.DataFrame) -> Row:
    """The norms of one case over all schedules, and of uniform sparsity of the same mean densities."""
    beside = of_case[of_case["uniform_norm"].notna()]
    low, high = of_case["largest"].min(), of_case["largest"].max()
    return {
        "case": of_case["case"].iloc[0],
        "published": finite(of_case["published_norm"].iloc[0]),
        "low": finite(low),
        "high": finite(high),
        "spread": finite(of_case["spread"].iloc[0]),
        "n_beside_uniform": len(beside),
        "n_above_uniform": int((beside["largest"] > beside["uniform_norm"]).sum()),
        "uniform_low": finite(beside["uniform_norm"].min()),
        "uniform_high": finite(beside["uniform_norm"].max()),
    }
