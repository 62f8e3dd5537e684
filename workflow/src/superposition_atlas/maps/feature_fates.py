"""Each feature of a map's schedules, in the trained toy models and in the best solution."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.features import dedicated, dimensionality, norms, represented

PerFeature = Float[np.ndarray, "instance feature"]
Weights = Float[np.ndarray, "instance hidden feature"]

_LOOKS = ("represented", "dedicated", "norm", "bias", "dimensionality")


def trained_features(models: pd.DataFrame, W: Weights, b: PerFeature) -> pd.DataFrame:
    """One row a point, variant and feature: shares and means over seeds.

    Args:
        models: key, variant and bias (held) of each toy model.
        W: weights.
        b: biases, as of uncentred inputs.

    Returns:
        key, variant: as in models.parquet. bias: what the search holds. n_seeds: toy models.
        share_represented, share_dedicated: shares of the seeds. mean_norm, mean_bias, mean_dimensionality:
        over all seeds, whether they represent the feature or not.
    """
    names = {name: ("share_" if name in ("represented", "dedicated") else "mean_") + name for name in _LOOKS}
    about = models[["key", "variant", "bias"]].rename(columns={"bias": "held"})
    rows = _long(about, W, b).astype(dict.fromkeys(_LOOKS, float))
    groups = rows.groupby(["key", "variant", "held", "feature"], sort=False)
    means = groups[list(_LOOKS)].mean().rename(columns=names)
    means["n_seeds"] = groups.size()
    return means.reset_index().rename(columns={"held": "bias"})


def best_features(solutions: pd.DataFrame, W: Weights, b: PerFeature) -> pd.DataFrame:
    """One row a point, held bias and feature, of the best minimum, or the first of several.

    best_represented, best_dedicated: whether the feature is. best_norm: ‖W_i‖. best_bias: b_i.
    best_dimensionality: D_i.

    Args:
        solutions: key, kind, bias and rank of each.
        W: weights.
        b: biases.
    """
    best = ((solutions["kind"] == "minimum") & (solutions["rank"] == 0)).to_numpy()
    about = solutions.loc[best, ["key", "bias"]].rename(columns={"bias": "held"})
    rows = _long(about, W[best], b[best])
    names = {"held": "bias"} | {name: f"best_{name}" for name in _LOOKS}
    return rows.rename(columns=names)


def fate_table(
    points: pd.DataFrame, trained: Sequence[pd.DataFrame], best: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a schedule, variant and feature.

    feature: index i. importance: I_i. probability: p_i.

    Args:
        points: key, importance and probability.
        trained: `trained_features`, by shard; without any there are no variants.
        best: `best_features`, or None where there are too many features.
    """
    schedules = points.drop_duplicates("key")[["key", "importance", "probability"]]
    n_features = len(schedules["importance"].iloc[0])
    whole = schedules.explode(["importance", "probability"], ignore_index=True)
    whole = whole.astype({"importance": float, "probability": float})
    whole.insert(1, "feature", np.tile(np.arange(n_features), len(schedules)))
    frames = [pd.concat(trained, ignore_index=True)] if trained else []
    for frame in [*frames, *([] if best is None else [best])]:
        common = [name for name in ("key", "bias", "feature") if name in whole and name in frame]
        whole = whole.merge(frame, how="left", on=common)
    return whole


def _long(about: pd.DataFrame, W: Weights, b: PerFeature) -> pd.DataFrame:
    """One row an instance and feature."""
    W = W.astype(np.float64)
    n_features = W.shape[2]
    rows = about.loc[about.index.repeat(n_features)].reset_index(drop=True)
    rows["feature"] = np.tile(np.arange(n_features), len(W))
    values = (represented(W), dedicated(W), norms(W), b.astype(np.float64), dimensionality(W))
    for name, array in zip(_LOOKS, values, strict=True):
        rows[name] = array.reshape(-1)
    return rows
