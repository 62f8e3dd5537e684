"""Measurements as data frames, for a notebook: of toy models, and of SAEs beside them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from superposition_atlas import arguments
from superposition_atlas.metrics.features import feature_table, model_table
from superposition_atlas.metrics.recovery import (
    N_SAMPLES,
    latent_table,
    recovered_features,
    sae_table,
)
from superposition_atlas.metrics.recovery import evaluate as evaluate_recovery
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.toy_model import ToyModels


@dataclass(frozen=True, repr=False, eq=False)
class Evaluated:
    """What SAEs recover, as three data frames; their columns are those of the pipeline's tables."""

    saes: pd.DataFrame
    """One row an SAE: l0, fvu, mmcs, recall_represented, dead_fraction, …"""
    latents: pd.DataFrame
    """One row a latent of an SAE."""
    features: pd.DataFrame
    """One row a feature of an SAE's toy model: its best latent, and whether it is recovered."""

    def __repr__(self) -> str:
        return (
            f"Evaluated(saes {len(self.saes)} rows, latents {len(self.latents)} rows, "
            f"features {len(self.features)} rows)"
        )


def evaluate(models: ToyModels, saes: SAEs, n_samples: int = N_SAMPLES) -> Evaluated:
    """Compares each SAE with its toy model on fresh samples of the model's distribution.

    Args:
        models: the toy models that the SAEs were trained on, in that order.
        saes: the SAEs, or some of them. Imported ones are one a toy model, in turn.
        n_samples: samples an SAE, 1 to 2^24.

    Raises:
        ArgumentError: if the SAEs are of another width, of toy models that are not there, or imported and not
            as many as toy models.
    """
    evaluation = evaluate_recovery(models, saes, n_samples)
    return Evaluated(sae_table(evaluation), latent_table(evaluation), recovered_features(evaluation))


def models_frame(models: ToyModels, level: Literal["both", "models", "features"] = "both") -> pd.DataFrame:
    """`ToyModels.to_frame`."""
    arguments.choice("level", level, ("both", "models", "features"))
    if level == "models":
        return model_table(models)
    features = feature_table(models)
    if level == "features":
        return features
    instance = np.repeat(np.arange(len(models)), models.n_features)
    features.insert(0, "instance", instance)
    of_models = model_table(models).drop(columns="seed").iloc[instance].reset_index(drop=True)
    return pd.concat([features, of_models], axis=1)
