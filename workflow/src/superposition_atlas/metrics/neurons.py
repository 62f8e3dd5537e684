"""What each neuron of a toy model with a ReLU on h does: which features it represents, and how.

With input weights W and output weights V (W where they are tied), a neuron k adds

    c_ki = ReLU(s W_ki) V_ki        s = 1 or -1, the side of feature i, with values above or below 0

to output i for each unit of feature i. Over all neurons that is the gain of the side, 1 where a feature is
computed exactly. A neuron represents what it adds a tenth of that to, or more; two other shares stand beside,
since any such line is a matter of choice. Where inputs are never below 0, features have one side.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from superposition_atlas import arguments
from superposition_atlas.covered_models import require_settings
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.sample import sample
from superposition_atlas.toy_model import ToyModels, reconstruct

SHARES = {"n_features": 0.1, "n_features_02": 0.2, "n_features_05": 0.5}
"""A neuron represents a feature if it adds at least this share of the feature's exact gain, 1."""
REPRESENTS = SHARES["n_features"]
MONOSEMANTIC = 0.9
"""A neuron is monosemantic if one feature has at least this share of all that it adds."""
COMPUTED = 0.5
"""A feature is computed if less than this share of its output's variance is left."""
N_SAMPLES = 8192
_N_ROTATIONS = 20
_NEURONS: dict[str, tuple[object, ...]] = {"hidden": ("relu",)}

PerNeuron = Float[np.ndarray, "instance hidden feature"]


class Sides(NamedTuple):
    """What each neuron adds for each side of each feature: c, at least 0."""

    positive: PerNeuron
    negative: PerNeuron

    @property
    def either(self) -> PerNeuron:
        """A neuron has one side of a feature at most."""
        return self.positive + self.negative


def contributions(W: PerNeuron, W_out: PerNeuron, has_signs: bool) -> Sides:
    """max(c, 0) of either side; what a neuron takes off its own feature does not represent it.

    Args:
        W: input weights.
        W_out: output weights.
        has_signs: whether features have values below 0.
    """
    positive = np.maximum(np.maximum(W, 0.0) * W_out, 0.0)
    negative = np.maximum(np.maximum(-W, 0.0) * W_out, 0.0) if has_signs else np.zeros_like(positive)
    return Sides(positive, negative)


def monosemanticity(added: PerNeuron) -> Float[np.ndarray, "instance hidden"]:
    """Largest share of one feature in what a neuron adds, from 1/n to 1; NaN if it represents nothing."""
    total = added.sum(axis=2)
    share = np.full(total.shape, np.nan)
    np.divide(added.max(axis=2), total, out=share, where=(added >= REPRESENTS).any(axis=2))
    return share


def monosemantic_by_chance(models: ToyModels) -> Float[np.ndarray, " instance"]:
    """Share of monosemantic neurons among those that represent anything, in bases drawn at random.

    Mean over twenty orthogonal maps R of R W and R W_out, uniform (Haar), drawn by the toy model's seed: what
    no preference for neurons would give the same weights. NaN if none represents anything.
    """
    found = np.full(len(models), np.nan)
    for instance, (W, W_out) in enumerate(zip(*_matrices(models), strict=True)):
        random = np.random.default_rng([int(models.seeds[instance]), models.n_hidden])
        normal = random.standard_normal((_N_ROTATIONS, models.n_hidden, models.n_hidden))
        Q, R = np.linalg.qr(normal)
        turned = Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :]
        share = monosemanticity(contributions(turned @ W, turned @ W_out, _has_signs(models)).either)
        if np.isfinite(share).any():
            found[instance] = (share >= MONOSEMANTIC).sum() / np.isfinite(share).sum()
    return found


def held_out(
    models: ToyModels, n_samples: int = N_SAMPLES
) -> tuple[Float[np.ndarray, "instance feature"], Float[np.ndarray, "instance feature"]]:
    """Mean squared error of each output, and the variance of its target, on the same samples for all.

    Samples are those of seed 0 at step 1 of purpose EVALUATION: toy models of one schedule are compared in
    pairs, without the noise of different samples.
    """
    n_samples = arguments.size("n_samples", n_samples, least=2)
    error, variance = np.empty((2, *models.b.shape))
    own = models.settings
    for instance in range(len(models)):
        one = models.select(instance)
        x = sample(
            [0], 1, n_samples, one.probability, stream.Purpose.EVALUATION, own.magnitudes, one.structure
        )
        target = np.abs(x) if own.target == "absolute" else x
        W_out = one.W if one.W_out is None else one.W_out
        y = reconstruct(one.encode(x), W_out, one.b, own.output)
        error[instance] = np.square(target[0] - y[0], dtype=np.float64).mean(axis=0)
        variance[instance] = target[0].var(axis=0, dtype=np.float64)
    return error, variance


def best_kept(
    schedules: Sequence[object], losses: Float[np.ndarray, " instance"]
) -> Bool[np.ndarray, " instance"]:
    """Which toy model of each schedule has the lowest loss; the first of several.

    Args:
        schedules: one a toy model, equal where schedules are.
        losses: one a toy model, of comparable samples (`held_out`).
    """
    rows = pd.DataFrame({"schedule": schedules, "loss": losses})
    kept = np.zeros(len(rows), dtype=bool)
    kept[rows.groupby("schedule", sort=False)["loss"].idxmin().to_numpy()] = True
    return kept


def neuron_tables(
    models: ToyModels, n_samples: int = N_SAMPLES
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables of toy models with neurons: a row a toy model, a neuron, a feature.

    Args:
        models: toy models with `hidden: relu`.
        n_samples: samples a toy model, 2 to 2^24.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "neurons", _NEURONS)
    error, variance = held_out(models, n_samples)
    W, W_out = _matrices(models)
    sides = contributions(W, W_out, _has_signs(models))
    share = monosemanticity(sides.either)
    loss = (models.importance * error).mean(axis=1)
    unexplained = np.divide(error, variance, out=np.full_like(error, np.nan), where=variance > 0)
    rows = zip(models.probability, models.importance, strict=True)
    kept = best_kept([probability.tobytes() + own.tobytes() for probability, own in rows], loss)
    by_model = _model_rows(models, loss, kept, share, unexplained)
    neurons = _neuron_rows(_rows(models, kept, "neuron", models.n_hidden), W, W_out, sides.either, share)
    features = _rows(models, kept, "feature", models.n_features)
    features["importance"] = models.importance.ravel()
    features["unexplained"] = unexplained.ravel()
    for name, column in _of_features(W, W_out, sides, _has_signs(models)).items():
        features[name] = column.ravel()
    return by_model, neurons, features


def _model_rows(
    models: ToyModels,
    loss: Float[np.ndarray, " instance"],
    kept: Bool[np.ndarray, " instance"],
    share: Float[np.ndarray, "instance hidden"],
    unexplained: Float[np.ndarray, "instance feature"],
) -> pd.DataFrame:
    """One row a toy model.

    probability: mean over the features. held_out_loss: as the training loss, on samples that all share
    (`held_out`). kept: whether it is the lowest of the toy models of its schedule. n_neurons: neurons that
    represent anything. n_monosemantic: those of them that are monosemantic. monosemantic_by_chance: their
    share of n_neurons in random bases. n_computed: features of which less than half the variance is left.
    """
    return pd.DataFrame(
        {
            "seed": models.seeds,
            "probability": models.probability.mean(axis=1),
            "held_out_loss": loss,
            "kept": kept,
            "n_neurons": np.isfinite(share).sum(axis=1),
            "n_monosemantic": (share >= MONOSEMANTIC).sum(axis=1),
            "monosemantic_by_chance": monosemantic_by_chance(models),
            "n_computed": (unexplained < COMPUTED).sum(axis=1),
        }
    )


def _neuron_rows(
    rows: pd.DataFrame,
    W: PerNeuron,
    W_out: PerNeuron,
    added: PerNeuron,
    share: Float[np.ndarray, "instance hidden"],
) -> pd.DataFrame:
    """One row a neuron.

    neuron: its number, from 0. n_features(_02, _05): features that it represents (at the shares .2 and .5).
    monosemanticity: largest share of one feature in what it adds; NaN if it represents none. best_feature:
    the feature that it adds most for, -1 if it represents none. weights, output_weights: its input and output
    weights, lists with a number a feature.
    """
    for name, least in SHARES.items():
        rows[name] = (added >= least).sum(axis=2).ravel()
    rows["monosemanticity"] = share.ravel()
    rows["best_feature"] = np.where(np.isfinite(share), added.argmax(axis=2), -1).ravel()
    lists = {"weights": W, "output_weights": W_out}
    flat = {name: pd.Series(list(array.reshape(-1, W.shape[2]))) for name, array in lists.items()}
    return rows.assign(**flat)


def _of_features(
    W: PerNeuron, W_out: PerNeuron, sides: Sides, has_signs: bool
) -> dict[str, Float[np.ndarray, "instance feature"]]:
    """One row a feature.

    feature: its number, from 0. importance: I_i. unexplained: squared error over the variance of the
    target. gain_positive, gain_negative: what all neurons add for a unit of the feature on either side,
    also below 0; NaN where there is no such side. n_positive, n_negative: neurons that represent that
    side. largest_share: of what they add, by one neuron, on the side that is the more spread; NaN if none
    represents it.
    """
    gain_positive = (np.maximum(W, 0.0) * W_out).sum(axis=1)
    gain_negative = (np.maximum(-W, 0.0) * W_out).sum(axis=1)
    largest = np.full(gain_positive.shape, np.nan)
    for side in sides:
        of_one = np.full(gain_positive.shape, np.nan)
        is_there = (side >= REPRESENTS).any(axis=1)
        np.divide(side.max(axis=1), side.sum(axis=1), out=of_one, where=is_there)
        largest = np.fmin(largest, of_one)
    return {
        "gain_positive": gain_positive,
        "gain_negative": gain_negative if has_signs else np.full_like(gain_negative, np.nan),
        "n_positive": (sides.positive >= REPRESENTS).sum(axis=1),
        "n_negative": (sides.negative >= REPRESENTS).sum(axis=1),
        "largest_share": largest,
    }


def _rows(models: ToyModels, kept: Bool[np.ndarray, " instance"], name: str, count: int) -> pd.DataFrame:
    """The columns that tell rows apart.

    probability: mean over the features. kept: of the toy model, see `neuron_models`.
    """
    return pd.DataFrame(
        {
            "seed": np.repeat(models.seeds, count),
            "probability": np.repeat(models.probability.mean(axis=1), count),
            "kept": np.repeat(kept, count),
            name: np.tile(np.arange(count), len(models)),
        }
    )


def _has_signs(models: ToyModels) -> bool:
    return models.settings.magnitudes == "signed_uniform"


def _matrices(models: ToyModels) -> tuple[PerNeuron, PerNeuron]:
    """Input and output weights, float64."""
    W = models.W.astype(np.float64)
    return W, W if models.W_out is None else models.W_out.astype(np.float64)
