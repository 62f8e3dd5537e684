"""What ensembles and settings share: indices, iteration, short reprs.

HTML is made in `notebook`, which is loaded by name: nothing is trained again where a page looks different.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, replace
from importlib import import_module
from typing import Any, Self

import numpy as np

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError


def html(kind: str, shown: Any) -> str:
    """What a notebook shows of an object: `kind`_html of the module `notebook`."""
    made: str = getattr(import_module("superposition_atlas.objects.html"), f"{kind}_html")(shown)
    return made


class Ensemble(ABC):
    """Instances side by side: an index, a slice, a list or a mask gives a smaller ensemble."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def select(self, instances: Any) -> Self:
        """Some of the instances."""

    @abstractmethod
    def summary(self) -> Mapping[str, object]:
        """What the repr says, the number of instances first."""

    def __getitem__(self, index: Any) -> Self:
        return self.select(arguments.positions("index", index, len(self)))

    def __iter__(self) -> Iterator[Self]:
        return (self.select(slice(place, place + 1)) for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        # Else numpy would take it for a list of lists without end.
        raise TypeError(f"{type(self).__name__} are not an array: take one of their arrays, such as W")

    def __repr__(self) -> str:
        (name, n), *others = self.summary().items()
        parts = [
            f"{n} {name if n != 1 else name.removesuffix('s')}",
            *(f"{key} {value}" for key, value in others),
        ]
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return html("ensemble", self)


class ShortSettings:
    """Settings whose repr names what differs from the defaults."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.changed())})"

    def _repr_html_(self) -> str:
        return html("settings", self)

    def unknown(self) -> frozenset[str]:
        """Names of those whose values nobody knows."""
        return frozenset()

    def changed(self) -> list[tuple[str, object]]:
        """Names and values of those that are not at their defaults."""
        return [
            (field.name, getattr(self, field.name))
            for field in fields(self)  # type: ignore[arg-type]
            if not self._is_default(field)
        ]

    def _is_default(self, field: "Field[Any]") -> bool:
        """Whether leaving it out gives the same: a default may stand for a value that depends on others."""
        if field.default is MISSING:
            return False
        try:
            return bool(replace(self, **{field.name: field.default}) == self)  # type: ignore[type-var]
        except ArgumentError:  # the default does not go with the others
            return False
