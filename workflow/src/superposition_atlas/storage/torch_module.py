"""Toy models as a torch module, for whoever goes on in torch."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superposition_atlas.toy_model import Hidden, Output, ToyModels, centre


class TorchToyModels(nn.Module):
    """h = W (x - centre) or its ReLU, x' = ReLU(W_outᵀ h + b) or without the ReLU; W_out is W where there is
    none. The axes are those of `ToyModels`.
    """

    importance: Tensor
    probability: Tensor
    centre: Tensor

    def __init__(
        self,
        W: Float[Tensor, "instance hidden feature"],
        b: Float[Tensor, "instance feature"],
        importance: Float[Tensor, "instance feature"],
        probability: Float[Tensor, "instance feature"],
        centre: Float[Tensor, "instance feature"],
        output: Output,
        hidden: Hidden = "linear",
        W_out: Float[Tensor, "instance hidden feature"] | None = None,
    ) -> None:
        super().__init__()
        self.W, self.b = nn.Parameter(W), nn.Parameter(b)
        self.W_out = None if W_out is None else nn.Parameter(W_out)
        self.register_buffer("importance", importance)
        self.register_buffer("probability", probability)
        self.register_buffer("centre", centre)
        self.output, self.hidden = output, hidden

    def encode(self, x: Float[Tensor, "#instance batch feature"]) -> Float[Tensor, "instance batch hidden"]:
        """h."""
        h = (x - self.centre[:, None]) @ self.W.mT
        return torch.relu(h) if self.hidden == "relu" else h

    def forward(self, x: Float[Tensor, "#instance batch feature"]) -> Float[Tensor, "instance batch feature"]:
        """x'."""
        z = self.encode(x) @ (self.W if self.W_out is None else self.W_out) + self.b[:, None]
        return torch.relu(z) if self.output == "relu" else z


def as_module(models: ToyModels) -> TorchToyModels:
    """The toy models as one module, on the CPU; its tensors are copies."""
    arrays = (models.W, models.b, models.importance, models.probability)
    W, b, importance, probability = (torch.tensor(array) for array in arrays)
    centred = torch.tensor(centre(models.probability, models.settings))
    W_out = None if models.W_out is None else torch.tensor(models.W_out)
    settings = models.settings
    return TorchToyModels(W, b, importance, probability, centred, settings.output, settings.hidden, W_out)
