"""Dependent features: how toy models lay them, and what SAEs make of a child and its parent."""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.features import norms, represented
from superposition_atlas.metrics.pairing import check_pairs
from superposition_atlas.metrics.recovery import N_SAMPLES
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.forward import encode
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.structure import Intervals, is_shared, joint_probability
from superposition_atlas.toy_model import ToyModels

ORTHOGONAL_COSINE = 0.2
"""Two features are orthogonal if the absolute cosine of their weights is below this,"""
ALIGNED_COSINE = 0.8
"""side by side above this, antipodal below minus this."""
_SAME = 2.0**-30
"""Joint probabilities of whole words that differ by no more are the same."""


def pair_table(models: ToyModels) -> pd.DataFrame:
    """One row a toy model and pair of features of one group: how their weights lie.

    instance: index of the toy model. seed: its seed. feature, other: the pair, feature < other.
    joint_probability: of both being active. cosine: of W_feature and W_other, NaN where one is 0.
    arrangement: absent where one of the two is not represented; else orthogonal, side by side or antipodal by
    the two thresholds, or between.

    Raises:
        ArgumentError: if no features of the toy models depend on one another.
    """
    structure = _structure_of(models)
    W, joint = models.W.astype(np.float64), joint_probability(models.probability, structure)
    same = structure[:, :, None, 0] == structure[:, None, :, 0]
    instance, i, j = np.nonzero(np.triu(same & is_shared(structure)[:, :, None], 1))
    length = norms(W)
    lengths = length[instance, i] * length[instance, j]
    cosine = np.full(len(instance), np.nan)
    products = np.einsum("km,km->k", W[instance, :, i], W[instance, :, j])
    np.divide(products, lengths, out=cosine, where=lengths > 0)
    there = represented(W)
    return pd.DataFrame(
        {
            "instance": instance,
            "seed": np.asarray(models.seeds)[instance],
            "feature": i,
            "other": j,
            "joint_probability": joint[instance, i, j],
            "cosine": cosine,
            "arrangement": _arrangements(cosine, there[instance, i] & there[instance, j]),
        }
    )


def child_table(models: ToyModels, saes: SAEs, n_samples: int = N_SAMPLES) -> pd.DataFrame:
    """One row an SAE and child: a feature that is active only with another, its parent.

    The best latent of a feature is the one whose decoder has the largest cosine with its weights.

    recall_alone, recall_with_child: share of the samples with the parent, without or with the child, in which
    the parent's best latent fires. absorption: their difference, what the child takes from that latent
    (Chanin et al. 2024, *A is for absorption*: the latent of the special feature fires in place of the
    general one's); at most 1, below 0 where the child adds to it. parent_in_child: cosine of the child's best
    latent and the parent's weights, less that of both features' weights: above 0 where the latent leans to
    the parent more than the feature does. same_latent: whether one latent is the best of both. represented:
    both features are.

    Args:
        models: the toy models that the SAEs were trained on, in that order.
        saes: the SAEs.
        n_samples: fresh samples an SAE, 1 to 2^24.

    Raises:
        ArgumentError: if no features of the toy models depend on one another, if n_samples is not allowed, or
            if the SAEs do not go with the toy models, see `pairing.check_pairs`.
    """
    _structure_of(models)
    arguments.instance("saes", saes, SAEs, "SAEs, as sa.train_saes returns them")
    n_samples = arguments.size("n_samples", n_samples)
    check_pairs(models, saes)
    rows = []
    for instance in range(len(saes)):
        own = models.select(saes.toy_model[instance : instance + 1])
        own = replace(own, seeds=saes.seeds[instance : instance + 1])
        rows += _children(own, saes, instance, n_samples)
    return pd.DataFrame(rows)


def parents(
    probability: Float[np.ndarray, " feature"], structure: Intervals
) -> Integer[np.ndarray, " feature"]:
    """The parent of each feature, -1 for none: of the features that are active whenever it is, the rarest.

    A feature that is never active without the other, and the other never without it, is no child.
    """
    joint = joint_probability(probability, structure)
    number = structure[:, 0]
    within = (number[:, None] == number[None]) & (joint >= probability[:, None] - _SAME)
    within &= probability[None] > probability[:, None] + _SAME
    rarest = np.where(within, probability[None], np.inf)
    return np.where(within.any(axis=1), rarest.argmin(axis=1), -1)


def _structure_of(models: ToyModels) -> Intervals:
    arguments.instance("models", models, ToyModels, "ToyModels")
    if models.structure is None:
        raise ArgumentError("models have independent features: must have a structure")
    return models.structure


def _arrangements(cosine: Float[np.ndarray, " pair"], there: Bool[np.ndarray, " pair"]) -> np.ndarray:
    return np.select(
        [~there, np.abs(cosine) < ORTHOGONAL_COSINE, cosine > ALIGNED_COSINE, cosine < -ALIGNED_COSINE],
        ["absent", "orthogonal", "side by side", "antipodal"],
        "between",
    )


def _children(own: ToyModels, saes: SAEs, instance: int, n_samples: int) -> list[dict[str, object]]:
    assert own.structure is not None
    parent_of = parents(own.probability[0].astype(np.float64), own.structure[0])
    x = own.sample(0, n_samples, stream.Purpose.EVALUATION)
    one = slice(instance, instance + 1)
    fires = encode(saes, own.encode(x), instances=one)[0] > 0
    active = x[0] > 0
    features, latents = (_unit(vectors) for vectors in (own.W[0].T, saes.W_dec[instance]))
    cosine, between = features @ latents.T, features @ features.T
    best, there = cosine.argmax(axis=1), represented(own.W)[0]
    rows: list[dict[str, object]] = []
    for child in np.flatnonzero(parent_of >= 0):
        parent = parent_of[child]
        of_parent = fires[:, best[parent]]
        without, with_child = active[:, parent] & ~active[:, child], active[:, child]
        alone, beside = (
            float(of_parent[some].mean()) if some.any() else np.nan for some in (without, with_child)
        )
        rows.append(
            {
                "instance": instance,
                "toy_model": int(saes.toy_model[instance]),
                "seed": int(saes.seeds[instance]),
                "architecture": saes.settings.architecture,
                "sparsity_coefficient": float(saes.sparsity_coefficient[instance]),
                "k": int(saes.k[instance]),
                "parent": int(parent),
                "child": int(child),
                "represented": bool(there[parent] & there[child]),
                "parent_cosine": float(cosine[parent, best[parent]]),
                "child_cosine": float(cosine[child, best[child]]),
                "recall_alone": alone,
                "recall_with_child": beside,
                "absorption": alone - beside,
                "parent_in_child": float(cosine[parent, best[child]] - between[parent, child]),
                "same_latent": bool(best[parent] == best[child]),
            }
        )
    return rows


def _unit(vectors: Float[np.ndarray, "vector hidden"]) -> Float[np.ndarray, "vector hidden"]:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
