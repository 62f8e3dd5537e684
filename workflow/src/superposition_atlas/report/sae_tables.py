"""The report's tables of SAE architectures: means over toy models, with intervals over toy models.

What an experiment with several architectures or sparsity levels found: for each level how well it does, and
for each architecture which features it loses.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.features import DEDICATED_DIMENSIONALITY
from superposition_atlas.metrics.intervals import t_interval, wilson_interval
from superposition_atlas.metrics.sae_comparison import MEASURES
from superposition_atlas.report.shared_tables import finite
from superposition_atlas.report.sources import Sources
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

RARE_PROBABILITY = 0.1
"""A feature is rare here if its probability is at most this."""

_LEVEL = ["sae", "architecture", "sparsity_coefficient", "k"]
_CHOSEN = ["sae", "sparsity_coefficient", "k"]
_MEASURES = ("l0", "fvu", "mmcs_alive", "recall_represented_alive", "dead_fraction")


def levels(sources: Sources, experiment: str) -> list[Row]:
    """One row an SAE of the configuration and each of its λ or k, over the toy models of all cases.

    Collapsed SAEs count in every mean that is defined for them, and are counted by themselves.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    columns = [*_LEVEL, "case", "seed", "collapsed", *_MEASURES]
    table = read_table(sources.locate(layout.experiment_table(experiment, "saes")), columns)
    return [
        {
            "experiment": experiment,
            **_named(part.iloc[0].to_dict()),
            "n_saes": len(part),
            "n_collapsed": int(part["collapsed"].sum()),
            "measures": {name: interval(part[name].to_numpy(dtype=float)) for name in _MEASURES},
        }
        for _, part in table.groupby(_LEVEL, sort=False)
    ]


def counts(sources: Sources, experiment: str) -> Row:
    """How many cases have SAEs, and on how many toy models of a case SAEs of one kind are trained, at least
    and at most.

    Raises:
        ArtefactError: as `levels`.
    """
    table = read_table(sources.locate(layout.experiment_table(experiment, "saes")), ["case", "sae", "seed"])
    n_models = table.groupby(["case", "sae"])["seed"].nunique()
    return {
        "n_cases": int(table["case"].nunique()),
        "fewest": int(n_models.min()),
        "most": int(n_models.max()),
    }


def losses(sources: Sources, experiment: str) -> list[Row]:
    """Share of represented features recovered by each SAE of the configuration, at its best level.

    Shares of all features, rare and common ones, dedicated ones and those in superposition, at the level that
    was chosen on half of the toy models, and on the other half.

    Raises:
        ArtefactError: as `levels`.
    """
    columns = ["case", "seed", "chooses", "probability", "dimensionality", "represented", "recovered_alive"]
    table = read_table(sources.locate(layout.experiment_table(experiment, "recovered")), [*_LEVEL, *columns])
    table = table[table["represented"].astype(bool)]
    levels = read_table(sources.locate(layout.experiment_table(experiment, "sae_levels")))
    rows = []
    for chosen in levels.to_dict("records"):
        best = table[(table[_CHOSEN] == pd.Series({name: chosen[name] for name in _CHOSEN})).all(axis=1)]
        best = best[~best["chooses"]] if chosen["is_held_out"] else best
        rare = best["probability"] <= RARE_PROBABILITY
        dedicated = best["dimensionality"] > DEDICATED_DIMENSIONALITY
        groups = {
            "all": best,
            "rare": best[rare],
            "common": best[~rare],
            "dedicated": best[dedicated],
            "superposed": best[~dedicated],
        }
        rows.append(
            {
                "experiment": experiment,
                **_named(chosen),
                "measures": {name: _of_level(chosen, name) for name in MEASURES},
                "n_reported": chosen["n_reported"],
                "groups": {name: _recovered(part) | {"n": len(part)} for name, part in groups.items()},
            }
        )
    return rows


def contrasts(sources: Sources, experiment: str) -> list[Row]:
    """Paired differences between SAEs at their chosen levels, on the toy models that are reported.

    Raises:
        ArtefactError: as `levels`.
    """
    table = read_table(sources.locate(layout.experiment_table(experiment, "sae_contrasts")))
    return [
        {str(name): finite(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _of_level(chosen: Mapping[Any, Any], name: str) -> Row:
    ends = {"mean": chosen[name], "low": chosen[f"{name}_low"], "high": chosen[f"{name}_high"]}
    return {end: finite(value) for end, value in ends.items()}


def interval(values: Float[np.ndarray, " toy_model"]) -> Row:
    """Mean and Student's 95 % interval over toy models; None where undefined."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"mean": None, "low": None, "high": None}
    low, high = t_interval(values)
    return {"mean": float(values.mean()), "low": finite(low), "high": finite(high)}


def _recovered(part: pd.DataFrame) -> Row:
    """Over toy models; beside it Wilson's interval over features, which has a width even where all are."""
    shares = part.groupby(["case", "seed"], sort=False)["recovered_alive"].mean()
    pooled = wilson_interval(int(part["recovered_alive"].sum()), len(part)) if len(part) else (0.0, 1.0)
    return interval(shares.to_numpy(dtype=float)) | {"pooled_low": pooled[0], "pooled_high": pooled[1]}


def _named(row: Mapping[Any, Any]) -> Row:
    architecture = by_name(str(row["architecture"]))
    level = {"sparsity_coefficient": None, "k": None}
    if architecture.level is not None:
        level[architecture.level] = row[architecture.level]
    return {
        "sae": str(row["sae"]),
        "architecture": architecture.name,
        "label": architecture.label,
        "summary": architecture.summary,
        "is_baseline": architecture.is_baseline,
        **level,
    }
