"""The talk's observations on the schedules of a map: which schedules each is about, and its column.

O1 to O3 are the talk's; P1 and P2 its post's.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MapObservation:
    """An observation, and the column that answers it for a schedule's toy models."""

    name: str
    statement: str
    column: str
    """Column of the table of points; with `best_` in front, that of the best solution."""
    importance: Literal["any", "constant", "falling"]
    order: Literal["any", "aligned", "reversed"] = "any"
    """Order of the probabilities over falling importance."""

    def speaks_of(self, importance_ratio: float, order: str) -> bool:
        """Whether the observation is about schedules of this importance and order.

        Args:
            importance_ratio: importance of a feature over that of the one before; 1 is constant importance.
            order: aligned (the more important, the denser), reversed, or a number.
        """
        importance = "constant" if importance_ratio == 1 else "falling"
        return self.importance in ("any", importance) and self.order in ("any", order)


OBSERVATIONS = (
    MapObservation("O1", "not all represented", "not_all_represented", "any"),
    MapObservation("O2", "none dedicated", "none_dedicated", "falling", "reversed"),
    MapObservation("O3", "none dedicated", "none_dedicated", "constant"),
    MapObservation("P1", "first dedicated", "top_dedicated", "falling", "aligned"),
    MapObservation("P2", "densest dropped", "densest_dropped", "constant"),
)
