"""What a kernel of the fused engine is compiled for: an architecture and its sizes."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from superposition_atlas.sae.fused.fused_gradient import Sizes

Part = Any
"""A function that kernels call, as numba holds it."""


@dataclass(frozen=True)
class Form:
    """Constants that a kernel is compiled for.

    Parameters lie in the order W_enc, W_dec, b_enc, b_dec, the architecture's own.
    """

    gradient: str
    """Name of the architecture's module."""
    tied: bool
    n_features: int
    n_hidden: int
    n_latents: int
    n_parameters: int
    structured: bool
    """Whether features share words."""

    @property
    def module(self) -> ModuleType:
        """The architecture's module."""
        return import_module(self.gradient)

    @property
    def sizes(self) -> Sizes:
        """What the architecture's module needs to know."""
        W_dec = self.n_hidden * self.n_latents
        return Sizes(self.n_hidden, self.n_latents, W_dec, 2 * W_dec + self.n_latents + self.n_hidden)

    @property
    def decoder(self) -> tuple[int, int, int]:
        """Weight d of latent j of the decoder is stored at first + j row + d column: in W_enc if tied."""
        return (0, 1, self.n_latents) if self.tied else (self.n_hidden * self.n_latents, self.n_hidden, 1)
