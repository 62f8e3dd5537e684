"""The `external` architecture: SAEs that were trained elsewhere, as arrays or as functions.

Arrays compute what one of the package's architectures computes, their form: `gated` where they have r_mag and
b_mag, `jumprelu` where they have thresholds, `topk` where k is below the number of latents, else `relu`.
`storage.imported_saes` makes them. Functions replace arrays where there are any, see `SAEs.functions`.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.architecture import Architecture, Look, Parameters, SAELens, TrainingData
from superposition_atlas.sae.architectures import gated, jumprelu, relu, shared, topk

if TYPE_CHECKING:
    from superposition_atlas.sae.ensemble import SAESettings

FORMS = {form.ARCHITECTURE.name: form.ARCHITECTURE for form in (relu, gated, jumprelu, topk)}


def form_of(names: Collection[str], k: int, n_latents: int) -> Architecture:
    """The architecture that parameters of these names compute, where at most k latents are active."""
    if "r_mag" in names:
        return FORMS["gated"]
    if "log_threshold" in names:
        return FORMS["jumprelu"]
    return FORMS["topk" if k < n_latents else "relu"]


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """Activations of the form; `topk` with every latent is `relu`."""
    fewest = int(k.min(initial=parameters["b_enc"].shape[1]))
    form = form_of(parameters, fewest, parameters["b_enc"].shape[1])
    return form.encode(parameters, h, k)


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """Refuses: there is nothing to begin with."""
    raise TrainingError("architecture is 'external': must be imported, as sa.import_saes does, not trained")


ARCHITECTURE = Architecture(
    name="external",
    label="external",
    summary="trained elsewhere",
    look=Look("#222222", "P", "-"),
    saelens=SAELens("standard"),
    level=None,
    shapes=shared.shapes,
    initial=initial,
    trained=frozenset(),
    loss=relu.loss,
    after_step=shared.keep,
    encode=encode,
)
