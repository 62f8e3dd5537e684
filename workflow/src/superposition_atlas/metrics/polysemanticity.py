"""How many features a single unit answers to, and what reading a feature off one unit gets wrong.

A unit is a neuron of a toy model (a coordinate of h) or a latent of an SAE. Its response to a feature is what
that feature alone changes, on average over its magnitudes: E u(a e_i) - u(0), which for a neuron is W_ki E a.
A unit answers to those represented features whose |response| is above a share of its largest one: a tenth,
with two other shares beside it, since any such line is a matter of choice. The selectivity needs none.

A hidden space has no preferred basis: W and R W are the same toy model for every rotation R. To which
features a neuron answers is chance, then, though with more features than dimensions it can't be one each;
what the latents of an SAE answer to does not depend on R.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from superposition_atlas import arguments
from superposition_atlas.covered_models import POSITIVE, require_settings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.compiled_readings import best_thresholds, count_readings
from superposition_atlas.metrics.features import represented
from superposition_atlas.metrics.recovery import N_SAMPLES, Evaluation
from superposition_atlas.sae.forward import encode
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES
from superposition_atlas.toy_model import ToyModels

ANSWERING_SHARES = {"n_answered": 0.1, "n_answered_02": 0.2, "n_answered_05": 0.5}
"""A unit answers to a feature if its |response| is above this share of its largest to a represented one."""
NO_RESPONSE = 1e-6
"""A unit whose largest |response| is not above this answers to nothing."""
_N_MAGNITUDES = 64
"""Quantiles over which a response is averaged."""

Read = Callable[[Float[np.ndarray, "one sample hidden"], slice], Float[np.ndarray, "one sample unit"]]
PerUnit = Float[np.ndarray, "unit feature"]


def neuron_table(models: ToyModels, n_samples: int = N_SAMPLES) -> pd.DataFrame:
    """One row a neuron of a toy model, columns as `latent_units`. There is no SAE, so no λ, and k is 0.

    Args:
        models: the toy models.
        n_samples: samples a toy model, 2 to 2^24.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "mean responses", POSITIVE)
    n_samples = arguments.size("n_samples", n_samples, least=2)
    table = _table([_units(models, k, lambda h, _: h, n_samples) for k in range(len(models))])
    table.insert(1, "kind", "neuron")
    table.insert(2, "architecture", None)
    table.insert(3, "resampling", None)
    table.insert(4, "sparsity_coefficient", np.nan)
    table.insert(5, "k", 0)
    return table


def latent_units(evaluation: Evaluation) -> pd.DataFrame:
    """One row a latent of an SAE.

    seed: of toy model and SAE. kind: neuron or latent. unit: its index. n_features: n. n_hidden: m.
    n_represented: features with ‖W_i‖ > 0.5. n_answered(_02, _05): number of represented features that the
    unit answers to, above a tenth (a fifth, half) of its largest response. selectivity: the largest
    |response| over the sum of all |responses| to represented features, 1 where there is one only, NaN where
    there is none. f1, precision, recall: of "the unit is above (or below) a threshold" for "the feature is
    active", the best that there is for any represented feature and threshold, on fresh samples; the threshold
    is chosen on one half of the samples and measured on the other. best_feature: that feature, -1 if none is
    represented. always_f1: its F1 where every sample is said to have it, 2p / (1 + p). response: to each
    feature, a list of n_features numbers. feature_f1: likewise, the best F1 for each, NaN for features that
    are never active.
    """
    arguments.instance("evaluation", evaluation, Evaluation, "an Evaluation, as metrics.evaluate returns it")
    arguments.size("n_samples of evaluation", evaluation.n_samples, least=2)
    saes = evaluation.saes

    def read(h: np.ndarray, instance: slice) -> np.ndarray:
        return encode(saes, h, instances=instance)

    table = _table([_units(evaluation.models, k, read, evaluation.n_samples) for k in range(len(saes))])
    table.insert(1, "kind", "latent")
    levels = evaluation.levels(len(saes), saes.n_latents)
    for place, (name, values) in enumerate(levels.items(), start=2):
        table.insert(place, name, values.reshape(-1))
    return table


def _table(parts: Sequence[Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Columns of units one below the other; what has several numbers a unit becomes lists."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame({name: list(array) if array.ndim > 1 else array for name, array in columns.items()})


def _units(models: ToyModels, instance: int, read: Read, n_samples: int) -> dict[str, np.ndarray]:
    """Columns of the units of one instance."""
    one = slice(instance, instance + 1)
    model = models.select(one)
    response = responses(model, lambda h: read(h, one))
    is_represented = represented(model.W)[0]
    x = model.sample(0, n_samples, stream.Purpose.EVALUATION)
    f1, precision, recall = readings(read(model.encode(x), one)[0], x[0] > 0)

    n_units, n_features = response.shape
    unit = np.arange(n_units)
    of_represented = np.where(is_represented & np.isfinite(f1), f1, -1.0)
    best = of_represented.argmax(axis=1)
    known = of_represented[unit, best] >= 0
    probability = model.probability[0].astype(np.float64)
    chosen = {
        "f1": f1[unit, best],
        "precision": precision[unit, best],
        "recall": recall[unit, best],
        "always_f1": (2 * probability / (1 + probability))[best],
    }
    return {
        "seed": np.full(n_units, model.seeds[0], dtype=np.uint64),
        "unit": unit,
        "n_features": np.full(n_units, n_features),
        "n_hidden": np.full(n_units, model.n_hidden),
        "n_represented": np.full(n_units, is_represented.sum()),
        **{name: answered(response, is_represented, share) for name, share in ANSWERING_SHARES.items()},
        "selectivity": selectivity(response, is_represented),
        "best_feature": np.where(known, best, -1),
        **{name: np.where(known, values, np.nan) for name, values in chosen.items()},
        "response": response,
        "feature_f1": f1,
    }


def responses(model: ToyModels, read: Callable[[np.ndarray], np.ndarray]) -> PerUnit:
    """What each feature alone changes in each unit, on average over its magnitudes (float64).

    Args:
        model: one toy model.
        read: activities of the units [1, sample, unit] on hidden activations [1, sample, hidden].
    """
    quantile = MAGNITUDES[model.settings.magnitudes].quantile
    levels = (np.arange(_N_MAGNITUDES, dtype=np.float32) + np.float32(0.5)) / np.float32(_N_MAGNITUDES)
    magnitudes = np.asarray(quantile(levels, np), dtype=np.float32)
    n_features = model.n_features
    alone = np.eye(n_features, dtype=np.float32)[:, None, :] * magnitudes[:, None]
    x = np.concatenate([np.zeros((1, n_features), dtype=np.float32), alone.reshape(-1, n_features)])
    activity = read(model.encode(x[None]))[0].astype(np.float64)
    changed = (activity[1:] - activity[0]).reshape(n_features, _N_MAGNITUDES, -1)
    return np.asarray(changed.mean(axis=1).T)


def answered(
    response: PerUnit, is_represented: Bool[np.ndarray, " feature"], share: float
) -> Float[np.ndarray, " unit"]:
    """Number of represented features to which each unit answers."""
    response = arguments.numbers(
        "response", response, "[unit, feature]", ndim=(2,), may_be_empty=True, dtype=None
    )
    is_represented = arguments.mask(
        "is_represented", is_represented, response.shape[1], "a feature of response"
    )
    share = arguments.number("share", share, least=0, most=1)
    size = np.abs(response[:, is_represented])
    largest = size.max(axis=1, initial=0.0)
    return np.asarray(((size > share * largest[:, None]) & (largest > NO_RESPONSE)[:, None]).sum(axis=1))


def selectivity(
    response: PerUnit, is_represented: Bool[np.ndarray, " feature"]
) -> Float[np.ndarray, " unit"]:
    """Largest |response| over their sum: 1 for one feature, 1/n for n equal ones; NaN for no response."""
    allowed = "[unit, feature]"
    response = arguments.numbers("response", response, allowed, ndim=(2,), may_be_empty=True, dtype=None)
    is_represented = arguments.mask(
        "is_represented", is_represented, response.shape[1], "a feature of response"
    )
    size = np.abs(response[:, is_represented])
    largest, total = size.max(axis=1, initial=0.0), size.sum(axis=1)
    share = np.full(len(size), np.nan)
    np.divide(largest, total, out=share, where=largest > NO_RESPONSE)
    return share


def _mask(is_represented: Bool[np.ndarray, " feature"], response: PerUnit) -> Bool[np.ndarray, " feature"]:
    return arguments.mask("is_represented", is_represented, response.shape[1], "a feature of response")


def readings(
    activity: Float[np.ndarray, "sample unit"], active: Bool[np.ndarray, "sample feature"]
) -> tuple[PerUnit, PerUnit, PerUnit]:
    """F1, precision and recall of "unit above (or below) a threshold" for "feature active".

    Threshold and side have the best F1 of one half of the samples; all three are measured on the other half.
    NaN where undefined.
    """
    half = len(activity) // 2
    if not half or len(active) != len(activity):
        raise ArgumentError(
            f"activity has {len(activity)} samples, active {len(active)}: must be as many, at least 2"
        )
    n_units, n_features = activity.shape[1], active.shape[1]
    n_fires, both = np.empty((2, n_units, n_features), dtype=np.int64)
    active = np.ascontiguousarray(active.T)
    for unit, above in enumerate(np.ascontiguousarray(activity.T)):
        f1, threshold = np.empty((2, 2, n_features))
        order = np.argsort(-above[:half])
        best_thresholds(above[:half], order, active[:, :half], f1[0], threshold[0])
        best_thresholds(-above[:half], order[::-1].copy(), active[:, :half], f1[1], threshold[1])
        is_above = f1[0] >= f1[1]
        sign, level = np.where(is_above, 1.0, -1.0), np.where(is_above, *threshold)
        count_readings(above[half:], sign, level, active[:, half:], n_fires[unit], both[unit])
    n_active = np.broadcast_to(active[:, half:].sum(axis=1), both.shape)
    result = np.full((3, n_units, n_features), np.nan)
    parts = ((2 * both, n_fires + n_active), (both, n_fires), (both, n_active))
    for k, (part, whole) in enumerate(parts):
        np.divide(part, whole, out=result[k], where=(whole > 0) & (n_active > 0))
    return result[0], result[1], result[2]
