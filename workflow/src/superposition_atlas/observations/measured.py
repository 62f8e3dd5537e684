"""Toy models or solutions as arrays: what the predicates of observations look at."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from superposition_atlas.metrics.features import (
    DEDICATED_DIMENSIONALITY,
    REPRESENTED_NORM,
    dimensionality,
    norms,
)

PerFeature = Float[np.ndarray, "model feature"]


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
"""Other thresholds, at which shares and differences are given as well, to see how they move."""


@dataclass(frozen=True)
class Measured:
    """Toy models or solutions of one size; rows of all arrays are models."""

    importance: PerFeature
    probability: PerFeature
    norm: PerFeature
    """‖W_i‖."""
    dimensionality: PerFeature
    """D_i in [0, 1]."""
    W: Float[np.ndarray, "model hidden feature"]
    thresholds: Thresholds = PRIMARY

    @classmethod
    def of_weights(
        cls, W: Float[np.ndarray, "model hidden feature"], importance: PerFeature, probability: PerFeature
    ) -> "Measured":
        """Measures weights, in float64."""
        W = W.astype(np.float64)
        return cls(importance, probability, norms(W), dimensionality(W), W)

    def __len__(self) -> int:
        return len(self.W)

    def at(self, thresholds: Thresholds) -> "Measured":
        """The same models, judged by other thresholds."""
        return replace(self, thresholds=thresholds)

    def only(self, chosen: Any) -> "Measured":
        """Some of the models: a mask or indices."""
        arrays = (field.name for field in fields(self) if field.name != "thresholds")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})

    def beside(self, others: "Measured") -> "Measured":
        """These models and others of the same size."""
        arrays = (field.name for field in fields(self) if field.name != "thresholds")
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in arrays
        }
        return replace(self, **joined)

    @property
    def represented(self) -> Bool[np.ndarray, "model feature"]:
        """Which features are represented."""
        return self.norm > self.thresholds.norm

    @property
    def dedicated(self) -> Bool[np.ndarray, "model feature"]:
        """Which features are represented and have a dimension to themselves."""
        return self.represented & (self.dimensionality > self.thresholds.dimensionality)

    @property
    def frobenius_norm(self) -> Float[np.ndarray, " model"]:
        """Un-squared ‖W‖_F."""
        return np.sqrt((self.norm**2).sum(axis=1))
