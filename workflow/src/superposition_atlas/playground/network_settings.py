"""What slide 4's networks are: their data, their input features, their layers, and how they are trained."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from superposition_atlas import arguments
from superposition_atlas.errors import TrainingError

DataSetName = Literal["circle", "xor", "gaussian", "spiral", "plane", "multi_gaussian"]
InputName = Literal["x1", "x2", "x1_squared", "x2_squared", "x1x2", "sin_x1", "sin_x2"]
ActivationName = Literal["tanh", "relu", "sigmoid", "linear"]
OptimizerName = Literal["sgd", "adam"]
RegularizationName = Literal["none", "l1", "l2"]


@dataclass(frozen=True)
class Settings:
    """All that the networks of one name depend on but their seeds. `config/README.md` explains each.

    Raises:
        TrainingError: one line that names the first that is wrong.
    """

    data_set: DataSetName
    n_points: int = 500
    noise: float = 0.0
    """Per cent."""
    training_share: float = 50.0
    """Per cent."""
    inputs: tuple[InputName, ...] = ("x1", "x2")
    hidden_layers: tuple[int, ...] = (4, 2)
    """Number of neurons of each."""
    activation: ActivationName = "tanh"
    """Of the hidden neurons."""
    steps: int = 2500
    batch_size: int = 10
    optimizer: OptimizerName = "sgd"
    learning_rate: float = 0.03
    regularization: RegularizationName = "none"
    regularization_rate: float = 0.0

    def __post_init__(self) -> None:
        arguments.choice("data_set", self.data_set, get_args(DataSetName))
        arguments.choice("activation", self.activation, get_args(ActivationName))
        arguments.choice("optimizer", self.optimizer, get_args(OptimizerName))
        arguments.choice("regularization", self.regularization, get_args(RegularizationName))
        arguments.integer("n_points", self.n_points, least=2)
        arguments.integer("steps", self.steps)
        arguments.number("noise", self.noise, least=0.0)
        arguments.number("training_share", self.training_share, above=0.0)
        arguments.number("learning_rate", self.learning_rate, above=0.0)
        arguments.number("regularization_rate", self.regularization_rate, least=0.0)
        for name in ("inputs", "hidden_layers"):
            object.__setattr__(self, name, tuple(arguments.several(name, getattr(self, name))))
        for name in self.inputs:
            arguments.choice("an input", name, get_args(InputName))
        for size in self.hidden_layers:
            arguments.integer("a hidden layer", size)
        if not 0 < self.n_training < self.n_points:
            raise TrainingError(
                f"training_share is {self.training_share:g}: must leave points to learn from and to test on"
            )
        arguments.integer("batch_size", self.batch_size, most=self.n_training)

    @property
    def n_training(self) -> int:
        """Number of points that a network learns from."""
        return round(self.n_points * self.training_share / 100)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
