"""What ensembles and schedules do in a notebook: indices, iteration, and short reprs as text and HTML."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from superposition_atlas import arguments

if TYPE_CHECKING:
    from superposition_atlas.schedules import Schedule

_ROWS = 12
"""Rows of an HTML table at most."""


class Ensemble(ABC):
    """Something of which there are several: an index, a slice, a list or a mask gives a smaller ensemble."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def select(self, instances: Any) -> Self:
        """Some of the instances."""

    @abstractmethod
    def _summary(self) -> Mapping[str, object]:
        """What the repr says, the number of instances first."""

    def __getitem__(self, index: Any) -> Self:
        return self.select(arguments.positions("index", index, len(self)))

    def __iter__(self) -> Iterator[Self]:
        return (self.select(slice(place, place + 1)) for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        # Else numpy would take it for a list of lists without end.
        raise TypeError(f"{type(self).__name__} are not an array: take one of their arrays, such as W")

    def __repr__(self) -> str:
        (name, n), *others = self._summary().items()
        parts = [f"{n} {name}", *(f"{key} {value}" for key, value in others)]
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return table_html(repr(self).partition("(")[0], self._summary().items())


def schedule_html(schedule: "Schedule") -> str:
    """A schedule as an HTML table, one row a feature, of the first instance where there are more."""
    importance, probability = (
        np.atleast_2d(values)[0] for values in (schedule.importance, schedule.probability)
    )
    rows = [
        (feature, f"{importance[feature]:.4g}", f"{probability[feature]:.4g}")
        for feature in range(min(len(probability), _ROWS))
    ]
    if len(probability) > _ROWS:
        rows.append(("…", "…", "…"))  # type: ignore[arg-type]
    return table_html(repr(schedule), [("feature", "importance", "probability"), *rows])


def table_html(caption: str, rows: Sequence[Sequence[object]] | Any) -> str:
    """An HTML table; everything in it is escaped."""
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><caption>{escape(caption)}</caption>{body}</table>"
