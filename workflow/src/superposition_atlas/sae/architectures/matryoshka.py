"""The `matryoshka` architecture: batch_topk whose first latents must do by themselves as well.

    L = Σ_g mean over the batch of mean_d (h'_g - h)² + auxiliary_coefficient · AuxK, see `selection`

where h'_g = Σ_{j < g} a_j Ŵ_dec[j] + b_dec, and g runs over settings.prefixes and, last, all latents; a is
that of `batch_topk`, and AuxK is of the error of all latents. Without prefixes it is `batch_topk`. Bussmann
et al. 2025, *Learning multi-level features with matryoshka sparse autoencoders*: errors are summed over g
there and in SAELens, and so they are here.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

from superposition_atlas.sae.architecture import Architecture, Look, Objective, SAELens, Tensors
from superposition_atlas.sae.architectures import batch_topk, shared
from superposition_atlas.sae.architectures.selection import auxiliary_loss, of_batch

if TYPE_CHECKING:
    import torch


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    pre_activations = shared.pre_activations(parameters, h)
    activations = of_batch(pre_activations, objective.k)
    W_dec = shared.decoder(parameters, objective.settings)
    residual = h - parameters["b_dec"][:, None, :]
    error = h.new_zeros(len(h))
    for start, stop in pairwise((0, *objective.settings.prefixes, W_dec.shape[1])):
        residual = residual - shared.product(activations[:, :, start:stop], W_dec[:, start:stop])
        error = error + residual.square().mean(dim=(-1, -2))
    return error + auxiliary_loss(pre_activations, W_dec, residual, objective), activations


ARCHITECTURE = Architecture(
    name="matryoshka",
    label="Matryoshka",
    summary="as BatchTopK, and the first latents reconstruct by themselves as well",
    look=Look("#1a1a1a", "P", (0, (4, 1, 1, 1, 1, 1))),
    saelens=SAELens("jumprelu", weights=batch_topk.saelens_weights),
    level="k",
    shapes=batch_topk.shapes,
    initial=batch_topk.initial,
    trained=shared.TRAINED,
    loss=loss,
    after_step=batch_topk.after_step,
    encode=batch_topk.encode,
    settings=frozenset({"k", "auxiliary_coefficient", "prefixes"}),
    fused=batch_topk.fused,
)
