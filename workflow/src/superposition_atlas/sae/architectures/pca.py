"""The `pca` baseline: principal directions of h, each with both signs, from the toy model itself.

    E h = W (E x - c)        Cov h = W Cov x Wᵀ        c = E x if inputs are centred, else 0

Cov x is diag(Var x) where features are independent; where two share a word, Cov(x_i, x_j) = (p_ij - p_i p_j)
(E a)² with p_ij their joint probability and a a magnitude.

Latents 2i and 2i + 1 are +v and -v of the direction with the i-th largest variance, W_enc = W_decᵀ,
b_dec = E h and a = ReLU((h - E h) W_enc): with 2m latents the reconstruction is exact, and what is beyond
is 0. The first of a pair points where its largest component is positive. Nothing is trained, no sample drawn.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from superposition_atlas.sae.architecture import Architecture, Look, Parameters, SAELens, TrainingData
from superposition_atlas.sae.architectures import relu, shared
from superposition_atlas.sampling.magnitudes import MAGNITUDES
from superposition_atlas.sampling.structure import joint_probability
from superposition_atlas.toy_model import centre, mean_inputs

if TYPE_CHECKING:
    from superposition_atlas.sae.ensemble import SAESettings


def principal_directions(
    W: Float[np.ndarray, "hidden feature"],
    variance: Float[np.ndarray, " feature"],
    covariance: Float[np.ndarray, "feature feature"] | None = None,
) -> Float[np.ndarray, "hidden hidden"]:
    """Eigenvectors of Cov h, as rows, the largest variance first (float64); covariance is that off the
    diagonal, None where features are independent.
    """
    of_h = (W * variance) @ W.T
    if covariance is not None:
        of_h += W @ covariance @ W.T
    rows = np.linalg.eigh(of_h)[1].T[::-1]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return np.asarray(rows * np.sign(largest))


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """The whole of it."""
    magnitudes = data.toy_settings.magnitudes
    mean = mean_inputs(data.probability, magnitudes)
    variance = data.probability * MAGNITUDES[magnitudes].mean_square - mean**2
    centred_mean = mean - centre(data.probability, data.toy_settings)
    covariance = None
    if data.structure is not None:
        joint = joint_probability(data.probability, data.structure)
        diagonal = np.arange(joint.shape[-1])
        joint[:, diagonal, diagonal] = data.probability**2
        covariance = joint * MAGNITUDES[magnitudes].mean ** 2 - mean[:, :, None] * mean[:, None, :]
    n_instances, n_hidden, _ = data.W.shape
    W_dec = np.zeros((n_instances, settings.n_latents, n_hidden), dtype=np.float32)
    b_dec = np.zeros((n_instances, n_hidden), dtype=np.float32)
    for instance, W in enumerate(data.W.astype(np.float64)):  # one by one: no batching, whatever others do
        rows = principal_directions(
            W, variance[instance], None if covariance is None else covariance[instance]
        )
        both = np.stack([rows, -rows], axis=1).reshape(-1, n_hidden)[: settings.n_latents]
        W_dec[instance, : len(both)] = both
        b_dec[instance] = W @ centred_mean[instance]
    return shared.aligned(W_dec, b_dec)


ARCHITECTURE = Architecture(
    name="pca",
    label="PCA",
    summary="principal components of the hidden activations",
    look=Look("#8a8a8a", "*", "", is_hollow=True),
    saelens=SAELens("standard"),
    level=None,
    shapes=shared.shapes,
    initial=initial,
    trained=frozenset(),
    loss=relu.loss,
    after_step=shared.keep,
    encode=relu.encode,
    is_baseline=True,
)
