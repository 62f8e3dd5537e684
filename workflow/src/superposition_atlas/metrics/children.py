"""A child, active only with its parent, and what SAEs make of the two: absorption and hedging."""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.metrics.dependence import structure_like
from superposition_atlas.metrics.features import represented
from superposition_atlas.metrics.pairing import check_pairs
from superposition_atlas.metrics.recovery import N_SAMPLES
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.forward import encode
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.structure import Intervals, joint_probability
from superposition_atlas.toy_model import ToyModels

_SAME = 2.0**-30
"""Joint probabilities of whole words that differ by no more are the same."""


def child_table(
    models: ToyModels, saes: SAEs, n_samples: int = N_SAMPLES, like: ToyModels | None = None
) -> pd.DataFrame:
    """One row an SAE and child: a feature that is active only with another, its parent.

    The best latent of a feature is the one whose decoder has the largest cosine with its weights.

    instance: place of the SAE in its file. toy_model, seed: place and seed of its toy model. architecture,
    sparsity_coefficient, k: of the SAE. parent, child: the two features. represented: whether both are.
    parent_cosine, child_cosine: of each feature's weights and its best latent. recall_alone,
    recall_with_child: share of the samples with the parent, without or with the child, in which the parent's
    best latent fires. absorption: their difference, what the child takes from that latent (Chanin et al.
    2024, *A is for absorption*, where the latent of the special feature fires in place of the general one's);
    at most 1, below 0 where the child adds to it. parent_in_child: cosine of the child's best latent and the
    parent's weights, less that of both features' weights, above 0 where the latent leans to the parent more
    than the feature does. child_in_parent: the same of the parent's best latent and the child (Chanin et al.
    2025, *Feature hedging*, where too narrow an SAE mixes correlated features). same_latent: whether one
    latent is the best of both.

    Args:
        models: the toy models that the SAEs were trained on, in that order.
        saes: the SAEs.
        n_samples: fresh samples an SAE, 1 to 2^24.
        like: toy models of which the first says which features are children; `models` by default. The same
            pairs where features are independent are a control.

    Raises:
        ArgumentError: if no features of `like` depend on one another, if n_samples is not allowed, or if the
            SAEs do not go with the toy models, see `pairing.check_pairs`.
    """
    structure = structure_like(models, like)
    arguments.instance("saes", saes, SAEs, "SAEs, as sa.train_saes returns them")
    n_samples = arguments.size("n_samples", n_samples)
    check_pairs(models, saes)
    rows = []
    for instance in range(len(saes)):
        number = int(saes.toy_model[instance])
        own = replace(models.select([number]), seeds=saes.seeds[instance : instance + 1])
        probability = (models.probability[number] if like is None else like.probability[0]).astype(np.float64)
        rows += _children(own, saes, instance, n_samples, parents(probability, structure[number]))
    return pd.DataFrame(rows)


def over_children(children: pd.DataFrame) -> pd.DataFrame:
    """One row a case, SAE and toy model: means over the children that are represented beside their parents.

    absorption, parent_in_child, child_in_parent, same_latent: as of `child_table`. largest_absorption,
    largest_child_in_parent: of the child of a parent with most of it, mean over parents. Where two children
    exclude each other and lie antipodal, a latent that leans to one leans away from the other and fires less
    beside it, and the mean over both hides that.

    Args:
        children: `child_table` with columns `case` and `sae`, as the pipeline's tables are.
    """
    measures = ["absorption", "parent_in_child", "child_in_parent", "same_latent"]
    own = children[children["represented"].astype(bool)]
    own = own.astype(dict.fromkeys(measures, float))
    keys = ["case", "sae", "toy_model", "seed"]
    means = own.groupby(keys, sort=False)[measures].mean()
    for measure in ("absorption", "child_in_parent"):
        largest = own.groupby([*keys, "parent"], sort=False)[measure].max()
        means[f"largest_{measure}"] = largest.groupby(keys, sort=False).mean()
    return means.reset_index()


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


def _children(
    own: ToyModels,
    saes: SAEs,
    instance: int,
    n_samples: int,
    parent_of: Integer[np.ndarray, " feature"],
) -> list[dict[str, object]]:
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
        has_parent = active[:, parent]
        without, with_child = has_parent & ~active[:, child], has_parent & active[:, child]
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
                "child_in_parent": float(cosine[child, best[parent]] - between[parent, child]),
                "same_latent": bool(best[parent] == best[child]),
            }
        )
    return rows


def _unit(vectors: Float[np.ndarray, "vector hidden"]) -> Float[np.ndarray, "vector hidden"]:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
