"""A schedule: how important each feature is and how often it is active, and what stands for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError
from superposition_atlas.objects.ensemble import html
from superposition_atlas.sampling.structure import Group, Intervals, intervals_of, is_shared

if TYPE_CHECKING:
    from superposition_atlas.toy_model import ToyModels

Values = Float[np.ndarray, " feature"]

_LONGEST_REPR = 5
"""Values that a schedule's repr has of each kind at most."""


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """Importance I_i ≥ 0 and probability 0 < p_i ≤ 1 of each feature; sparsity is S_i = 1 - p_i.

    Both arrays are float64, [feature] or, where instances differ, [instance, feature]. Lists, tensors and
    columns of pandas are taken too. Features are independent unless a structure says otherwise: a list of
    groups, as `sampling.structure` has them, which becomes an array [feature, 2] or [instance, feature, 2].

    Raises:
        ArgumentError: if the shapes differ, a value is out of its range, or the probabilities do not allow
            the structure.
    """

    importance: Float[np.ndarray, "*instance feature"]
    probability: Float[np.ndarray, "*instance feature"]
    structure: Intervals | None = None

    def __post_init__(self) -> None:
        allowed = "[feature] or [instance, feature]"
        importance = arguments.numbers("importance", self.importance, allowed, ndim=(1, 2), least=0)
        probability = arguments.numbers(
            "probability", self.probability, allowed, ndim=(1, 2), above=0, most=1
        )
        if importance.shape[-1] != probability.shape[-1]:
            raise ArgumentError(
                f"importance has {importance.shape[-1]} features, probability {probability.shape[-1]}: must "
                "be as many"
            )
        if importance.ndim == probability.ndim == 2 and len(importance) != len(probability):
            raise ArgumentError(
                f"importance has {len(importance)} rows, probability {len(probability)}: must be as many"
            )
        object.__setattr__(self, "importance", importance)
        object.__setattr__(self, "probability", probability)
        object.__setattr__(self, "structure", intervals_of(self.structure, probability))

    def with_structure(self, structure: Sequence[Group] | None) -> "Schedule":
        """The same schedule with features that depend on one another.

        Args:
            structure: for instance [{"form": "together", "features": [0, 1]}]; None: independent features.

        Raises:
            ArgumentError: if the probabilities do not allow it.
        """
        return Schedule(self.importance, self.probability, intervals_of(structure, self.probability))

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.probability.shape[-1]

    @property
    def n_instances(self) -> int | None:
        """Number of instances that the schedule has rows for, or None where all share one row."""
        for array in (self.importance, self.probability):
            if array.ndim == 2:
                return len(array)
        return len(self.structure) if self.structure is not None and self.structure.ndim == 3 else None

    @property
    def sparsity(self) -> Float[np.ndarray, "*instance feature"]:
        """S_i = 1 - p_i."""
        return 1.0 - self.probability

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        if (self.structure is None) != (other.structure is None):
            return False
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("importance", "probability", "structure")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        rows = "" if self.n_instances is None else f"{self.n_instances} instances, "
        parts = [f"{name} {_in_short(getattr(self, name))}" for name in ("importance", "probability")]
        if self.structure is not None:
            n_groups = len(np.unique(self.structure[..., 0][is_shared(self.structure)]))
            parts.append(f"{n_groups} group{'s' if n_groups > 1 else ''} of dependent features")
        return f"Schedule({rows}{self.n_features} features, {', '.join(parts)})"

    def _repr_html_(self) -> str:
        return html("schedule", self)


def _in_short(values: Float[np.ndarray, "*instance feature"]) -> str:
    if values.ndim == 1 and len(values) <= _LONGEST_REPR:
        return f"[{', '.join(f'{value:.4g}' for value in values)}]"
    return f"{values.min():.4g} to {values.max():.4g}"


def as_schedule(value: Any, name: str = "schedule") -> Schedule:
    """A schedule from any object that is or has one.

    Args:
        value: a `Schedule`, `ToyModels` (or anything else with `importance` and `probability`; rows that are
            all the same become one), or a pair of arrays, importance and probability.
        name: of the argument.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(value, Schedule):
        return value
    allowed = "a Schedule, as sa.schedules makes them, ToyModels, or a pair (importance, probability)"
    if hasattr(value, "importance") and hasattr(value, "probability"):
        if len(value.importance) == 0:
            raise ArgumentError(f"{name} has no toy models: must be {allowed}")
        structure = getattr(value, "structure", None)
        return Schedule(
            _one_if_same(value.importance),
            _one_if_same(value.probability),
            None if structure is None else _one_if_same(structure, n_axes=3),
        )
    if isinstance(value, tuple | list) and len(value) == 2 and not np.isscalar(value[0]):
        try:
            return Schedule(value[0], value[1])
        except ArgumentError as error:
            raise ArgumentError(f"{name}: {error}") from None
    raise arguments.not_allowed_type(name, value, allowed)


def one_schedule(
    importance: "Schedule | ToyModels | Float[np.ndarray, ' feature'] | Sequence[float]",
    probability: "Float[np.ndarray, ' feature'] | Sequence[float] | None" = None,
    n_hidden: int | None = None,
    takes_structure: bool = False,
) -> tuple[Values, Values, int]:
    """The arguments of a function that is about one schedule: importance, probability and n_hidden.

    Args:
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which brings probability; or `ToyModels`, which bring
            probability and n_hidden.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: number of hidden dimensions, m ≥ 1.
        takes_structure: whether the function is about dependent features too (`one_structure`).

    Raises:
        ArgumentError: if one is missing, given twice, or out of its range, if instances differ, or if
            features depend on one another where the function is about independent ones.
    """
    if hasattr(importance, "importance") and hasattr(importance, "probability"):
        if probability is not None:
            raise ArgumentError(
                "probability is given twice: must be left out beside a schedule or toy models"
            )
        if n_hidden is None:
            n_hidden = getattr(importance, "n_hidden", None)
        schedule = as_schedule(importance, "importance")
    elif probability is None:
        raise ArgumentError(
            "probability is missing: must be [feature], or importance a Schedule or ToyModels, which have it"
        )
    else:
        schedule = Schedule(
            arguments.numbers("importance", importance, "[feature], a Schedule or ToyModels", ndim=(1,)),
            arguments.numbers("probability", probability, "[feature]", ndim=(1,)),
        )
    if schedule.structure is not None and not takes_structure:
        raise ArgumentError(
            "features depend on one another (structure): must be independent, which this function is about"
        )
    for name in ("importance", "probability"):
        rows = np.atleast_2d(getattr(schedule, name))
        if np.any(rows != rows[0]):
            raise ArgumentError(f"{name} differs between instances: must be [feature], of one schedule")
    if n_hidden is None:
        raise ArgumentError("n_hidden is missing: must be an integer of at least 1")
    first_rows = np.atleast_2d(schedule.importance)[0], np.atleast_2d(schedule.probability)[0]
    return *first_rows, arguments.size("n_hidden", n_hidden)


def one_structure(schedule: "Schedule | ToyModels | Any") -> Intervals | None:
    """The structure of a schedule or of toy models, [feature, 2]; None where features are independent.

    Raises:
        ArgumentError: if it differs between instances.
    """
    structure = getattr(schedule, "structure", None)
    if structure is None or structure.ndim == 2:
        return structure
    if np.any(structure != structure[0]):
        raise ArgumentError("structure differs between instances: must be [feature, 2], of one schedule")
    return np.asarray(structure[0])


def _one_if_same(values: Any, n_axes: int = 2) -> Any:
    """The row that all instances share, or all rows."""
    rows = np.asarray(values)
    return rows[0] if rows.ndim == n_axes and np.all(rows == rows[0]) else values
