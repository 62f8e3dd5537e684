"""Adversarial examples of toy models: the attack on each feature, and how much worse it makes the loss."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN, require_settings
from superposition_atlas.metrics.polytopes import dimensions_per_feature
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.toy_model import ToyModels

ATTACK_SHARE = 0.1
"""L2 norm of an attack, as a share of the mean norm of the inputs (Elhage et al. 2022)."""
ATTACKED_SAMPLES = 512
"""Inputs that each toy model is attacked on."""


def attack_table(models: ToyModels, n_samples: int = ATTACKED_SAMPLES) -> pd.DataFrame:
    """One row a toy model: its loss without and with an attack, and its vulnerability.

    The attack on feature i is ε (WᵀW)_i / ‖(WᵀW)_i‖, with ε = ATTACK_SHARE · E‖x‖; the target stays the input
    without it. Losses are Σ_i I_i (x_i − x'_i)², means over inputs.

    instance: number of the toy model, from 0. seed: of its training. run: which of the toy models of this
    mean density, from 0. mean_probability: mean p_i. features_per_dimension: ‖W‖²_F / m. attack_norm: ε.
    loss: without an attack. loss_attacked: each input under the attack that harms it most. loss_one_attack:
    all inputs under the one attack that harms most on average. vulnerability: what the loss grows by under
    the worst attack on each input, over what it grows by without superposition, ε² max_i I_i.
    vulnerability_one_attack: the same under the one attack.

    Args:
        models: the toy models.
        n_samples: fresh inputs for each, 1 to 2^24.

    Raises:
        ArgumentError: if n_samples is not allowed, or outputs are not those of Wᵀ W.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "attacks along rows of WᵀW", PLAIN)
    n_samples = arguments.size("n_samples", n_samples)
    density = models.probability.mean(axis=1).astype(np.float64)
    found = pd.DataFrame([_attacked(models.select([k]), n_samples) for k in range(len(models))])
    table = pd.DataFrame(
        {
            "instance": np.arange(len(models)),
            "seed": models.seeds,
            "run": pd.Series(density).groupby(density).cumcount().to_numpy(),
            "mean_probability": density,
            "features_per_dimension": 1.0 / dimensions_per_feature(models.W.astype(np.float64)),
        }
    )
    return pd.concat([table, found], axis=1)


def without_superposition(attack_norm: float, importance: Float[np.ndarray, " feature"]) -> float:
    """What an attack costs a toy model of orthogonal unit features without others: ε² max_i I_i.

    Its WᵀW is the identity on the features that it represents, so the attack moves one output by ε and no
    other, whatever the input is.
    """
    return float(attack_norm**2 * importance.max())


def attacks(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "attack feature"]:
    """Attacks of norm 1, one a feature whose weights are not 0: its row of WᵀW.

    Of all steps of norm 1 it raises the output before the ReLU most.
    """
    rows = W.T @ W
    length = np.linalg.norm(rows, axis=1)
    return np.asarray(rows[length > 0] / length[length > 0, None])


def _attacked(model: ToyModels, n_samples: int) -> dict[str, float]:
    """Losses of one toy model."""
    x = model.sample(0, n_samples, Purpose.EVALUATION)
    norm = ATTACK_SHARE * float(np.linalg.norm(x[0], axis=1).mean())
    W, importance = model.W[0], model.importance[0].astype(np.float32)
    pushed = (norm * attacks(W) @ W.T @ W).astype(np.float32)
    before = model.encode(x)[0] @ W + model.b[0]
    is_relu = model.settings.output == "relu"

    def losses(z: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, " sample"]:
        error = (np.maximum(z, 0.0) if is_relu else z) - x[0]
        return np.asarray((error**2) @ importance, dtype=np.float64)

    plain = losses(before).mean()
    worst, mean = np.full(n_samples, -np.inf), []
    for push in pushed:
        own = losses(before + push)
        mean.append(own.mean())
        np.maximum(worst, own, out=worst)
    harm = without_superposition(norm, importance)
    each, one = (worst.mean(), max(mean)) if mean else (plain, plain)
    return {
        "attack_norm": norm,
        "loss": float(plain),
        "loss_attacked": float(each),
        "loss_one_attack": float(one),
        "vulnerability": float((each - plain) / harm),
        "vulnerability_one_attack": float((one - plain) / harm),
    }
