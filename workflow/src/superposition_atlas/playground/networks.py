"""Ensembles of small networks, one a seed, all of one shape: responses, loss, gradients.

    a_0 = input features,  a_l = f(a_{l-1} W_l + b_l),  output = g(a_{L-1} W_L + b_L)

f is the hidden activation, g is tanh for classification and nothing for regression. The loss is half the
squared error, as in the TensorFlow Playground. Gradients are written out: for networks of a few neurons
automatic differentiation takes far longer than the arithmetic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.playground.network_settings import ActivationName
from superposition_atlas.sampling import stream

Responses = Float[np.ndarray, "instance point neuron"]
Outputs = Float[np.ndarray, "instance point"]

_INITIAL_BIAS = 0.1


@dataclass(frozen=True)
class Activation:
    """A function of one number, and its derivative as a function of its own value."""

    of: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]


ACTIVATIONS: dict[ActivationName, Activation] = {
    "tanh": Activation(np.tanh, lambda a: 1.0 - a * a),
    "relu": Activation(lambda z: np.maximum(z, 0.0), lambda a: (a > 0).astype(a.dtype)),
    "sigmoid": Activation(lambda z: 0.5 + 0.5 * np.tanh(0.5 * z), lambda a: a * (1.0 - a)),
    "linear": Activation(lambda z: z, np.ones_like),
}


class Networks:
    """Networks of one shape. All weights and biases are views of one array, so that a step is one update."""

    def __init__(
        self,
        parameters: Float[np.ndarray, "instance parameter"],
        sizes: Sequence[int],
        hidden: ActivationName,
        output: ActivationName,
    ) -> None:
        """Networks whose layers have these sizes, the input features first and the one output last."""
        self.parameters = parameters
        self.sizes = tuple(sizes)
        self.hidden, self.output = hidden, output
        self.weights, self.biases = _views(parameters, self.sizes)

    def select(self, instances: slice) -> "Networks":
        """Some of these networks."""
        return Networks(self.parameters[instances], self.sizes, self.hidden, self.output)

    def activations(self, features: Responses) -> list[Responses]:
        """Responses of every neuron, layer by layer; the input features come first, the output is last."""
        found = [features]
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            name = self.output if layer == len(self.weights) else self.hidden
            found.append(ACTIVATIONS[name].of(found[-1] @ weights + bias))
        return found

    def outputs(self, features: Responses) -> Outputs:
        """The decision function."""
        return self.activations(features)[-1][..., 0]

    def gradient(self, features: Responses, labels: Outputs) -> Float[np.ndarray, "instance parameter"]:
        """Gradient of the mean loss over the points, by all parameters."""
        activations = self.activations(features)
        gradient = np.empty_like(self.parameters)
        of_weights, of_biases = _views(gradient, self.sizes)
        upstream = (activations[-1] - labels[..., None]) / labels.shape[1]
        name = self.output
        for layer in reversed(range(len(self.weights))):
            upstream = upstream * ACTIVATIONS[name].derivative(activations[layer + 1])
            np.matmul(activations[layer].swapaxes(1, 2), upstream, out=of_weights[layer])
            upstream.sum(axis=1, keepdims=True, out=of_biases[layer])
            upstream = upstream @ self.weights[layer].swapaxes(1, 2)
            name = self.hidden
        return gradient


def initial_networks(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    sizes: Sequence[int],
    hidden: ActivationName,
    output: ActivationName,
) -> Networks:
    """Weights from U(-1/2, 1/2) and biases of 0.1, as in the Playground; float64."""
    n_parameters = sum((source + 1) * target for source, target in pairwise(sizes))
    networks = Networks(np.full((len(seeds), n_parameters), _INITIAL_BIAS), sizes, hidden, output)
    for layer, weights in enumerate(networks.weights):
        _, source, target = weights.shape
        weights[:] = stream.uniform(seeds, layer, source, target, stream.Purpose.PLAYGROUND_WEIGHTS) - 0.5
    return networks


def losses(outputs: Outputs, labels: Outputs) -> Float[np.ndarray, " instance"]:
    """Mean of half the squared error."""
    return 0.5 * np.square(outputs - labels).mean(axis=1)


def _views(
    parameters: Float[np.ndarray, "instance parameter"], sizes: Sequence[int]
) -> tuple[list[Float[np.ndarray, "instance source target"]], list[Float[np.ndarray, "instance 1 target"]]]:
    """Weights and biases of each layer within one array."""
    weights, biases, at = [], [], 0
    for source, target in pairwise(sizes):
        end = at + source * target
        weights.append(parameters[:, at:end].reshape(-1, source, target))
        biases.append(parameters[:, end : end + target].reshape(-1, 1, target))
        at = end + target
    return weights, biases
