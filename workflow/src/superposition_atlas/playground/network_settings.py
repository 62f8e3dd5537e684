"""Settings of slide 4's networks: data, input features, layers and training."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from superposition_atlas.errors import SettingError
from superposition_atlas.settings.rules import DISTINCT, Length, Range, Worded, hold

DataSetName = Literal["circle", "xor", "gaussian", "spiral", "plane", "multi_gaussian"]
InputName = Literal["x1", "x2", "x1_squared", "x2_squared", "x1x2", "sin_x1", "sin_x2"]
ActivationName = Literal["tanh", "relu", "sigmoid", "linear"]
OptimizerName = Literal["sgd", "adam"]
RegularizationName = Literal["none", "l1", "l2"]


@dataclass(frozen=True)
class Settings:
    """All that the networks of one name depend on but their seeds.

    Raises:
        SettingError: if a value is not allowed; the message names it.
    """

    data_set: DataSetName
    """Data to learn: two classes to tell apart (`circle`, `xor`, `gaussian`, `spiral`), or the height of a
    surface (`plane`, `multi_gaussian`)."""
    n_points: Annotated[int, Range(10, 100_000)] = 500
    """Number of points, for training and testing together."""
    noise: Annotated[float, Range(0, 50)] = 0.0
    """Noise in per cent: it moves the points of `gaussian` and `spiral`; in the other data sets it moves the
    place whose label a point has."""
    training_share: Annotated[float, Range(10, 90)] = 50.0
    """Per cent of the points that a network learns from; it is tested on the others."""
    inputs: Annotated[
        tuple[InputName, ...],
        Length(1),
        DISTINCT,
        Worded("a list of distinct inputs, x1, x2, x1_squared, x2_squared, x1x2, sin_x1 or sin_x2"),
    ] = ("x1", "x2")
    """Functions of a point's coordinates that a network receives."""
    hidden_layers: Annotated[tuple[Annotated[int, Range(1, 8)], ...], Length(1, 6)] = (4, 2)
    """Number of neurons of each hidden layer."""
    activation: ActivationName = "tanh"
    """Activation of the hidden neurons. The output is `tanh` where there are two classes, `linear` where
    there is a surface."""
    steps: Annotated[int, Range(1, 10_000_000)] = 2500
    """Number of training steps."""
    batch_size: Annotated[int, Range(1)] = 10
    """Points a step, one after another in an order that is drawn once; at most as many as there are to learn
    from."""
    optimizer: OptimizerName = "sgd"
    """`sgd` as on the page, without momentum, or `adam` with β₁ = 0.9, β₂ = 0.999, ε = 1e-8."""
    learning_rate: Annotated[float, Range(above=0)] = 0.03
    """Learning rate, constant."""
    regularization: RegularizationName = "none"
    """What shrinks the weights after every step: `l1` by the same amount, a weight that would change its sign
    staying at 0; `l2` in proportion."""
    regularization_rate: Annotated[float, Range(0)] = 0.0
    """Strength of the regularization, times the learning rate."""

    def __post_init__(self) -> None:
        hold(self)
        if self.batch_size > self.n_training:
            allowed = f"an integer ≥ 1 and ≤ {self.n_training}, the number of points to learn from"
            raise SettingError("batch_size", self.batch_size, allowed)
        if self.regularization == "none" and self.regularization_rate > 0:
            allowed = "0 with the regularization none (l1 and l2 take a number ≥ 0)"
            raise SettingError("regularization_rate", self.regularization_rate, allowed)

    @property
    def n_training(self) -> int:
        """Number of points that a network learns from."""
        return round(self.n_points * self.training_share / 100)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
