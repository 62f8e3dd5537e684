"""The input features: what a network is given of a point in the plane, made by hand."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from superposition_atlas.playground.network_settings import InputName

INPUTS: dict[InputName, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1_squared": lambda x1, x2: x1**2,
    "x2_squared": lambda x1, x2: x2**2,
    "x1x2": lambda x1, x2: x1 * x2,
    "sin_x1": lambda x1, x2: np.sin(x1),
    "sin_x2": lambda x1, x2: np.sin(x2),
}


def input_features(
    names: Sequence[InputName], x: Float[np.ndarray, "*shape 2"]
) -> Float[np.ndarray, "*shape input"]:
    """The named input features of points, in this order."""
    return np.stack([INPUTS[name](x[..., 0], x[..., 1]) for name in names], axis=-1)
