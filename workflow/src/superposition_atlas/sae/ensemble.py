"""What an ensemble of sparse autoencoders is: its settings, its weights, its history."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy.typing import ArrayLike

from superposition_atlas import arguments
from superposition_atlas.ensemble import Ensemble, ShortSettings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.sae.architectures.kinds import BY_K

Resampling = Literal["none", "simple", "advanced"]

ArchitectureName = Literal[
    "relu", "gated", "jumprelu", "topk", "batch_topk", "matryoshka", "random", "frozen", "pca"
]
ARCHITECTURES: tuple[ArchitectureName, ...] = get_args(ArchitectureName)


@dataclass(frozen=True, repr=False)
class SAESettings(ShortSettings):
    """How SAEs are trained. Defaults are ARENA's; Adam (β₁ = 0.9, β₂ = 0.999, ε = 1e-8), constant rate.

    What an architecture has no use for stays at its default.

    Raises:
        ArgumentError: if a value is out of its range.
    """

    n_latents: int
    """Size of the dictionary; ARENA takes as many latents as features."""
    architecture: ArchitectureName = "relu"
    sparsity_coefficient: tuple[float, ...] = (0.2,)
    """λ, the weight of the sparsity term: one SAE a toy model for each. See the architecture for the term."""
    sparsity_warmup_steps: int = 0
    """First steps, over which λ rises linearly to its full size."""
    k: tuple[int, ...] = (1,)
    """Active latents a sample, of topk, batch_topk and matryoshka: one SAE a toy model for each."""
    tied: bool = False
    """Whether W_dec is W_encᵀ with rows of norm 1, of relu and jumprelu."""
    initial_threshold: float = 0.1
    """θ at the start, of jumprelu."""
    bandwidth: float = 0.1
    """ε, the width of the window through which θ learns, of jumprelu, whose module says why it is not
    ARENA's 0.01."""
    prefixes: tuple[int, ...] = ()
    """Numbers of first latents that reconstruct by themselves, ascending, of matryoshka; all of them
    together always do."""
    auxiliary_coefficient: float = 1 / 32
    """Weight of the auxiliary loss that has dead latents reconstruct the error, of topk, batch_topk and
    matryoshka; Gao et al.'s."""
    resampling: Resampling = "none"
    """What happens to dead latents of relu: nothing, a random direction ("simple"), or the direction of an
    input that is badly reconstructed ("advanced")."""
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
        arguments.choice("architecture", self.architecture, ARCHITECTURES)
        arguments.choice("resampling", self.resampling, get_args(Resampling))
        self._set("tied", arguments.flag("tied", self.tied))
        for name in ("n_latents", "batch_size"):
            self._set(name, arguments.size(name, getattr(self, name)))
        for name in ("steps", "resample_every", "dead_window"):
            self._set(name, arguments.integer(name, getattr(self, name), most=2**32 - 1))
        for name in ("learning_rate", "resample_scale", "initial_threshold", "bandwidth"):
            self._set(name, arguments.number(name, getattr(self, name), above=0))
        auxiliary = arguments.number("auxiliary_coefficient", self.auxiliary_coefficient, least=0)
        self._set("auxiliary_coefficient", auxiliary)
        warmup = arguments.integer("sparsity_warmup_steps", self.sparsity_warmup_steps, least=0)
        self._set("sparsity_warmup_steps", warmup)
        coefficients = arguments.several("sparsity_coefficient", self.sparsity_coefficient)
        numbers = tuple(arguments.number("sparsity_coefficient", one, least=0) for one in coefficients)
        self._set("sparsity_coefficient", numbers)
        self._set("k", tuple(arguments.integer("k", one) for one in arguments.several("k", self.k)))
        prefixes = arguments.several("prefixes", self.prefixes)
        self._set("prefixes", tuple(arguments.integer("a number of prefixes", one) for one in prefixes))
        for name in ("sparsity_coefficient", "k"):
            if not getattr(self, name):
                raise ArgumentError(f"{name} is empty: must be one number or more")
        if len(self.sparsity_coefficient) > 1 and len(self.k) > 1:
            raise ArgumentError("sparsity_coefficient and k are both lists: must be one of them at most")
        if max(self.k) > self.n_latents:
            raise ArgumentError(f"k is {max(self.k)}: must be at most n_latents ({self.n_latents})")
        is_ascending = list(self.prefixes) == sorted(set(self.prefixes))
        if not is_ascending or max(self.prefixes, default=0) >= self.n_latents:
            raise ArgumentError(
                f"prefixes is {self.prefixes}: must be ascending and below n_latents ({self.n_latents})"
            )
        for name, owner in _OWNERS.items():
            if getattr(self, name) != _default(name) and self.architecture not in owner:
                raise ArgumentError(
                    f"{name} is {arguments.shown(getattr(self, name))}: must be left out with architecture "
                    f"{self.architecture}; it is of {', '.join(owner)}"
                )
        if self.dead_window > self.resample_every:
            raise ArgumentError(
                f"dead_window is {self.dead_window}: must be at most resample_every ({self.resample_every})"
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the one way where a dataclass is frozen

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


_OWNERS: Mapping[str, tuple[str, ...]] = {
    "k": BY_K,
    "tied": ("relu", "jumprelu"),
    "initial_threshold": ("jumprelu",),
    "bandwidth": ("jumprelu",),
    "prefixes": ("matryoshka",),
    "auxiliary_coefficient": BY_K,
    "resampling": ("relu",),
}
"""Settings that only some architectures have a use for."""


def _default(name: str) -> object:
    return SAESettings.__dataclass_fields__[name].default


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

    def select(self, instances: Integer[np.ndarray, " chosen"] | slice | Sequence[int] | int) -> "SAEs":
        """Some of the SAEs, by index; `toy_model` still counts all toy models.

        Raises:
            ArgumentError: if there is no such SAE.
        """
        chosen = arguments.positions("instances", instances, len(self))
        arrays = {name: getattr(self, name)[chosen] for name in _PER_INSTANCE}
        return replace(
            self,
            parameters={name: array[chosen] for name, array in self.parameters.items()},
            history={name: array[:, chosen] for name, array in self.history.items()},
            resampled=self.resampled[:, chosen],
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
            "steps": self.settings.steps,
            "engine": self.engine,
        }
        levels = "k" if self.settings.architecture in BY_K else "sparsity_coefficient"
        return summary | {levels: ", ".join(f"{level:g}" for level in getattr(self.settings, levels))}


_PER_INSTANCE = ("seeds", "toy_model", "sparsity_coefficient", "k")
