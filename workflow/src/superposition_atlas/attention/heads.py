"""One layer of attention without positions, biases or an MLP, and an ensemble of trained ones.

score(q, k) = (W_Q q) · (W_K k) / √d, attention = softmax over the tokens before the query, and what is
written is Σ_heads W_O W_V Σ_k attention(q, k) k. Every sequence begins with an empty token, h = 0: its score
is 0 and it writes nothing, so that a head can rest.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.sampling import stream

Scores = Float[np.ndarray, "instance head sequence key"]


@dataclass(frozen=True)
class AttentionModels:
    """An ensemble of layers, one a toy model. float32; what is computed from them is float64."""

    W_Q: Float[np.ndarray, "instance head inner hidden"]
    W_K: Float[np.ndarray, "instance head inner hidden"]
    W_V: Float[np.ndarray, "instance head inner hidden"]
    W_O: Float[np.ndarray, "instance head output inner"]
    loss: Float[np.ndarray, " instance"]
    """Mean training loss of the last 100 steps (float64): squared error, mean over sequences and outputs."""
    seeds: Integer[np.ndarray, " instance"]
    settings: AttentionSettings

    def __len__(self) -> int:
        return len(self.W_Q)

    @property
    def score_forms(self) -> Float[np.ndarray, "instance head hidden hidden"]:
        """W_Qᵀ W_K / √d: a score is a bilinear form of query and key."""
        W_Q, W_K = self.W_Q.astype(np.float64), self.W_K.astype(np.float64)
        return np.asarray(W_Q.swapaxes(-1, -2) @ W_K / sqrt(self.W_Q.shape[2]))

    @property
    def writing_maps(self) -> Float[np.ndarray, "instance head output hidden"]:
        """W_O W_V: what a head writes of a token that it attends to."""
        return np.asarray(self.W_O.astype(np.float64) @ self.W_V.astype(np.float64))

    def scores(self, h: Float[np.ndarray, "instance sequence token hidden"]) -> Scores:
        """Every head's score of every token before the query, by way of W_Q q and W_K k."""
        queries = np.einsum("ihdm,ism->ihsd", self.W_Q, h[:, :, -1], dtype=np.float64)
        keys = np.einsum("ihdm,isjm->ihsjd", self.W_K, h[:, :, :-1], dtype=np.float64, optimize=True)
        return np.asarray(np.einsum("ihsd,ihsjd->ihsj", queries, keys) / sqrt(self.W_Q.shape[2]))

    def written(
        self, attention: Scores, h: Float[np.ndarray, "instance sequence token hidden"]
    ) -> Float[np.ndarray, "instance sequence output"]:
        """The layer's outputs."""
        read = np.einsum("ihsj,isjm->ihsm", attention, h[:, :, :-1], optimize=True)
        return np.asarray(np.einsum("ihom,ihsm->iso", self.writing_maps, read, optimize=True))


TENSORS = ("W_Q", "W_K", "W_V", "W_O", "loss", "seeds")
"""The arrays of `AttentionModels`, all with the instance as first axis."""


def attend(scores: Scores) -> Scores:
    """Softmax over the tokens before the query; what is missing to 1 goes to the empty token."""
    largest = np.maximum(scores.max(axis=-1, keepdims=True), 0.0)
    weights = np.exp(scores - largest)
    return np.asarray(weights / (weights.sum(axis=-1, keepdims=True) + np.exp(-largest)))


SILENT_SCALE = 0.3
"""Scale of the first W_V and W_O: the layer starts by writing little, and scores form before outputs do."""


def initial_attention_weights(
    seeds: Integer[np.ndarray, " instance"], n_heads: int, n_hidden: int, n_outputs: int
) -> dict[str, Float[np.ndarray, "instance head row column"]]:
    """Normal weights of each seed, float32; queries and keys have about the scale of the tokens.

    The first heads of many are those of few, but for the scale of W_O.
    """
    n_inner = n_hidden
    shape = (len(seeds), n_heads, n_inner, n_hidden)

    def normal(place: int, n_columns: int) -> np.ndarray:
        purpose = stream.Purpose.ATTENTION_WEIGHTS
        return stream.standard_normal(seeds, place, n_heads * n_inner, n_columns, purpose)

    scales = {"W_Q": 1.0, "W_K": 1.0, "W_V": SILENT_SCALE}
    weights = {
        name: scale / sqrt(n_hidden) * normal(place, n_hidden).reshape(shape)
        for place, (name, scale) in enumerate(scales.items())
    }
    out = normal(3, n_outputs).reshape(len(seeds), n_heads, n_inner, n_outputs)
    weights["W_O"] = SILENT_SCALE / sqrt(n_heads * n_inner) * out.swapaxes(2, 3)
    return {name: array.astype(np.float32) for name, array in weights.items()}
