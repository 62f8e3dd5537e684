"""The largest pre-activations of a sample or of a batch, and what the architectures that choose them share.

AuxK (Gao et al. 2024): dead latents reconstruct the error e = h - h', which has no gradient itself,

    ê    = ReLU(π) · 1[among the k_aux largest π of the sample's dead latents] Ŵ_dec
    AuxK = mean over the batch of mean_d (ê - e)², and 0 where no latent is dead

with k_aux = max(1, m // 2), as in SAELens, where ê has b_dec in it and no ReLU, the mean over d is a sum, and
AuxK is scaled down where fewer than k_aux latents are dead.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.sae.architecture import Objective
from superposition_atlas.sae.architectures.shared import product

if TYPE_CHECKING:
    import torch


def largest(values: "torch.Tensor", count: "torch.Tensor") -> "torch.Tensor":
    """Marks the `count` (≥ 1, broadcast to [..., 1]) largest of the last axis; of equals, the first.

    `torch.topk` takes one number for all and promises nothing on equals; and equals are common here: all
    samples without an active feature are the same sample.
    """
    least = values.sort(dim=-1, descending=True).values.gather(-1, count.expand(*values.shape[:-1], 1) - 1)
    above = values > least
    equal = values == least
    room = count - above.sum(dim=-1, keepdim=True)
    return above | (equal & (equal.cumsum(dim=-1) <= room))


def numpy_largest(
    values: Float[np.ndarray, "instance batch latent"], count: Integer[np.ndarray, " instance"]
) -> Bool[np.ndarray, "instance batch latent"]:
    """The result of `largest`, for each sample."""
    order = np.argsort(-values, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    return np.asarray(rank < count[:, None, None])


def of_batch(pre_activations: "torch.Tensor", k: "torch.Tensor") -> "torch.Tensor":
    """ReLU(π) where it is among the k · batch largest of its instance's batch, else 0."""
    positive = pre_activations.relu()
    flat = positive.detach().flatten(start_dim=1)
    chosen = largest(flat, (k * positive.shape[1])[:, None])
    return positive * chosen.view_as(positive)


def auxiliary_loss(
    pre_activations: "torch.Tensor", W_dec: "torch.Tensor", error: "torch.Tensor", objective: Objective
) -> "torch.Tensor":
    """auxiliary_coefficient · AuxK [instance], of the error h - h' [instance, batch, hidden]."""
    dead = objective.dead[:, None, :]
    k_aux = min(max(1, error.shape[-1] // 2), dead.shape[-1])
    of_dead = pre_activations.masked_fill(~dead, -float("inf"))
    count = objective.k.new_full((len(error), 1, 1), k_aux)
    activations = of_dead.relu() * largest(of_dead.detach(), count)
    loss = (product(activations, W_dec) - error.detach()).square().mean(dim=(-1, -2))
    return objective.settings.auxiliary_coefficient * loss * objective.dead.any(dim=-1)
