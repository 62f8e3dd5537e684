"""New directions for dead latents, by ARENA's two schemes.

simple    a random unit vector v (uniform on the sphere): W_dec[j] = v, W_enc[:, j] = scale · v, b_enc[j] = 0.
advanced  v is the direction of h - b_dec for a fresh sample h drawn with probability proportional to its
          squared reconstruction loss (mean_d (h' - h)²)²; W_enc[:, j] = scale · (mean norm of the alive
          latents' encoder directions, 1 if none is alive) · v. An instance whose every sample has a loss
          under 1e-6 is left alone.

Adam's moments are kept, as in ARENA. Unlike there, nothing is resampled when fewer than `dead_window` steps
are left: a direction drawn before the very last step (which 20,000 steps and every 2,500 make) would only
hide in the results that the latent is dead. All randomness is the stream's, by (seed, step), so neither the
other instances nor the other latents have a say in it.
"""

import numpy as np
from jaxtyping import Bool, Float

from superposition_atlas.sae.architecture import Architecture, Parameters, SAEState, TrainingData
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sampling import stream

_NEGLIGIBLE_LOSS = 1e-6


def dead_latents(state: SAEState, dead_window: int) -> Bool[np.ndarray, "instance latent"]:
    """Latents that fired for no sample of the last `dead_window` steps (of all, while there are fewer)."""
    return state.last_fired < max(state.step - dead_window, 0)


def resample(
    state: SAEState,
    parameters: Parameters,
    data: TrainingData,
    architecture: Architecture,
    settings: SAESettings,
) -> Bool[np.ndarray, "instance latent"]:
    """Gives dead latents new directions, in place; returns which."""
    dead = dead_latents(state, settings.dead_window)
    resampled = np.zeros_like(dead)
    for instance in np.flatnonzero(dead.any(axis=1)):  # one by one: no batching, whatever others do
        one = slice(instance, instance + 1)
        own = {name: array[one] for name, array in parameters.items()}
        own_data = data.one(int(instance))
        if settings.resampling == "simple":
            directions, scale = _random_directions(own_data, dead.shape[1], state.step), 1.0
        else:
            found = _badly_reconstructed(own, own_data, architecture, settings, state.step)
            if found is None:
                continue
            directions, scale = found, _mean_norm(own["W_enc"][0][:, ~dead[instance]])
        directions = directions[dead[instance]]
        own["W_dec"][0, dead[instance]] = directions
        own["W_enc"][0][:, dead[instance]] = (settings.resample_scale * scale * directions).T
        own["b_enc"][0, dead[instance]] = 0.0
        resampled[instance] = dead[instance]
    return resampled


def _random_directions(data: TrainingData, n_latents: int, step: int) -> Float[np.ndarray, "latent hidden"]:
    n_hidden = data.W.shape[1]
    normal = stream.standard_normal(data.seeds, step, n_latents, n_hidden, stream.Purpose.SAE_RESAMPLING)[0]
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def _badly_reconstructed(
    parameters: Parameters,
    data: TrainingData,
    architecture: Architecture,
    settings: SAESettings,
    step: int,
) -> Float[np.ndarray, "latent hidden"] | None:
    purpose = stream.Purpose.SAE_RESAMPLING
    h = data.hidden(step, settings.batch_size, purpose)
    activations = architecture.encode(parameters, h, data.k)
    reconstruction = activations @ parameters["W_dec"] + parameters["b_dec"][:, None, :]
    loss = np.square((reconstruction - h)[0].astype(np.float64)).mean(axis=-1)
    if loss.max() < _NEGLIGIBLE_LOSS:
        return None
    cumulative = np.cumsum(loss**2)
    n_features, n_latents = data.W.shape[2], settings.n_latents
    # The words behind the last feature's are still unused at this step.
    u = stream.uniform(data.seeds, step, n_latents, n_features + 1, purpose)[0, :, n_features]
    chosen = np.searchsorted(cumulative, u * cumulative[-1], side="right")
    centred = (h[0] - parameters["b_dec"][0])[np.minimum(chosen, len(loss) - 1)].astype(np.float64)
    return np.asarray(centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-8))


def _mean_norm(W_enc: Float[np.ndarray, "hidden latent"]) -> float:
    return float(np.linalg.norm(W_enc, axis=0).mean()) if W_enc.shape[1] else 1.0
