"""Splits scores and outputs of attention into cells, one a pair of features.

With tokens h = Σ_i a_i d_i + e of known directions d_i, the score of query and key is

    Σ_ij a_i c_j B_ij + error,   B = D (W_Qᵀ W_K / √d) Dᵀ,

a_i of the query, c_j of the key, and key feature j alone writes c_j E_oj on output o, E = W_O W_V Dᵀ. With
the true directions, d_i = W_i, nothing is left over; with an SAE's decoder the error holds what the SAE
misses, its bias, and latents that no feature is matched with. All in float64.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from scipy.optimize import linear_sum_assignment

from superposition_atlas.attention.heads import AttentionModels, Scores
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.forward import encode
from superposition_atlas.toy_model import ToyModels

Hidden = Float[np.ndarray, "instance sequence token hidden"]


@dataclass(frozen=True)
class Dictionary:
    """A direction for each feature, and how much of it is in each token."""

    name: str
    directions: Float[np.ndarray, "instance feature hidden"]
    activity: Float[np.ndarray, "instance sequence token feature"]
    """Activities, at least 0; the query is the last token."""
    cosine: Float[np.ndarray, "instance feature"]
    """Between each direction and the feature's own."""

    @property
    def query_activity(self) -> Float[np.ndarray, "instance sequence feature"]:
        """a."""
        return self.activity[:, :, -1]

    @property
    def key_activity(self) -> Float[np.ndarray, "instance sequence key feature"]:
        """c."""
        return self.activity[:, :, :-1]

    @property
    def mean_activity(self) -> Float[np.ndarray, "instance feature"]:
        """Mean over the tokens in which a feature is active; NaN where there is none."""
        total = self.activity.sum(axis=(1, 2))
        count = (self.activity > 0).sum(axis=(1, 2))
        mean = np.full(total.shape, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean

    @property
    def explained(self) -> Hidden:
        """Σ_i a_i d_i of every token."""
        return np.einsum("istf,ifm->istm", self.activity, self.directions, optimize=True)


def true_dictionary(
    models: ToyModels, tokens: Float[np.ndarray, "instance sequence token feature"]
) -> Dictionary:
    """The directions and magnitudes that the tokens were made from."""
    directions = models.W.swapaxes(1, 2).astype(np.float64)
    return Dictionary("true", directions, tokens.astype(np.float64), np.ones(directions.shape[:2]))


def sae_dictionary(models: ToyModels, saes: SAEs, h: Hidden) -> Dictionary:
    """Decoder directions and activities of the latents that are matched with the features, one each.

    The match is the assignment with the largest sum of signed cosines (Hungarian). Toy models and SAEs are in
    the same order, and there are at least as many latents as features.
    """
    latent, cosine = matched(models.W, saes.W_dec)
    activity = encode(saes, h.reshape(len(h), -1, h.shape[-1]).astype(np.float32))
    chosen = np.take_along_axis(activity, latent[:, None, :], axis=2).reshape(*h.shape[:-1], -1)
    directions = np.take_along_axis(saes.W_dec, latent[:, :, None], axis=1)
    return Dictionary("sae", directions.astype(np.float64), chosen.astype(np.float64), cosine)


def matched(
    W: Float[np.ndarray, "instance hidden feature"], W_dec: Float[np.ndarray, "instance latent hidden"]
) -> tuple[Integer[np.ndarray, "instance feature"], Float[np.ndarray, "instance feature"]]:
    """The latent matched with each feature, and their signed cosine."""
    true, found = _normalised(W.swapaxes(1, 2)), _normalised(W_dec)
    cosines = true @ found.swapaxes(1, 2)
    latent = np.stack([linear_sum_assignment(own, maximize=True)[1] for own in cosines])
    return latent, np.take_along_axis(cosines, latent[:, :, None], axis=2)[:, :, 0]


def _normalised(
    vectors: Float[np.ndarray, "instance vector hidden"],
) -> Float[np.ndarray, "instance vector hidden"]:
    norm = np.linalg.norm(vectors.astype(np.float64), axis=2, keepdims=True)
    return np.divide(vectors, norm, out=np.zeros(vectors.shape), where=norm > 0)


# --- cells -------------------------------------------------------------------------------------------------


def score_weights(
    attention: AttentionModels, directions: Float[np.ndarray, "instance feature hidden"]
) -> Float[np.ndarray, "instance head query_feature key_feature"]:
    """B."""
    D = directions[:, None]
    return np.asarray(D @ attention.score_forms @ D.swapaxes(-1, -2))


def output_effects(
    attention: AttentionModels, directions: Float[np.ndarray, "instance feature hidden"]
) -> Float[np.ndarray, "instance head output key_feature"]:
    """E."""
    return np.asarray(attention.writing_maps @ directions[:, None].swapaxes(-1, -2))


def cell_sums(attention: AttentionModels, dictionary: Dictionary) -> Scores:
    """Σ_ij a_i c_j B_ij."""
    weights = score_weights(attention, dictionary.directions)
    asked = np.einsum("isa,ihab->ihsb", dictionary.query_activity, weights, optimize=True)
    return np.asarray(np.einsum("ihsb,iskb->ihsk", asked, dictionary.key_activity, optimize=True))


def score_errors(attention: AttentionModels, dictionary: Dictionary, h: Hidden) -> Scores:
    """The part of each score that the directions leave over, from what they leave of query and key."""
    explained = dictionary.explained
    rest = h.astype(np.float64) - explained
    forms = attention.score_forms

    def score(query: Hidden, key: Hidden) -> Scores:
        asked = np.einsum("ism,ihmn->ihsn", query[:, :, -1], forms, optimize=True)
        return np.asarray(np.einsum("ihsn,iskn->ihsk", asked, key[:, :, :-1], optimize=True))

    return score(rest, explained) + score(explained, rest) + score(rest, rest)


# --- what superposition forces -----------------------------------------------------------------------------

ANTIPODAL_COSINE = -0.9
"""Two features are antipodal if the cosine between them is below."""


def forced_ties(
    W: Float[np.ndarray, "instance hidden feature"], key_of: Integer[np.ndarray, "instance feature"]
) -> Integer[np.ndarray, "instance feature"]:
    """The key feature that a head has to take for the wanted one, by the geometry alone; -1 for none.

    Of antipodal features i, i' with the keys j, j' it holds that B_i = -B_i', so that a head in which i'
    looks for j' has i look for the antipode of j' just as much. Unless that is j, no head by itself can tell
    what both look for.
    """
    partner = antipodes(W)
    wanted_by_partner = np.take_along_axis(key_of, np.maximum(partner, 0), axis=1)
    tie = np.take_along_axis(partner, wanted_by_partner, axis=1)
    return np.where((partner >= 0) & (tie != key_of), tie, -1)


def antipodes(W: Float[np.ndarray, "instance hidden feature"]) -> Integer[np.ndarray, "instance feature"]:
    """The feature opposite to each one, -1 where there is none."""
    directions = _normalised(W.swapaxes(1, 2))
    cosines = directions @ directions.swapaxes(1, 2)
    has_one = cosines.min(axis=2) < ANTIPODAL_COSINE
    return np.where(has_one, cosines.argmin(axis=2), -1)
