"""SAEs of different architectures beside each other, each at a level chosen on other toy models.

The level of an SAE, its λ or k, is the one with the largest mean recall on half of the toy models; of levels
that recall as much, the one with the smallest mean angle. All numbers are of the other half. Two SAEs are
compared on the same toy models. Where none of an SAE's latents fires, its angle counts as 90 degrees.
"""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.metrics.verdicts import difference_verdict
from superposition_atlas.sae.architectures.registry import by_name

MEASURES = (
    "angle_median",
    "angle_90",
    "recall_represented_alive",
    "recall_represented_08_alive",
    "uniqueness_represented",
)
"""Columns of saes.parquet that are reported at the chosen level."""
SMALLEST = {"angle_median": 5.0, "recall_represented_alive": 0.1}
"""Measures that are contrasted, and the smallest difference of interest: degrees, and a share of features."""
NO_DIRECTION = 90.0
"""Angle in degrees of an SAE none of whose latents fires."""

_LEVEL = ["sparsity_coefficient", "k"]
COLUMNS = ("case", "sae", "seed", "chooses", "architecture", *_LEVEL, *MEASURES)
"""Columns of saes.parquet that the tables are made from."""


def level_table(saes: pd.DataFrame) -> pd.DataFrame:
    """One row an SAE of the configuration: its chosen level, and how well it does on the other toy models.

    Args:
        saes: COLUMNS, one row an SAE.

    Returns:
        sae: its name in the configuration. architecture: name. is_baseline: whether a claim must beat it.
        sparsity_coefficient: λ chosen. k: k chosen. n_levels: levels to choose from. n_choosing, n_reported:
        toy models that choose, and that numbers are of. is_held_out: False where there is one toy model a
        case only, so that both are the same. angle_median(_low, _high), angle_90(_low, _high),
        recall_represented_alive(_low, _high), recall_represented_08_alive(_low, _high),
        uniqueness_represented(_low, _high): mean over toy models of this column of `saes`, with Student's 95
        % interval.
    """
    saes = _with_angles(saes)
    return pd.DataFrame([_level_row(own) for _, own in saes.groupby("sae", sort=False)])


def contrast_table(saes: pd.DataFrame) -> pd.DataFrame:
    """One row a measure and pair of SAEs, each at its chosen level, paired within the toy models reported.

    Every architecture minus each baseline, then architectures among themselves.

    Args:
        saes: as `level_table` takes them.

    Returns:
        measure: the column of `saes` that is compared. sae, other: names of both. other_is_baseline: whether
        the second is a baseline. n_pairs: toy models. difference: mean of sae minus other. low, high: its
        interval, which holds for all rows together. verdict: smaller, alike or larger, by the rule of
        `metrics/verdicts.py`. smallest: the smallest difference of interest. n_tests: rows together.
    """
    saes = _with_angles(saes)
    reported = {str(name): _at_level(own) for name, own in saes.groupby("sae", sort=False)}
    baseline = {name: _is_baseline(own) for name, own in reported.items()}
    learned = [name for name in reported if not baseline[name]]
    pairs = [*product(learned, [name for name in reported if baseline[name]]), *combinations(learned, 2)]
    found = [
        (measure, one, other, differences)
        for measure in SMALLEST
        for one, other in pairs
        if len(differences := _differences(reported[one], reported[other], measure))
    ]
    columns = ["measure", "sae", "other", "other_is_baseline", "n_pairs", "difference", "low", "high"]
    rows = []
    for measure, one, other, differences in found:
        verdict = difference_verdict(differences, SMALLEST[measure], n_tests=len(found))
        row = (measure, one, other, baseline[other], len(differences), differences.mean())
        rows.append((*row, verdict.low, verdict.high, str(verdict), SMALLEST[measure], len(found)))
    return pd.DataFrame(rows, columns=[*columns, "verdict", "smallest", "n_tests"])


def chosen_level(saes: pd.DataFrame) -> tuple[float, int]:
    """λ and k of the best level of one SAE of the configuration, on the toy models that choose.

    Without any, all choose.
    """
    choosing = saes[saes["chooses"]] if saes["chooses"].any() else saes
    means = choosing.groupby(_LEVEL, sort=False)[["recall_represented_alive", "angle_median"]].mean()
    means = means.fillna({"recall_represented_alive": -1.0, "angle_median": NO_DIRECTION})
    order = np.lexsort((means["angle_median"], -means["recall_represented_alive"]))
    coefficient, k = means.index[order[0]]
    return float(coefficient), int(k)


def _with_angles(saes: pd.DataFrame) -> pd.DataFrame:
    """Angles of SAEs without a living latent, on toy models that represent something, are NO_DIRECTION."""
    saes = saes.copy()
    for name in ("angle_median", "angle_90"):
        lost = saes[name].isna() & saes["recall_represented_alive"].notna()
        saes[name] = saes[name].mask(lost, NO_DIRECTION)
    return saes


def _at_level(own: pd.DataFrame) -> pd.DataFrame:
    """The rows of one SAE of the configuration that are reported."""
    coefficient, k = chosen_level(own)
    at = own[(own["sparsity_coefficient"] == coefficient) & (own["k"] == k)]
    return at if at["chooses"].all() else at[~at["chooses"]]


def _level_row(own: pd.DataFrame) -> dict[str, Any]:
    coefficient, k = chosen_level(own)
    reported = _at_level(own)
    toy_models = own.drop_duplicates(["case", "seed"])
    row: dict[str, Any] = {
        "sae": own["sae"].iloc[0],
        "architecture": own["architecture"].iloc[0],
        "is_baseline": _is_baseline(own),
        "sparsity_coefficient": coefficient,
        "k": k,
        "n_levels": len(own.drop_duplicates(_LEVEL)),
        "n_choosing": int(toy_models["chooses"].sum()),
        "n_reported": len(reported),
        "is_held_out": not reported["chooses"].any(),
    }
    for name, low, high in _intervals(reported):
        row |= {name: reported[name].mean(), f"{name}_low": low, f"{name}_high": high}
    return row


def _intervals(reported: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    for name in MEASURES:
        yield name, *t_interval(reported[name].dropna().to_numpy(dtype=np.float64))


def _differences(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> np.ndarray:
    """One a toy model that both SAEs have."""
    toy_model = ["case", "seed"]
    joined = one[[*toy_model, measure]].merge(other[[*toy_model, measure]], on=toy_model)
    return (joined[f"{measure}_x"] - joined[f"{measure}_y"]).dropna().to_numpy(dtype=np.float64)


def _is_baseline(own: pd.DataFrame) -> bool:
    return by_name(str(own["architecture"].iloc[0])).is_baseline
