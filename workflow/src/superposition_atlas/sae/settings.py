"""How sparse autoencoders are trained: the settings, apart from all code that trains them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

from superposition_atlas.errors import SettingError
from superposition_atlas.objects.ensemble import ShortSettings
from superposition_atlas.settings.rules import DISTINCT, OR_ONE, Length, Range, Worded, hold

if TYPE_CHECKING:
    from superposition_atlas.sae.architecture import Architecture

Resampling = Literal["auto", "none", "simple", "advanced"]

EXTERNAL = "external"
"""The architecture of SAEs that were trained elsewhere: imported, and never trained here."""
OPTIONAL_SETTINGS = (
    "k",
    "tied",
    "initial_threshold",
    "bandwidth",
    "prefixes",
    "auxiliary_coefficient",
    "resampling",
)
"""Settings that only some architectures use; each architecture says which."""


@dataclass(frozen=True, repr=False)
class SAESettings(ShortSettings):
    """How SAEs are trained. Defaults are ARENA's; Adam (β₁ = 0.9, β₂ = 0.999, ε = 1e-8), constant rate.

    A setting that an architecture does not use must have its default. Resampling `auto` is replaced by what
    it stands for.

    Raises:
        SettingError: if a value is not allowed; the message names it.
    """

    n_latents: Annotated[int, Range(1, 1_000_000)]
    """Number of latents; ARENA takes as many as there are features."""
    architecture: Annotated[str, Worded("the name of an architecture")] = "relu"
    """Architecture of the SAEs: `relu` with an L1 penalty, `gated`, `jumprelu`, `topk`, `batch_topk`,
    `matryoshka`; or a baseline: `random` directions, a `frozen` random decoder with a trained encoder,
    `pca`; or one of your own (`docs/saes.md`)."""
    sparsity_coefficient: Annotated[tuple[Annotated[float, Range(0)], ...], Length(1), DISTINCT, OR_ONE] = (
        0.2,
    )
    """Weight λ of the sparsity term in the loss; a list trains SAEs for each of its numbers."""
    sparsity_warmup_steps: Annotated[int, Range(0)] = 0
    """First steps, over which λ rises linearly."""
    k: Annotated[tuple[Annotated[int, Range(1)], ...], Length(1), DISTINCT, OR_ONE] = (1,)
    """Active latents a sample, of `topk`, `batch_topk` and `matryoshka`; a list trains SAEs for each of its
    numbers."""
    tied: bool = False
    """Whether the decoder is the encoder's transpose with rows of norm 1, of `relu` and `jumprelu`."""
    initial_threshold: Annotated[float, Range(above=0)] = 0.1
    """Threshold θ at the start, of `jumprelu`."""
    bandwidth: Annotated[float, Range(above=0)] = 0.1
    """Width ε of the window through which thresholds learn, of `jumprelu`."""
    prefixes: Annotated[tuple[Annotated[int, Range(1)], ...], DISTINCT] = ()
    """Numbers of first latents that reconstruct by themselves, of `matryoshka`, ascending and below
    `n_latents`; all latents together always do."""
    auxiliary_coefficient: Annotated[float, Range(0)] = 1 / 32
    """Weight of the loss by which dead latents learn the error that the others leave, of `topk`, `batch_topk`
    and `matryoshka` (Gao et al. 2024)."""
    resampling: Resampling = "auto"
    """What happens to dead latents of `relu`: `none` leaves them, `simple` gives them random unit vectors,
    `advanced` gives them inputs that are badly reconstructed. `auto` is `simple`, with which most SAEs
    recover their features, or `none` where an architecture has no resampling."""
    steps: Annotated[int, Range(1, 2**32 - 1)] = 20_000
    """Number of training steps."""
    batch_size: Annotated[int, Range(1, 2**24)] = 1024
    """Fresh samples a step, for each SAE by itself."""
    learning_rate: Annotated[float, Range(above=0)] = 1e-3
    """Adam's learning rate, constant."""
    resample_every: Annotated[int, Range(1)] = 2500
    """Steps from one resampling to the next, except in the last `dead_window` steps; at most `steps` where
    there is resampling."""
    dead_window: Annotated[int, Range(1)] = 500
    """Steps without firing after which a latent is dead; at most `resample_every`."""
    resample_scale: Annotated[float, Range(above=0)] = 0.5
    """Norm of a resampled latent's encoder weights; with `advanced`, relative to the mean norm of those
    alive."""

    def __post_init__(self) -> None:
        hold(self)
        architectures = _architectures()
        known = (*architectures, EXTERNAL)
        if not isinstance(self.architecture, str) or self.architecture not in known:
            *names, last = architectures
            raise SettingError("architecture", self.architecture, f"{', '.join(names)} or {last}")
        if len(self.sparsity_coefficient) > 1 and len(self.k) > 1:
            raise SettingError("k", self.k, "one number where sparsity_coefficient is a list")
        if max(self.k) > self.n_latents:
            raise SettingError("k", max(self.k), f"at most n_latents ({self.n_latents})")
        is_ascending = list(self.prefixes) == sorted(set(self.prefixes))
        if not is_ascending or max(self.prefixes, default=0) >= self.n_latents:
            raise SettingError("prefixes", self.prefixes, f"ascending and below n_latents ({self.n_latents})")
        if self.resampling == "auto":
            known_settings = (
                architectures[self.architecture].settings if self.architecture != EXTERNAL else ()
            )
            has_it = "resampling" in known_settings
            object.__setattr__(self, "resampling", "simple" if has_it else "none")
        for name in OPTIONAL_SETTINGS:
            users = [other.name for other in architectures.values() if name in other.settings]
            value, default = getattr(self, name), SAESettings.__dataclass_fields__[name].default
            default = "none" if name == "resampling" else default
            if value != default and self.architecture not in users:
                allowed = f"its default, {_plain(default)!r}, with architecture {self.architecture}"
                raise SettingError(name, _plain(value), f"{allowed}; it is for {', '.join(users)}")
        if self.dead_window > self.resample_every:
            allowed = f"at most resample_every ({self.resample_every})"
            raise SettingError("dead_window", self.dead_window, allowed)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def _architectures() -> "Mapping[str, Architecture]":
    """Every architecture by name."""
    # Imported by text: what reads a configuration is not made again when the code that trains SAEs changes.
    registry = import_module("superposition_atlas.sae.architectures.registry")
    found: Mapping[str, Architecture] = registry.all_architectures()
    return found


def _plain(value: Any) -> Any:
    """A list of one as the one."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
