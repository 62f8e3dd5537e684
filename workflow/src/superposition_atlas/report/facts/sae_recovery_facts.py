"""SAEs of experiments that compare architectures: levels are chosen on one half of the toy models."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.intervals import t_interval
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage import layout

RARE = 0.1
"""A feature is rare here if its probability is at most this."""
_LEVEL = ["sae", "architecture", "sparsity_coefficient", "k"]
_MEASURES = ("l0", "fvu", "recall_represented_alive", "recall_represented_08_alive", "dead_fraction")
_CHOSEN = ["sae", "sparsity_coefficient", "k"]


@dataclass(frozen=True)
class Mean:
    """A mean over toy models with Student's 95 % interval, clipped to [0, 1]."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class SAEFacts:
    """SAEs of one name at one level."""

    label: str
    is_baseline: bool
    level_name: str
    """`lambda` or `k`: a formula's name."""
    level: float | None
    n: int
    recall: Mean
    """Share of represented features, at cosine .9, by latents that fire."""
    recall_08: float
    angle: float | None
    """Mean over toy models of the median angle, in degrees, to the best latent that fires."""
    l0: float
    fvu: float
    dead: float
    rare: float | None
    """Share of rare represented features recovered; None where there are none."""
    common: float | None


@dataclass(frozen=True)
class ComparisonFacts:
    """One experiment."""

    name: str
    title: str
    n_models: int
    saes: list[SAEFacts]
    n_decided: int
    """Pairs of trained SAEs whose recall differs by more than the smallest difference of interest."""
    n_pairs: int
    n_beaten: int
    """Pairs of a trained SAE and a baseline in which the trained one's recall is larger by more than that."""
    n_baseline_pairs: int


def comparison(ledger: Ledger, experiment: Experiment) -> ComparisonFacts:
    """All SAEs of an experiment, each at its chosen level, on the toy models that had no part in the choice.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    path = layout.experiment_table(experiment.name, "saes")
    table = ledger.read(path, [*_LEVEL, "case", "seed", "chooses", *_MEASURES])
    levels = ledger.read(
        layout.experiment_table(experiment.name, "sae_levels"), [*_CHOSEN, "is_held_out", "angle_median"]
    )
    recovered = ledger.read(
        layout.experiment_table(experiment.name, "recovered"),
        [*_LEVEL, "chooses", "probability", "represented", "recovered_alive"],
    )
    recovered = recovered[recovered["represented"].astype(bool)]
    found = []
    for chosen in levels.to_dict("records"):
        told, features = (
            rows[np.logical_and.reduce([rows[name] == chosen[name] for name in _CHOSEN])]
            for rows in (table, recovered)
        )
        if chosen["is_held_out"]:
            told, features = told[~told["chooses"]], features[~features["chooses"]]
        found.append(_sae(told, features, float(chosen["angle_median"])))
    n_models = len(table[["case", "seed"]].drop_duplicates())
    contrasts = ledger.read(
        layout.experiment_table(experiment.name, "sae_contrasts"), ["measure", "other_is_baseline", "verdict"]
    )
    recall = contrasts[contrasts["measure"] == "recall_represented_alive"]
    with_baseline = recall["other_is_baseline"].astype(bool)
    among, beside = recall[~with_baseline], recall[with_baseline]
    facts = ComparisonFacts(
        name=experiment.name,
        title=experiment.title,
        n_models=n_models,
        saes=found,
        n_decided=int(among["verdict"].isin(["smaller", "larger"]).sum()),
        n_pairs=len(among),
        n_beaten=int((beside["verdict"] == "larger").sum()),
        n_baseline_pairs=len(beside),
    )
    ledger.note(path, experiment.name, facts)
    return facts


def _sae(best: pd.DataFrame, features: pd.DataFrame, angle: float) -> SAEFacts:
    first = best.iloc[0]
    architecture = by_name(str(first["architecture"]))
    level = None if architecture.level is None else float(first[architecture.level])
    recall = best["recall_represented_alive"].dropna().to_numpy(dtype=float)
    low, high = t_interval(recall) if len(recall) > 1 else (float("nan"), float("nan"))
    rare = features["probability"] <= RARE
    return SAEFacts(
        label=architecture.label,
        is_baseline=architecture.is_baseline,
        level_name="k" if architecture.level == "k" else "lambda",
        level=level,
        n=len(best),
        recall=Mean(float(recall.mean()) if len(recall) else 0.0, max(low, 0.0), min(high, 1.0)),
        recall_08=float(best["recall_represented_08_alive"].mean()),
        angle=angle if np.isfinite(angle) else None,
        l0=float(best["l0"].mean()),
        fvu=float(best["fvu"].mean()),
        dead=float(best["dead_fraction"].mean()),
        rare=_share(features[rare]),
        common=_share(features[~rare]),
    )


def _share(features: pd.DataFrame) -> float | None:
    return float(features["recovered_alive"].astype(float).mean()) if len(features) else None
