"""How an SAE's dictionary moved while it was trained."""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool

from superposition_atlas import arguments
from superposition_atlas.metrics.recovery import Evaluation
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.forward import encode
from superposition_atlas.sampling import stream


def history_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a recorded step and latent of an SAE; no rows where nothing was recorded.

    seed: of toy model and SAE. sparsity_coefficient: λ. k: active latents a sample, 0 without. step: recorded
    step. latent: index j. dead: the latent, as it is then, fires on none of the evaluation's samples.
    resampled: it was given a new direction since the step recorded before. b_enc: the latent's bias. decoder:
    the unit vector of W_dec[j] that the SAE reconstructs with, a list of n_hidden numbers. encoder: W_enc[:,
    j], likewise.
    """
    arguments.instance("evaluation", evaluation, Evaluation, "an Evaluation, as metrics.evaluate returns it")
    saes = evaluation.saes
    n_records, n_instances, n_hidden, n_latents = saes.history["W_enc"].shape
    record, instance, latent = np.meshgrid(
        np.arange(n_records), np.arange(n_instances), np.arange(n_latents), indexing="ij"
    )
    W_dec = saes.history["W_dec"]
    length = np.linalg.norm(W_dec, axis=-1, keepdims=True)
    decoder = np.divide(W_dec, length, out=np.zeros_like(W_dec), where=length > 0)
    return pd.DataFrame(
        {
            "seed": np.asarray(saes.seeds)[instance.reshape(-1)],
            "sparsity_coefficient": saes.sparsity_coefficient[instance.reshape(-1)],
            "k": saes.k[instance.reshape(-1)],
            "step": np.asarray(saes.recorded_steps)[record.reshape(-1)],
            "latent": latent.reshape(-1),
            "dead": _dead(evaluation).reshape(-1),
            "resampled": _resampled(saes).reshape(-1),
            "b_enc": saes.history["b_enc"].reshape(-1),
            "decoder": list(decoder.reshape(-1, n_hidden)),
            "encoder": list(saes.history["W_enc"].swapaxes(2, 3).reshape(-1, n_hidden)),
        }
    )


def _dead(evaluation: Evaluation) -> Bool[np.ndarray, "record instance latent"]:
    saes = evaluation.saes
    dead = np.zeros((len(saes.recorded_steps), len(saes), saes.n_latents), dtype=bool)
    # One by one, so that many fit into memory.
    for instance in range(len(saes) if len(dead) else 0):
        one = slice(instance, instance + 1)
        own = replace(evaluation.models.select(one), seeds=saes.seeds[one])
        h = own.encode(own.sample(0, evaluation.n_samples, stream.Purpose.EVALUATION))
        for record in range(len(dead)):
            then = replace(saes, parameters={name: array[record] for name, array in saes.history.items()})
            dead[record, instance] = ~(encode(then, h, instances=one)[0] > 0).any(axis=0)
    return dead


def _resampled(saes: SAEs) -> Bool[np.ndarray, "record instance latent"]:
    """A record at the step of a resampling holds the state before it."""
    resampled = np.zeros((len(saes.recorded_steps), len(saes), saes.n_latents), dtype=bool)
    after = np.searchsorted(saes.recorded_steps, saes.resampling_steps, side="right")
    for record, event in zip(after, saes.resampled, strict=True):
        if record < len(resampled):
            resampled[record] |= event
    return resampled
