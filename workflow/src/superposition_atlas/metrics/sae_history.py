"""How an SAE's dictionary moved while it was trained."""

import numpy as np
import pandas as pd

from superposition_atlas.sae.ensemble import SAEs


def history_table(saes: SAEs) -> pd.DataFrame:
    """One row a recorded step and latent of an SAE; no rows where nothing was recorded.

    decoder: the unit vector of W_dec[j] that the SAE reconstructs with; encoder: W_enc[:, j]; both lists of
    n_hidden numbers. b_enc is the latent's bias.
    """
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
            "b_enc": saes.history["b_enc"].reshape(-1),
            "decoder": list(decoder.reshape(-1, n_hidden)),
            "encoder": list(saes.history["W_enc"].swapaxes(2, 3).reshape(-1, n_hidden)),
        }
    )
