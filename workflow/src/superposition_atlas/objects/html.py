"""What a notebook shows of ensembles, settings, schedules and results: small HTML tables."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from superposition_atlas.objects.ensemble import Ensemble, ShortSettings
    from superposition_atlas.schedules import Schedule

_ROWS, _COLUMNS = 12, 8
"""Features and hidden dimensions of a table at most."""


def ensemble_html(ensemble: "Ensemble") -> str:
    """Number of instances, sizes, and how they were trained."""
    return table_html(type(ensemble).__name__, ensemble.summary().items())


def settings_html(settings: "ShortSettings") -> str:
    """All settings that are known; those at their defaults say so."""
    changed, unknown = {name for name, _ in settings.changed()}, settings.unknown()
    rows = [
        (field.name, getattr(settings, field.name), "" if field.name in changed else "default")
        for field in fields(settings)  # type: ignore[arg-type]
        if field.name not in unknown
    ]
    rows += [("all others", "unknown", "")] if unknown else []
    return table_html(type(settings).__name__, rows)


def schedule_html(schedule: "Schedule") -> str:
    """Importance and probability of the first features and of the last, of the first instance."""
    importance, probability = (
        np.atleast_2d(values)[0] for values in (schedule.importance, schedule.probability)
    )
    n = len(probability)
    features = [*range(min(n, _ROWS)), *([n - 1] if n > _ROWS else [])]
    rows = [(feature, f"{importance[feature]:.4g}", f"{probability[feature]:.4g}") for feature in features]
    return table_html(repr(schedule), [("feature", "importance", "probability"), *rows])


def result_html(result: Any) -> str:
    """Weights of a `Minimum` or `Prediction`, one row a feature."""
    n_hidden, n_features = result.W.shape
    heads = ["feature", *(f"W[{axis}]" for axis in range(min(n_hidden, _COLUMNS))), "b"]
    rows = [
        [feature, *(f"{weight:.3f}" for weight in result.W[:_COLUMNS, feature]), f"{result.b[feature]:.3f}"]
        for feature in range(min(n_features, _ROWS))
    ]
    return table_html(repr(result), [heads, *rows])


def table_html(caption: str, rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; everything in it is escaped."""
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><caption>{escape(caption)}</caption>{body}</table>"
