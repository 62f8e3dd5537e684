"""Using trained SAEs: activations and reconstructions, in numpy."""

import numpy as np
from jaxtyping import Float

from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.sae.ensemble import SAEs

_ALL = slice(None)


def encode(
    saes: SAEs, h: Float[np.ndarray, "instance batch hidden"], instances: slice = _ALL
) -> Float[np.ndarray, "instance batch latent"]:
    """Each SAE's activations a ≥ 0 on hidden activations h, of all instances or of some."""
    if saes.functions:
        chosen = saes.functions[instances]
        return np.stack([one.encode(of_one) for one, of_one in zip(chosen, h, strict=True)])
    parameters = {name: array[instances] for name, array in saes.parameters.items()}
    return by_name(saes.settings.architecture).encode(parameters, h, saes.k[instances])


def reconstruct(
    saes: SAEs, activations: Float[np.ndarray, "instance batch latent"], instances: slice = _ALL
) -> Float[np.ndarray, "instance batch hidden"]:
    """h' = a W_dec + b_dec."""
    if saes.functions:
        chosen = saes.functions[instances]
        return np.stack([one.decode(of_one) for one, of_one in zip(chosen, activations, strict=True)])
    return np.asarray(activations @ saes.W_dec[instances] + saes.b_dec[instances][:, None, :])
