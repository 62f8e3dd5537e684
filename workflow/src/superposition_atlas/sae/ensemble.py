"""What an ensemble of sparse autoencoders is: its settings, its weights, its history."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.errors import TrainingError

Resampling = Literal["none", "simple", "advanced"]
RESAMPLING_SCHEMES = ("none", "simple", "advanced")


@dataclass(frozen=True)
class SAESettings:
    """How SAEs are trained. Defaults are ARENA's; Adam (β₁ = 0.9, β₂ = 0.999, ε = 1e-8), constant rate.

    Raises:
        TrainingError: if a value is out of its range.
    """

    n_latents: int
    """Size of the dictionary; ARENA takes as many latents as features."""
    architecture: str = "relu"
    """A name in `sae.ARCHITECTURES`."""
    resampling: Resampling = "none"
    """What happens to dead latents: nothing, a random direction ("simple"), or the direction of an input that
    is badly reconstructed ("advanced")."""
    sparsity_coefficient: float = 0.2
    """λ, the weight of the sparsity term (for `relu`: of Σ|a|)."""
    steps: int = 20_000
    batch_size: int = 1024
    """Fresh samples a step, for each instance by itself."""
    learning_rate: float = 1e-3
    resample_every: int = 2500
    """Dead latents are resampled before every so-manieth step, unless fewer than `dead_window` are left."""
    dead_window: int = 500
    """A latent is dead if it fired for no sample of the last so many steps; at most `resample_every`."""
    resample_scale: float = 0.5
    """Norm of a resampled latent's encoder direction ("advanced": times the mean norm of alive ones)."""

    def __post_init__(self) -> None:
        for name in ("n_latents", "steps", "batch_size", "resample_every", "dead_window"):
            self._check(name, Integral, lambda value: value >= 1, "an integer of at least 1")
        for name in ("learning_rate", "resample_scale"):
            self._check(name, Real, lambda value: value > 0, "a finite number above 0")
        self._check("sparsity_coefficient", Real, lambda value: value >= 0, "a finite number of at least 0")
        if self.resampling not in RESAMPLING_SCHEMES:
            allowed = ", ".join(RESAMPLING_SCHEMES)
            raise TrainingError(f"resampling is {self.resampling!r}; allowed: {allowed}")
        if self.dead_window > self.resample_every:
            raise TrainingError(
                f"dead_window is {self.dead_window}; allowed: at most resample_every ({self.resample_every})"
            )

    def _check(self, name: str, kind: type, in_range: Callable[[float], bool], allowed: str) -> None:
        value = getattr(self, name)
        # A boolean is an integer to Python, not to a user.
        is_number = isinstance(value, kind) and not isinstance(value, bool)
        if not (is_number and isfinite(value) and in_range(value)):
            raise TrainingError(f"{name} is {value!r}; allowed: {allowed}")

    def as_dict(self) -> dict[str, int | float | str]:
        """Plain values, for provenance."""
        return asdict(self)


@dataclass(frozen=True)
class SAEs:
    """An ensemble of SAEs, one for each toy model. Arrays share their axes' names; float32 unless said.

    Latent j answers a_j(h) to the hidden activation h with W_enc[:, j] and b_enc[j], and adds a_j W_dec[j] to
    the reconstruction. Rows of W_dec have norm 1 (before the first step: not yet).
    """

    W_enc: Float[np.ndarray, "instance hidden latent"]
    W_dec: Float[np.ndarray, "instance latent hidden"]
    b_enc: Float[np.ndarray, "instance latent"]
    b_dec: Float[np.ndarray, "instance hidden"]
    seeds: Integer[np.ndarray, " instance"]
    settings: SAESettings
    engine: str

    recorded_steps: Integer[np.ndarray, " record"]
    """Numbers of steps taken when the history was recorded: 0 is the start, `settings.steps` the end. What
    is recorded where latents are resampled is the state before."""
    W_enc_history: Float[np.ndarray, "record instance hidden latent"]
    W_dec_history: Float[np.ndarray, "record instance latent hidden"]
    b_enc_history: Float[np.ndarray, "record instance latent"]
    b_dec_history: Float[np.ndarray, "record instance hidden"]

    resampling_steps: Integer[np.ndarray, " event"]
    """Numbers of steps taken when dead latents were looked for."""
    resampled: Bool[np.ndarray, "event instance latent"]
    """Which latents were dead and given a new direction."""

    def __len__(self) -> int:
        return len(self.W_enc)

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
