"""What an ensemble of sparse autoencoders is: its weights and its history."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.sae.settings import Resampling, SAESettings

__all__ = ["Resampling", "SAESettings", "SAEs"]


@dataclass(frozen=True)
class SAEs:
    """An ensemble of SAEs. Arrays share their axes' names; float32 unless said.

    There is one for each toy model and each λ (or k): all toy models with the first, then all with the next.
    Latent j answers a_j(h) to the hidden activation h, and adds a_j W_dec[j] to the reconstruction.
    """

    parameters: Mapping[str, np.ndarray]
    """Name → [instance, …]. W_enc [hidden, latent], W_dec [latent, hidden], b_enc [latent] and b_dec [hidden]
    are always among them; the architecture's module says what else is."""
    seeds: Integer[np.ndarray, " instance"]
    toy_model: Integer[np.ndarray, " instance"]
    """Which of the toy models it is trained on, by position."""
    sparsity_coefficient: Float[np.ndarray, " instance"]
    """λ (float64); of no meaning with topk, batch_topk, matryoshka and the baselines without training."""
    k: Integer[np.ndarray, " instance"]
    """Of topk, batch_topk and matryoshka."""
    settings: SAESettings
    engine: str

    recorded_steps: Integer[np.ndarray, " record"]
    """Numbers of steps taken when the history was recorded: 0 is the start, `settings.steps` the end. What
    is recorded where latents are resampled is the state before."""
    history: Mapping[str, np.ndarray]
    """Name → [record, instance, …], as `parameters`."""

    resampling_steps: Integer[np.ndarray, " event"]
    """Numbers of steps taken when dead latents were looked for."""
    resampled: Bool[np.ndarray, "event instance latent"]
    """Which latents were dead and given a new direction."""

    def __len__(self) -> int:
        return len(self.W_enc)

    @property
    def W_enc(self) -> Float[np.ndarray, "instance hidden latent"]:
        """Encoder."""
        return self.parameters["W_enc"]

    @property
    def W_dec(self) -> Float[np.ndarray, "instance latent hidden"]:
        """Decoder; rows have norm 1, or 0 where a latent stands for nothing (before the first step: any)."""
        return self.parameters["W_dec"]

    @property
    def b_enc(self) -> Float[np.ndarray, "instance latent"]:
        """Encoder bias."""
        return self.parameters["b_enc"]

    @property
    def b_dec(self) -> Float[np.ndarray, "instance hidden"]:
        """Decoder bias."""
        return self.parameters["b_dec"]

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions, m: what an SAE reads and reconstructs."""
        return int(self.W_enc.shape[1])

    @property
    def n_latents(self) -> int:
        """Size of the dictionary."""
        return int(self.W_enc.shape[2])

    @property
    def n_resampled(self) -> Integer[np.ndarray, " instance"]:
        """How often a latent was resampled, over the whole training."""
        return np.asarray(self.resampled.sum(axis=(0, 2)))
