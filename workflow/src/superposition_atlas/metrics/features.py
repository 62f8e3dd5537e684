"""The geometry of toy models: which features are represented, and how much room each has for itself."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN, other_setting
from superposition_atlas.errors import ArgumentError
from superposition_atlas.sampling.structure import joint_probability
from superposition_atlas.toy_model import ToyModels

REPRESENTED_NORM = 0.5
"""A feature is represented if ‖W_i‖ is larger than this."""
DEDICATED_DIMENSIONALITY = 0.9
"""A represented feature is dedicated (has a dimension to itself) if D_i is larger than this."""

Weights = Float[np.ndarray, "instance hidden feature"]
PerFeature = Float[np.ndarray, "instance feature"]


def weights(W: Weights) -> Weights:
    """W as an array of floats, of whatever precision it has.

    Raises:
        ArgumentError: if it is not [instance, hidden, feature].
    """
    allowed = "[instance, hidden, feature]; of one toy model W[None]"
    return arguments.numbers("W", W, allowed, ndim=(3,), may_be_empty=True, may_be_infinite=True, dtype=None)


def norms(W: Weights) -> PerFeature:
    """‖W_i‖, the Euclidean length of each feature's column."""
    return np.asarray(np.linalg.norm(weights(W), axis=1))


def l1_norms(W: Weights) -> PerFeature:
    """|w_1| + … + |w_m| of each feature's column: the talk's own rule compares it with 0.5.

    Unlike ‖W_i‖ it depends on the rotation of the hidden space.
    """
    return np.asarray(np.abs(weights(W)).sum(axis=1))


def overlaps(W: Weights) -> Float[np.ndarray, "instance feature feature"]:
    """(Ŵ_i · W_j)² with Ŵ_i = W_i / ‖W_i‖; rows of features with norm 0 are 0."""
    W = weights(W)
    length = norms(W)[:, None, :]
    unit = np.divide(W, length, out=np.zeros_like(W), where=length > 0)
    return np.asarray(np.einsum("kmi,kmj->kij", unit, W, optimize=True) ** 2)


def dimensionality(W: Weights) -> PerFeature:
    """D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)² in [0, 1] (Elhage et al. 2022); Scherlis' capacity is the same number.

    1: a dimension of its own; 1/2: half of an antipodal pair; 2/5: a pentagon; 0 for a norm of 0.
    Σ_i D_i ≤ m.
    """
    squared = norms(W) ** 2
    total = overlaps(W).sum(axis=-1)
    return np.divide(squared, total, out=np.zeros_like(squared), where=total > 0)


def interference(
    W: Weights, weight: PerFeature | Float[np.ndarray, "instance feature feature"] | None = None
) -> PerFeature:
    """Σ_{j≠i} (Ŵ_i · W_j)², each other feature weighted with `weight` (default 1).

    With the feature probabilities as weight this is the net interference of Anthropic's notebook: the natural
    measure where features are not equally sparse. Where features depend on one another the probability that j
    is active while i is takes p_j's place: a weight [instance, i, j].
    """
    others = overlaps(W)
    if weight is not None:
        allowed = "[instance, feature] or [instance, feature, feature], one weight a feature of W or a pair"
        weight = arguments.numbers(
            "weight", weight, allowed, ndim=(2, 3), may_be_infinite=True, may_be_empty=True
        )
        if weight.shape != others.shape[: weight.ndim]:
            raise ArgumentError(
                f"weight has shape {weight.shape}: must be {others.shape[: weight.ndim]}, {allowed}"
            )
    diagonal = np.arange(others.shape[2])
    others[:, diagonal, diagonal] = 0.0
    if weight is None:
        return others.sum(axis=-1)
    return np.einsum("kij,kj->ki" if weight.ndim == 2 else "kij,kij->ki", others, weight)


def represented(W: Weights, norm: float = REPRESENTED_NORM) -> Bool[np.ndarray, "instance feature"]:
    """Whether ‖W_i‖ > `norm`."""
    return norms(W) > arguments.number("norm", norm, least=0)


def dedicated(
    W: Weights, norm: float = REPRESENTED_NORM, threshold: float = DEDICATED_DIMENSIONALITY
) -> Bool[np.ndarray, "instance feature"]:
    """Whether a feature is represented and D_i > `threshold`."""
    return represented(W, norm) & (dimensionality(W) > arguments.number("threshold", threshold))


_OF_RECONSTRUCTIONS = ("dimensionality", "interference", "polysemanticity", "net_interference")


def model_table(models: ToyModels) -> pd.DataFrame:
    """One row a toy model.

    seed: of its training. loss: mean training loss of the last 100 steps. frobenius_norm: un-squared ‖W‖_F.
    n_represented: features with ‖W_i‖ > 0.5. n_represented_l1: features whose sum of |W_ki| is above 0.5.
    n_dedicated: features with a dimension of their own, represented with D_i > 0.9. mean_probability: mean
    p_i of its schedule.

    Norms are W's alone where output weights are untied; `n_dedicated` is 0 where no feature can be dedicated,
    see `feature_table`.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    W = models.W.astype(np.float64)
    return pd.DataFrame(
        {
            "seed": models.seeds,
            "loss": models.loss,
            "frobenius_norm": np.linalg.norm(W, axis=(1, 2)),
            "n_represented": represented(W).sum(axis=1),
            "n_represented_l1": (l1_norms(W) > REPRESENTED_NORM).sum(axis=1),
            "n_dedicated": 0 if other_setting(models.settings, PLAIN) else dedicated(W).sum(axis=1),
            "mean_probability": models.probability.mean(axis=1),
        }
    )


def _while_active(models: ToyModels) -> np.ndarray:
    """p_j, the weights of net interference: where features depend on one another, of j while i is active."""
    if models.structure is None:
        return models.probability
    return joint_probability(models.probability, models.structure) / models.probability[:, :, None]


def feature_table(models: ToyModels) -> pd.DataFrame:
    """One row a feature of a toy model.

    seed: of the toy model. feature: index i, from 0. importance: I_i. probability: p_i. norm: ‖W_i‖. bias:
    b_i. dimensionality: D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)². interference: Σ_{j≠i} (Ŵ_i · W_j)².
    polysemanticity: its square root, ARENA's colour of the bars. net_interference: Σ_{j≠i} p_j (Ŵ_i · W_j)²,
    where features depend on one another with p_j while i is active. represented: ‖W_i‖ > 0.5. dedicated:
    represented with D_i > 0.9. weights: its column of W, a list of n_hidden numbers.

    Dimensionality, interference, polysemanticity and net_interference are NaN, and dedicated is false, where
    the toy model is not x' = f(Wᵀ W x + b) (`hidden`, `output_weights`, `target`): there overlaps of W's
    columns are no interference.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    W = models.W.astype(np.float64)
    n_instances, n_hidden, n_features = W.shape
    squared = interference(W)
    columns = {
        "importance": models.importance,
        "probability": models.probability,
        "norm": norms(W),
        "bias": models.b.astype(np.float64),
        "dimensionality": dimensionality(W),
        "interference": squared,
        "polysemanticity": np.sqrt(squared),
        "net_interference": interference(W, _while_active(models)),
        "represented": represented(W),
        "dedicated": dedicated(W),
    }
    if other_setting(models.settings, PLAIN):
        columns |= {name: np.full_like(squared, np.nan) for name in _OF_RECONSTRUCTIONS}
        columns["dedicated"] = np.zeros_like(columns["dedicated"])
    return pd.DataFrame(
        {
            "seed": np.repeat(models.seeds, n_features),
            "feature": np.tile(np.arange(n_features), n_instances),
            **{name: array.reshape(-1) for name, array in columns.items()},
            "weights": list(models.W.swapaxes(1, 2).reshape(-1, n_hidden)),
        }
    )
