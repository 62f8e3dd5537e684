"""Toy models as a torch module, for whoever goes on in torch."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superposition_atlas.toy_model import Output, ToyModels, centre


class TorchToyModels(nn.Module):
    """h = W (x - centre), x' = ReLU(Wᵀ h + b) or without the ReLU; the axes are those of `ToyModels`."""

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
    ) -> None:
        super().__init__()
        self.W, self.b = nn.Parameter(W), nn.Parameter(b)
        self.register_buffer("importance", importance)
        self.register_buffer("probability", probability)
        self.register_buffer("centre", centre)
        self.output = output

    def encode(self, x: Float[Tensor, "#instance batch feature"]) -> Float[Tensor, "instance batch hidden"]:
        """h."""
        return (x - self.centre[:, None]) @ self.W.mT

    def forward(self, x: Float[Tensor, "#instance batch feature"]) -> Float[Tensor, "instance batch feature"]:
        """x'."""
        z = self.encode(x) @ self.W + self.b[:, None]
        return torch.relu(z) if self.output == "relu" else z


def as_module(models: ToyModels) -> TorchToyModels:
    """The toy models as one module, on the CPU; its tensors are copies."""
    arrays = (models.W, models.b, models.importance, models.probability)
    W, b, importance, probability = (torch.tensor(array) for array in arrays)
    centred = torch.tensor(centre(models.probability, models.settings))
    return TorchToyModels(W, b, importance, probability, centred, models.settings.output)
