"""Training a playground: mini-batches of the training data, one after another, all seeds at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.errors import TrainingError
from superposition_atlas.playground.data_sets import DATA_SETS, Points, draw_points
from superposition_atlas.playground.input_features import input_features
from superposition_atlas.playground.network_settings import ActivationName, Settings
from superposition_atlas.playground.networks import Networks, initial_networks, losses
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

N_RECORDED = 100
"""Losses are recorded so many times on the way, or at every step where there are fewer, and before it."""

Parameters = Float[np.ndarray, "instance parameter"]
Update = Callable[[Parameters, int], Parameters]


@dataclass(frozen=True)
class Playground:
    """Trained networks, one a seed, each with the points that it learned from and was tested on."""

    settings: Settings
    seeds: tuple[int, ...]
    points: Points
    """Points of all seeds."""
    networks: Networks
    recorded_steps: Integer[np.ndarray, " record"]
    training_loss: Float[np.ndarray, "record instance"]
    test_loss: Float[np.ndarray, "record instance"]


def train_networks(settings: Settings, seeds: Sequence[int]) -> Playground:
    """Networks trained together; the result of a seed does not depend on the others.

    Args:
        settings: the same for all.
        seeds: each decides a network's points, their order, and its initial weights; 0 ≤ seed < 2^64.

    Raises:
        TrainingError: if a network's loss is no longer finite.
    """
    data_set = DATA_SETS[settings.data_set]
    n_training, n_batch = settings.n_training, settings.batch_size
    points = draw_points(settings.data_set, seeds, settings.n_points, n_training, settings.noise / 100)
    features = input_features(settings.inputs, points.x)
    sizes = (len(settings.inputs), *settings.hidden_layers, 1)
    output: ActivationName = "linear" if data_set.is_regression else "tanh"
    networks = initial_networks(seeds, sizes, settings.activation, output)

    # With the first points again at the end, every batch is a slice.
    around = [*range(n_training), *range(n_batch)]
    batch_features, batch_labels = features[:, around], points.label[:, around]
    change = _optimizer(settings)
    alive = np.ones_like(networks.parameters)
    shrinking = _is_weight(networks) * settings.learning_rate * settings.regularization_rate
    steps = np.unique(np.linspace(0, settings.steps, N_RECORDED + 1).round().astype(int))
    is_recorded = set(steps.tolist())
    recorded = []
    # Overflow is noticed in the losses.
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(settings.steps + 1):
            if step in is_recorded:
                recorded.append(_losses(networks, features, points))
                _check_finite(recorded[-1], step, seeds)
            if step == settings.steps:
                break
            start = step * n_batch % n_training
            batch = slice(start, start + n_batch)
            gradient = networks.gradient(batch_features[:, batch], batch_labels[:, batch])
            networks.parameters -= change(gradient, step)
            if settings.regularization != "none":
                _shrink(networks.parameters, shrinking, alive, settings.regularization)
    training_loss, test_loss = np.array(recorded).swapaxes(0, 1)
    return Playground(settings, tuple(seeds), points, networks, steps, training_loss, test_loss)


def _optimizer(settings: Settings) -> Update:
    """The amount subtracted from the parameters at a gradient and step."""
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        return lambda gradient, step: rate * gradient
    mean, square = np.zeros(()), np.zeros(())

    def adam(gradient: Parameters, step: int) -> Parameters:
        nonlocal mean, square
        mean = ADAM_BETA_1 * mean + (1 - ADAM_BETA_1) * gradient
        square = ADAM_BETA_2 * square + (1 - ADAM_BETA_2) * gradient * gradient
        unbiased = square / (1 - ADAM_BETA_2 ** (step + 1))
        return rate / (1 - ADAM_BETA_1 ** (step + 1)) * mean / (np.sqrt(unbiased) + ADAM_EPSILON)

    return adam


def _shrink(
    parameters: Parameters, amount: Float[np.ndarray, " parameter"], alive: Parameters, regularization: str
) -> None:
    """Makes weights smaller after a step; with L1, one that would change its sign is 0 from then on."""
    if regularization == "l2":
        parameters -= amount * parameters
        return
    shrunk = parameters - amount * np.sign(parameters)
    alive[(shrunk * parameters < 0) & (amount > 0)] = 0.0
    np.multiply(shrunk, alive, out=parameters)


def _is_weight(networks: Networks) -> Bool[np.ndarray, " parameter"]:
    """Biases are not regularised."""
    marks = Networks(np.zeros_like(networks.parameters), networks.sizes, "linear", "linear")
    for weights in marks.weights:
        weights[:] = 1.0
    return marks.parameters[0] > 0


def _losses(networks: Networks, features: np.ndarray, points: Points) -> Float[np.ndarray, "2 instance"]:
    """Losses on the training data and on the test data."""
    outputs, n = networks.outputs(features), points.n_training
    return np.stack(
        [losses(outputs[:, :n], points.label[:, :n]), losses(outputs[:, n:], points.label[:, n:])]
    )


def _check_finite(found: Float[np.ndarray, "2 instance"], step: int, seeds: Sequence[int]) -> None:
    diverged = np.flatnonzero(~np.isfinite(found).all(axis=0))
    if len(diverged):
        raise TrainingError(
            f"training has diverged by step {step} (seed {seeds[diverged[0]]}): its loss is not finite; "
            "try a smaller learning_rate"
        )
