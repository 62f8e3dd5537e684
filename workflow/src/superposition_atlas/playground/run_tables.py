"""Tidy tables of slide 4: errors of every seed, losses during training, and one network in full."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from superposition_atlas.playground.data_sets import DATA_SETS, EXTENT
from superposition_atlas.playground.input_features import INPUTS, input_features
from superposition_atlas.playground.train_networks import Playground

SOLVED = 0.05
"""Networks solve their data set if they err on less than this share of the test data, or leave less than this
share of its variance unexplained where they learn a surface."""
GRID = 80
"""Responses are read at GRID × GRID places, the middles of the squares into which they cut the plane."""


def tables(name: str, trained: Playground) -> dict[str, pd.DataFrame]:
    """All tables of the networks of one name; of `points`, `units` and `weights`, the first seed's only.

    network: its name in the configuration. data_set: name. shown: whether it is the first seed, which figures
    draw.
    """
    found = {
        "runs": runs(trained),
        "curves": curves(trained),
        "points": points(trained),
        "units": units(trained),
        "weights": weights(trained),
    }
    for table in found.values():
        table.insert(0, "network", name)
        table.insert(1, "data_set", trained.settings.data_set)
        table.insert(3, "shown", table["seed"] == _seeds(trained)[0])
    return found


def runs(trained: Playground) -> pd.DataFrame:
    """One row a network.

    seed: of the network. is_regression: whether it learns a surface. n_training, n_test: points. steps: of
    training. training_loss, test_loss: means of half the squared error. training_error, test_error: shares of
    points on the wrong side of 0, NaN for a surface. test_fvu: fraction of the variance of the test labels
    unexplained, NaN where there is none. threshold: below which a network solves its data set. solved:
    whether the test error, of a surface test_fvu, is below it.
    """
    is_regression = DATA_SETS[trained.settings.data_set].is_regression
    features = input_features(trained.settings.inputs, trained.points.x)
    outputs, labels = trained.networks.outputs(features), trained.points.label
    n = trained.points.n_training
    wrong = np.full(labels.shape, np.nan) if is_regression else np.sign(outputs) != labels
    test_error = wrong[:, n:].mean(axis=1)
    test_fvu = _unexplained(outputs[:, n:], labels[:, n:])
    return pd.DataFrame(
        {
            "seed": _seeds(trained),
            "is_regression": is_regression,
            "n_training": n,
            "n_test": labels.shape[1] - n,
            "steps": trained.settings.steps,
            "training_loss": trained.training_loss[-1],
            "test_loss": trained.test_loss[-1],
            "training_error": wrong[:, :n].mean(axis=1),
            "test_error": test_error,
            "test_fvu": test_fvu,
            "threshold": SOLVED,
            "solved": (test_fvu if is_regression else test_error) < SOLVED,
        }
    )


def _unexplained(
    outputs: Float[np.ndarray, "instance point"], labels: Float[np.ndarray, "instance point"]
) -> Float[np.ndarray, " instance"]:
    variance = labels.var(axis=1)
    share = np.full(len(labels), np.nan)
    return np.divide(np.square(outputs - labels).mean(axis=1), variance, out=share, where=variance > 0)


def curves(trained: Playground) -> pd.DataFrame:
    """One row a network and recorded step. seed: of it. step: number. training_loss, test_loss: losses."""
    n_records, n_seeds = trained.test_loss.shape
    return pd.DataFrame(
        {
            "seed": np.repeat(_seeds(trained), n_records),
            "step": np.tile(trained.recorded_steps, n_seeds),
            "training_loss": trained.training_loss.T.reshape(-1),
            "test_loss": trained.test_loss.T.reshape(-1),
        }
    )


def points(trained: Playground) -> pd.DataFrame:
    """One row a point. seed: of the network. x1, x2: place. label: what to learn. is_training: or test."""
    x = trained.points.x[0]
    columns = {"seed": _seeds(trained)[0], "x1": x[:, 0], "x2": x[:, 1]}
    label, is_training = trained.points.label[0], trained.points.is_training
    return pd.DataFrame({**columns, "label": label, "is_training": is_training})


def units(trained: Playground) -> pd.DataFrame:
    """One row an input feature, used or not (layer 0), hidden neuron, and output (the last layer).

    seed: of the network. layer: number. unit: index within it. name: of an input, else layer and unit. used:
    whether the network has it as an input. bias: NaN for inputs. response: GRID² numbers (float32), x1 from
    left to right within rows, rows of x2 from the bottom up.
    """
    features = input_features(list(INPUTS), _grid())
    used = [list(INPUTS).index(name) for name in trained.settings.inputs]
    first = trained.networks.select(slice(0, 1))
    layers = [features, *(responses[0] for responses in first.activations(features[None, :, used])[1:])]
    rows = [
        {
            "seed": _seeds(trained)[0],
            "layer": layer,
            "unit": unit,
            "name": list(INPUTS)[unit] if layer == 0 else f"{layer}.{unit}",
            "used": layer > 0 or unit in used,
            "bias": first.biases[layer - 1][0, 0, unit] if layer > 0 else np.nan,
            "response": responses[:, unit].astype(np.float32),
        }
        for layer, responses in enumerate(layers)
        for unit in range(responses.shape[1])
    ]
    return pd.DataFrame(rows)


def _grid() -> Float[np.ndarray, "place 2"]:
    middles = (np.arange(GRID) + 0.5) * (2 * EXTENT / GRID) - EXTENT
    x2, x1 = np.meshgrid(middles, middles, indexing="ij")
    return np.stack([x1.reshape(-1), x2.reshape(-1)], axis=-1)


def weights(trained: Playground) -> pd.DataFrame:
    """One row a weight. seed: of the network. layer: number. source, target: units. weight: its value."""
    used = np.array([list(INPUTS).index(name) for name in trained.settings.inputs])
    frames = []
    for layer, matrices in enumerate(trained.networks.weights, start=1):
        source, target = np.indices(matrices[0].shape)
        frames.append(
            pd.DataFrame(
                {
                    "seed": _seeds(trained)[0],
                    "layer": layer,
                    "source": (used[source] if layer == 1 else source).reshape(-1),
                    "target": target.reshape(-1),
                    "weight": matrices[0].reshape(-1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def joined_networks(networks: Mapping[str, Playground]) -> dict[str, pd.DataFrame]:
    """The tables of networks of several names, one below the other."""
    found = [tables(name, trained) for name, trained in networks.items()]
    return {name: pd.concat([part[name] for part in found], ignore_index=True) for name in found[0]}


def _seeds(trained: Playground) -> Integer[np.ndarray, " instance"]:
    """uint64: of a list with small and large ones numpy would make floats, which are not exact above 2^53."""
    return np.array(trained.seeds, dtype=np.uint64)
