"""The asymmetric motif of superposition in computation (Elhage et al. 2022, section on computing |x|).

A neuron that represents two features a and b may take in much of a and give out little for it, and the other
way round for b. Then a disturbs the output of b, by J = |W_ka| V_kb a unit, far more than b that of a; and
other neurons that answer to a on the same side take the disturbance off again, by output weights below 0.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.covered_models import require_settings
from superposition_atlas.metrics.neurons import REPRESENTS, contributions
from superposition_atlas.toy_model import ToyModels

STRONG = 2.0
"""Input weights differ strongly in size from this ratio on, and so do output weights."""
INHIBITED = 0.5
"""A disturbance is inhibited if others take at least this share of it off."""
_N_PERMUTATIONS = 100


def motif_table(models: ToyModels) -> pd.DataFrame:
    """One row for each neuron and pair of features that it represents, a being that of the larger |W_ki|.

    neuron, a, b: their numbers, from 0. side_a, side_b: 1 or -1, the sign of W_ki. input_ratio: |W_ka| /
    |W_kb|, at least 1. output_ratio: V_kb / V_ka, above 1 where output weights compensate. asymmetric:
    both are at least 2. asymmetric_by_chance: half of whether they would be with V_ka and V_kb as they
    are, and half with both exchanged. disturbance: J. inhibition: Σ over other neurons of what they take
    off output b for a unit of a, over J. inhibited: it is at least 1/2. inhibited_by_chance: how often it
    would be with the other neurons' output weights to b handed out among them at random, share of 100
    permutations, drawn by the seed.

    Args:
        models: toy models with `hidden: relu`, `output_weights: untied`.

    Raises:
        ArgumentError: if they are others.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "the motif", {"hidden": ("relu",), "output_weights": ("untied",)})
    assert models.W_out is not None
    found = [
        _of_model(int(seed), W.astype(np.float64), W_out.astype(np.float64), models.settings.magnitudes)
        for seed, W, W_out in zip(models.seeds, models.W, models.W_out, strict=True)
    ]
    return pd.concat(found, ignore_index=True)


def _of_model(
    seed: int, W: Float[np.ndarray, "hidden feature"], V: Float[np.ndarray, "hidden feature"], magnitudes: str
) -> pd.DataFrame:
    added = contributions(W[None], V[None], magnitudes == "signed_uniform").either[0]
    neuron, a, b = _pairs(added, np.abs(W))
    size = np.abs(W)
    input_ratio = size[neuron, a] / size[neuron, b]
    output_ratio = V[neuron, b] / V[neuron, a]
    disturbance = size[neuron, a] * V[neuron, b]
    is_strong = input_ratio >= STRONG
    exchanged = is_strong & (1.0 / output_ratio >= STRONG)
    asymmetric = is_strong & (output_ratio >= STRONG)
    inhibition, by_chance = _inhibition(seed, W, V, (neuron, a, b), disturbance)
    return pd.DataFrame(
        {
            "seed": np.full(len(neuron), seed, dtype=np.uint64),
            "neuron": neuron,
            "a": a,
            "b": b,
            "side_a": np.sign(W[neuron, a]).astype(int),
            "side_b": np.sign(W[neuron, b]).astype(int),
            "input_ratio": input_ratio,
            "output_ratio": output_ratio,
            "asymmetric": asymmetric,
            "asymmetric_by_chance": (asymmetric.astype(float) + exchanged) / 2.0,
            "disturbance": disturbance,
            "inhibition": inhibition,
            "inhibited": inhibition >= INHIBITED,
            "inhibited_by_chance": by_chance,
        }
    )


def _pairs(
    added: Float[np.ndarray, "hidden feature"], size: Float[np.ndarray, "hidden feature"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neuron, a and b of all pairs."""
    rows = []
    for neuron, own in enumerate(added >= REPRESENTS):
        there = np.flatnonzero(own)
        there = there[np.argsort(-size[neuron, there], kind="stable")]
        first, second = np.triu_indices(len(there), 1)
        rows.append(np.stack([np.full(len(first), neuron), there[first], there[second]]))
    neuron, a, b = np.concatenate(rows, axis=1)
    return neuron, a, b


def _inhibition(
    seed: int,
    W: Float[np.ndarray, "hidden feature"],
    V: Float[np.ndarray, "hidden feature"],
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    disturbance: Float[np.ndarray, " pair"],
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    """What others take off, over J, and how often at least half would be by chance."""
    random = np.random.default_rng([seed, W.shape[0], W.shape[1]])
    taken, by_chance = np.zeros((2, len(disturbance)))
    for row, (neuron, a, b) in enumerate(zip(*pairs, strict=True)):
        others = np.arange(len(W)) != neuron
        answers = np.maximum(np.sign(W[neuron, a]) * W[others, a], 0.0)
        takes_off = np.maximum(-V[others, b], 0.0)
        taken[row] = answers @ takes_off / disturbance[row]
        shuffled = random.permuted(np.tile(takes_off, (_N_PERMUTATIONS, 1)), axis=1)
        by_chance[row] = (shuffled @ answers >= INHIBITED * disturbance[row]).mean()
    return taken, by_chance
