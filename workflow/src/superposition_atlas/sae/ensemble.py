"""An ensemble of sparse autoencoders: its weights and its history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy.typing import ArrayLike

from superposition_atlas import arguments
from superposition_atlas.objects.ensemble import Ensemble
from superposition_atlas.sae.settings import EXTERNAL, Resampling, SAESettings

__all__ = ["Functions", "Resampling", "SAESettings", "SAEs"]


@dataclass(frozen=True)
class Functions:
    """Encoder and decoder of one SAE that are functions, of batches as float32 arrays."""

    encode: Callable[[Float[np.ndarray, "batch hidden"]], Float[np.ndarray, "batch latent"]]
    decode: Callable[[Float[np.ndarray, "batch latent"]], Float[np.ndarray, "batch hidden"]]


@dataclass(frozen=True, repr=False, eq=False)
class SAEs(Ensemble):
    """An ensemble of SAEs. Arrays share their axes' names; float32 unless said.

    `saes[3]`, `saes[2:5]`, `saes[[0, 4]]` and iteration give smaller ensembles.

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
    """Active latents a sample, of topk, batch_topk and matryoshka."""
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
    functions: tuple[Functions, ...] = ()
    """Encoder and decoder of each instance where they are functions from elsewhere; W_dec then has what
    each latent adds to the reconstruction, and W_enc is 0."""

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

    def select(self, instances: Integer[np.ndarray, " chosen"] | slice | Sequence[int] | int) -> "SAEs":
        """Some of the SAEs, by index; `toy_model` still counts all toy models.

        Raises:
            ArgumentError: if there is no such SAE.
        """
        chosen = arguments.positions("instances", instances, len(self))
        arrays = {name: getattr(self, name)[chosen] for name in _PER_INSTANCE}
        places = np.arange(len(self))[chosen].tolist()
        return replace(
            self,
            parameters={name: array[chosen] for name, array in self.parameters.items()},
            history={name: array[:, chosen] for name, array in self.history.items()},
            resampled=self.resampled[:, chosen],
            functions=tuple(self.functions[place] for place in places if self.functions),
            **arrays,
        )

    def encode(
        self, h: Float[np.ndarray, "#instance batch hidden"]
    ) -> Float[np.ndarray, "instance batch latent"]:
        """Activations a ≥ 0, float32, on hidden activations h.

        Args:
            h: [instance, batch, hidden], or [batch, hidden], the same for all SAEs.

        Raises:
            ArgumentError: if h has another shape, or a value that is not finite.
        """
        forward = import_module("superposition_atlas.sae.forward")
        return np.asarray(forward.encode(self, self._per_instance("h", h, self.n_hidden)))

    def decode(
        self, activations: Float[np.ndarray, "#instance batch latent"]
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h' = a W_dec + b_dec, float32.

        Args:
            activations: [instance, batch, latent], or [batch, latent], the same for all SAEs.

        Raises:
            ArgumentError: if they have another shape, or a value that is not finite.
        """
        forward = import_module("superposition_atlas.sae.forward")
        given = self._per_instance("activations", activations, self.n_latents)
        return np.asarray(forward.reconstruct(self, given))

    def reconstruct(
        self, h: Float[np.ndarray, "#instance batch hidden"]
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h' of hidden activations h, float32: `decode(encode(h))`; args and errors as those of `encode`."""
        return self.decode(self.encode(h))

    def _per_instance(
        self, name: str, values: ArrayLike, width: int
    ) -> Float[np.ndarray, "instance batch _"]:
        return arguments.batches(
            name, values, len(self), width, f"{name}[saes.toy_model] has, where {name} has one a toy model"
        )

    def summary(self) -> dict[str, object]:
        """What the repr says."""
        summary: dict[str, object] = {
            "SAEs": len(self),
            "architecture": self.settings.architecture,
            "hidden": self.n_hidden,
            "latents": self.n_latents,
            **({} if self.settings.architecture == EXTERNAL else {"steps": self.settings.steps}),
            "engine": self.engine,
        }
        if self.settings.architecture == EXTERNAL:
            return summary
        levels = "k" if len(set(self.k.tolist())) > 1 else "sparsity_coefficient"
        return summary | {levels: ", ".join(f"{level:g}" for level in getattr(self.settings, levels))}


_PER_INSTANCE = ("seeds", "toy_model", "sparsity_coefficient", "k")
