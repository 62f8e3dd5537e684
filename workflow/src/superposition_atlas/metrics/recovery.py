"""Recovery of known features by SAEs: directions, activity, reconstruction.

The truth is f_i = W_i / ‖W_i‖ of the *represented* features (‖W_i‖ > 0.5); d_j is the decoder direction of
latent j. All cosines are signed: with |cos| one latent would match both arms of an antipodal pair. The best
latent of a feature is the one with the largest cos(f_i, d_j) over all j, dead latents included, as is usual.
A dead latent's direction is a matter of chance, though, and chance matches are common in few dimensions (a
random direction of the plane has a cosine above 0.9 with an arm of a regular pentagon seven times in ten), so
the `_alive` columns and the angles leave dead latents out. An angle, in degrees, is that between f_i and its
best latent; it needs no threshold. What fires when is counted on fresh samples, seen in no training.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer
from scipy.optimize import linear_sum_assignment

from superposition_atlas import arguments
from superposition_atlas.backends.memory import check_memory
from superposition_atlas.covered_models import ENCODES, require_settings
from superposition_atlas.metrics.features import dimensionality, norms, represented
from superposition_atlas.metrics.pairing import check_pairs
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.forward import encode, reconstruct
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import ToyModels

N_SAMPLES = 2**14
"""Fresh samples an instance."""
RECOVERED_COSINE = 0.9
"""A feature is recovered if its best latent's cosine is larger than this (strict; 0.8 is reported beside)."""
LENIENT_COSINE = 0.8
_BYTES_A_VALUE = 20
"""Memory that evaluating takes at least, of one sample and feature or latent: float32, and twice float64."""
EXISTING_NORM = 1e-6
"""A column of W with a smaller norm has no direction."""

PerSAE = Float[np.ndarray, " instance"]
PerFeature = Float[np.ndarray, "instance feature"]
PerLatent = Float[np.ndarray, "instance latent"]
PerPair = Float[np.ndarray, "instance feature latent"]


@dataclass(frozen=True)
class Evaluation:
    """Input of the tables: geometry, and counts over the same fresh samples. All float64."""

    models: ToyModels
    saes: SAEs
    n_samples: int
    represented: Bool[np.ndarray, "instance feature"]
    cosine: PerPair
    """cos(f_i, d_j), signed; NaN where feature or latent has no direction."""
    feature_active: PerFeature
    """Number of samples in which the feature is active (x_i > 0)."""
    latent_fires: PerLatent
    """Number of samples in which the latent fires (a_j > 0)."""
    both: PerPair
    """Number of samples in which both are."""
    fvu: PerSAE
    """Fraction of variance unexplained, E‖h - h'‖² / E‖h - E h‖²; NaN if h does not vary."""
    shrinkage: PerSAE
    """E(‖h'‖ / ‖h‖) over samples with ‖h‖ > 0; NaN if there is none. With b_dec ≠ 0 small ‖h‖ rule it."""
    norm_ratio: PerSAE
    """E‖h'‖ / E‖h‖, which small ‖h‖ do not rule; NaN if h is always 0."""

    @property
    def collapsed(self) -> Bool[np.ndarray, " instance"]:
        """SAEs whose latents are all dead, or whose weights are not finite: they stand for nothing."""
        finite = [np.isfinite(array).reshape(len(array), -1).all(axis=1) for array in self._arrays()]
        return np.asarray(self.dead.all(axis=1) | ~np.logical_and.reduce(finite))

    def _arrays(self) -> list[np.ndarray]:
        return list(self.saes.parameters.values())

    def levels(self, *shape: int) -> dict[str, np.ndarray]:
        """Columns of settings. architecture, resampling: names. sparsity_coefficient: λ. k: k."""
        saes = self.saes
        columns = {
            "architecture": np.full(len(saes), saes.settings.architecture, dtype=object),
            "resampling": np.full(len(saes), saes.settings.resampling, dtype=object),
            "sparsity_coefficient": saes.sparsity_coefficient,
            "k": saes.k,
        }
        own = (len(saes), *[1] * (len(shape) - 1))
        return {name: np.broadcast_to(column.reshape(own), shape) for name, column in columns.items()}

    @property
    def dead(self) -> Bool[np.ndarray, "instance latent"]:
        """Latents that never fire on these samples."""
        return np.asarray(self.latent_fires == 0)


def evaluate(models: ToyModels, saes: SAEs, n_samples: int = N_SAMPLES) -> Evaluation:
    """Compares each SAE with its toy model on `n_samples` fresh samples of the model's own distribution.

    Args:
        models: the toy models that the SAEs were trained on, in that order.
        saes: the SAEs.
        n_samples: samples an SAE, 1 to 2^24.

    Raises:
        ArgumentError: if the SAEs do not go with the toy models, see `pairing.check_pairs`, or if h is not a
            sum of active features' directions (`hidden: relu`, `magnitudes: signed_uniform`).
    """
    arguments.instance("models", models, ToyModels, "ToyModels, those of the SAEs")
    require_settings(models, "SAEs", ENCODES)
    arguments.instance("saes", saes, SAEs, "SAEs, as sa.train_saes returns them")
    n_samples = arguments.size("n_samples", n_samples)
    check_memory(_BYTES_A_VALUE * n_samples * (models.n_features + saes.n_latents), n_samples=n_samples)
    check_pairs(models, saes)
    models = models.select(saes.toy_model)
    measured = [_measure(models, saes, instance, n_samples) for instance in range(len(models))]
    feature_active, latent_fires, both, fvu, shrinkage, norm_ratio = (
        np.array([counts[k] for counts in measured]) for k in range(6)
    )
    return Evaluation(
        models=models,
        saes=saes,
        n_samples=n_samples,
        represented=represented(models.W),
        cosine=_cosine(models.W.swapaxes(1, 2), saes.W_dec),
        feature_active=feature_active,
        latent_fires=latent_fires,
        both=both,
        fvu=fvu,
        shrinkage=shrinkage,
        norm_ratio=norm_ratio,
    )


def _measure(
    models: ToyModels, saes: SAEs, instance: int, n_samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float, float]:
    """Counts and ratios of one instance; one by one, so that many fit into memory."""
    one = slice(instance, instance + 1)
    own = replace(models.select(one), seeds=saes.seeds[one])
    x = own.sample(0, n_samples, stream.Purpose.EVALUATION)
    h = own.encode(x)
    activations = encode(saes, h, instances=one)
    reconstruction = reconstruct(saes, activations, instances=one)
    active, fires = (x[0] > 0).astype(np.float64), (activations[0] > 0).astype(np.float64)
    each = np.ones(n_samples)

    mean = h[0].mean(axis=0, dtype=np.float64)[:, None]
    # A row a dimension: numpy is many times slower where it sums a few numbers for each of many samples.
    h, reconstruction = (np.array(vectors[0].T, np.float64, order="C") for vectors in (h, reconstruction))
    variance = np.square(h - mean).sum(axis=0).mean()
    error = np.square(h - reconstruction).sum(axis=0).mean()
    length, reconstructed_length = np.linalg.norm(h, axis=0), np.linalg.norm(reconstruction, axis=0)
    there = length > 0
    return (
        each @ active,
        each @ fires,
        active.T @ fires,
        float(error / variance) if variance > 0 else np.nan,
        float((reconstructed_length[there] / length[there]).mean()) if there.any() else np.nan,
        float(reconstructed_length.mean() / length.mean()) if there.any() else np.nan,
    )


def _cosine(
    features: Float[np.ndarray, "instance feature hidden"],
    latents: Float[np.ndarray, "instance latent hidden"],
) -> PerPair:
    return np.asarray(_unit(features) @ _unit(latents).swapaxes(1, 2))


def _unit(
    vectors: Float[np.ndarray, "instance vector hidden"],
) -> Float[np.ndarray, "instance vector hidden"]:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    unit = np.full_like(vectors, np.nan)
    np.divide(vectors, length, out=unit, where=length > EXISTING_NORM)
    return unit


# --- tables ------------------------------------------------------------------------------------------------


def sae_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row an SAE.

    seed: of toy model and SAE. chooses: whether it is of the toy models on which λ or k is chosen
    (`choosing`). n_latents: latents. n_represented: features with ‖W_i‖ > 0.5. l0: mean number of latents
    that fire. fvu: E‖h - h'‖² / E‖h - E h‖². mmcs(_alive): mean over represented features of the best
    cosine (of latents that fire). mmcs_all: over all features that have a direction. mcc: mean cosine of the
    one-to-one matching of represented features and latents that maximises it (Hungarian), over its
    min(#represented, n_latents) pairs. recall_represented(_alive, _08, _08_alive): share of represented
    features that are recovered at 0.9 (at 0.8; by latents that fire). recall_all: share of all features, of
    which those that are not represented never count. angle_median, angle_90: median and 90 % quantile of the
    angle, over represented features, in degrees. uniqueness: number of different features that are some
    latent's best match / n_latents. uniqueness_represented: of living latents, / n_represented.
    dead_fraction: share of latents that never fire. collapsed: none fires, or weights are not finite.
    shrinkage: E(‖h'‖ / ‖h‖). norm_ratio: E‖h'‖ / E‖h‖. n_resampled: in training. NaN: a mean over nothing.
    """
    arguments.instance("evaluation", evaluation, Evaluation, "an Evaluation, as metrics.evaluate returns it")
    saes = evaluation.saes
    there = evaluation.represented
    best = _best(evaluation.cosine, axis=2)[1]
    best_alive = _best(_alive(evaluation), axis=2)[1]
    recovered, recovered_alive = (there & (cosine > RECOVERED_COSINE) for cosine in (best, best_alive))
    return pd.DataFrame(
        {
            "instance": np.arange(len(saes)),
            "seed": saes.seeds,
            "chooses": choosing(saes.seeds),
            **evaluation.levels(len(saes)),
            "n_latents": saes.n_latents,
            "n_represented": there.sum(axis=1),
            "l0": evaluation.latent_fires.sum(axis=1) / evaluation.n_samples,
            "fvu": evaluation.fvu,
            "mmcs": _mean(best, there),
            "mmcs_alive": _mean(best_alive, there & np.isfinite(best_alive)),
            "mmcs_all": _mean(best, np.isfinite(best)),
            "mcc": _matched_cosines(evaluation),
            "recall_represented": _mean(recovered, there),
            "recall_represented_alive": _mean(recovered_alive, there),
            "recall_represented_08": _mean(best > LENIENT_COSINE, there),
            "recall_represented_08_alive": _mean(best_alive > LENIENT_COSINE, there),
            "recall_all": recovered.mean(axis=1),
            "angle_median": _quantile(_angle(best_alive), there, 0.5),
            "angle_90": _quantile(_angle(best_alive), there, 0.9),
            "uniqueness": _n_matched(evaluation.cosine, there) / saes.n_latents,
            "uniqueness_represented": _share(_n_matched(_alive(evaluation), there), there.sum(axis=1)),
            "dead_fraction": evaluation.dead.mean(axis=1),
            "collapsed": evaluation.collapsed,
            "shrinkage": evaluation.shrinkage,
            "norm_ratio": evaluation.norm_ratio,
            "n_resampled": saes.n_resampled,
        }
    )


def latent_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a latent of an SAE.

    seed: of both. latent: index j. dead: it never fires. firing_frequency: share of samples. best_feature:
    the represented feature with the largest cos(f_i, d_j), -1 if none is represented. best_cosine: that
    cosine. precision, recall, f1: of "it fires" for "its best feature is active". decoder, encoder: W_dec[j]
    and W_enc[:, j], lists of n_hidden numbers.
    """
    arguments.instance("evaluation", evaluation, Evaluation, "an Evaluation, as metrics.evaluate returns it")
    saes = evaluation.saes
    n_instances, n_hidden, n_latents = saes.W_enc.shape
    feature, cosine = _best(_of_represented(evaluation), axis=1)
    instance, latent = np.meshgrid(np.arange(n_instances), np.arange(n_latents), indexing="ij")
    columns = {
        "instance": instance,
        "seed": np.asarray(saes.seeds)[instance],
        **evaluation.levels(n_instances, n_latents),
        "latent": latent,
        "dead": evaluation.dead,
        "firing_frequency": evaluation.latent_fires / evaluation.n_samples,
        "best_feature": feature,
        "best_cosine": cosine,
        **_agreement(evaluation, instance, feature, latent),
    }
    return pd.DataFrame(
        {
            **{name: array.reshape(-1) for name, array in columns.items()},
            "decoder": list(saes.W_dec.reshape(-1, n_hidden)),
            "encoder": list(saes.W_enc.swapaxes(1, 2).reshape(-1, n_hidden)),
        }
    )


def recovered_features(evaluation: Evaluation) -> pd.DataFrame:
    """One row a feature of a toy model.

    seed: of both. chooses: as of its SAE. feature: index i. importance: I_i. probability: p_i. norm: ‖W_i‖.
    dimensionality: D_i. represented: ‖W_i‖ > 0.5. best_latent: the latent with the largest cos(f_i, d_j), -1
    if W_i is 0. best_cosine: that cosine. recovered: represented, and that cosine is above 0.9.
    recovered_alive: a latent that fires at all has such a cosine. angle: to the best of the latents that
    fire, in degrees. precision, recall, f1: of "its best latent fires" for "it is active".
    """
    arguments.instance("evaluation", evaluation, Evaluation, "an Evaluation, as metrics.evaluate returns it")
    n_instances, n_features = shape = evaluation.represented.shape
    W = evaluation.models.W.astype(np.float64)
    latent, cosine = _best(evaluation.cosine, axis=2)
    alive_cosine = _best(_alive(evaluation), axis=2)[1]
    instance, feature = np.meshgrid(np.arange(n_instances), np.arange(n_features), indexing="ij")
    columns = {
        "instance": instance,
        "seed": np.asarray(evaluation.saes.seeds)[instance],
        "chooses": choosing(evaluation.saes.seeds)[instance],
        **evaluation.levels(*shape),
        "feature": feature,
        "importance": np.broadcast_to(evaluation.models.importance, shape),
        "probability": np.broadcast_to(evaluation.models.probability, shape),
        "norm": norms(W),
        "dimensionality": dimensionality(W),
        "represented": evaluation.represented,
        "best_latent": latent,
        "best_cosine": cosine,
        "recovered": evaluation.represented & (cosine > RECOVERED_COSINE),
        "recovered_alive": evaluation.represented & (alive_cosine > RECOVERED_COSINE),
        "angle": _angle(alive_cosine),
        **_agreement(evaluation, instance, feature, latent),
    }
    return pd.DataFrame({name: array.reshape(-1) for name, array in columns.items()})


def choosing(seeds: Integer[np.ndarray, " instance"]) -> Bool[np.ndarray, " instance"]:
    """Whether an SAE is of the half of the toy models on which λ or k is chosen: every other seed, ascending.

    On the other half the chosen level is reported, so that no choice is made on what it is judged by.
    """
    return np.isin(seeds, np.unique(seeds)[::2])


# --- steps -------------------------------------------------------------------------------------------------


def _alive(evaluation: Evaluation) -> PerPair:
    """Cosines, NaN for dead latents."""
    return np.where(evaluation.dead[:, None, :], np.nan, evaluation.cosine)


def _of_represented(evaluation: Evaluation) -> PerPair:
    """Cosines, NaN for features that are not represented."""
    return np.where(evaluation.represented[:, :, None], evaluation.cosine, np.nan)


def _best(
    cosine: PerPair, axis: int
) -> tuple[Integer[np.ndarray, "instance vector"], Float[np.ndarray, "instance vector"]]:
    """Index and value of the largest cosine along an axis; -1 and NaN where there is none."""
    defined = np.isfinite(cosine)
    filled = np.where(defined, cosine, -np.inf)
    none = ~defined.any(axis=axis)
    return np.where(none, -1, filled.argmax(axis=axis)), np.where(none, np.nan, filled.max(axis=axis))


def _mean(values: np.ndarray, where: Bool[np.ndarray, "instance feature"]) -> PerSAE:
    """Mean over the features that count; NaN where none does."""
    count = where.sum(axis=1)
    total = np.where(where, values, 0.0).sum(axis=1)
    mean = np.full(len(count), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _matched_cosines(evaluation: Evaluation) -> PerSAE:
    result = np.full(len(evaluation.saes), np.nan)
    for instance, there in enumerate(evaluation.represented):
        cosine = np.nan_to_num(evaluation.cosine[instance, there], nan=-1.0)
        if there.any():
            result[instance] = cosine[linear_sum_assignment(cosine, maximize=True)].mean()
    return result


def _angle(cosine: PerFeature) -> PerFeature:
    """Degrees, 0 to 180."""
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _quantile(values: PerFeature, where: Bool[np.ndarray, "instance feature"], share: float) -> PerSAE:
    """Quantile over the features that count and have a value; NaN where none does."""
    counted = np.where(where, values, np.nan)
    result = np.full(len(counted), np.nan)
    some = np.isfinite(counted).any(axis=1)
    result[some] = np.nanquantile(counted[some], share, axis=1)
    return result


def _n_matched(cosine: PerPair, there: Bool[np.ndarray, "instance feature"]) -> PerSAE:
    """Number of different represented features that are the best match of some latent."""
    feature, _ = _best(np.where(there[:, :, None], cosine, np.nan), axis=1)
    return np.array([len(set(own[own >= 0])) for own in feature], dtype=np.float64)


def _share(part: PerSAE, whole: np.ndarray) -> PerSAE:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _agreement(
    evaluation: Evaluation, instance: np.ndarray, feature: np.ndarray, latent: np.ndarray
) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of "the latent fires" for "the feature is active".

    NaN where undefined: precision if it never fires, recall if the feature is never active, F1 if neither
    ever happens, and all three where there is no such pair (index -1).
    """
    both = evaluation.both[instance, feature, latent]
    fires = evaluation.latent_fires[instance, latent]
    active = evaluation.feature_active[instance, feature]
    pair = (feature >= 0) & (latent >= 0)

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return _share(part, np.where(pair, whole, 0))

    return {
        "precision": share(both, fires),
        "recall": share(both, active),
        "f1": share(2 * both, fires + active),
    }
