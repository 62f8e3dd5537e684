"""Which toy models can be compared with the best solutions for their schedules, by how they were trained."""

from collections.abc import Iterable, Mapping
from typing import Any


def is_covered(training: Mapping[str, Any]) -> bool:
    """Whether the exact loss is theirs: their outputs are ReLUs, their magnitudes uniform in [0, 1]."""
    return training["output"] == "relu" and training["magnitudes"] == "uniform"


def search_of(training: Mapping[str, Any]) -> str:
    """The search whose solutions they compete with, by the bias that it holds; empty if there is none.

    Centred inputs come to the same as another bias, b - Wᵀ W E x: free if b was trained, else held nowhere.
    No search holds the densest feature's bias alone.

    Args:
        training: what `TrainingSettings.as_dict` gives.
    """
    bias = training["bias"]
    is_held_elsewhere = bias == "densest_zero" or (training["centred_inputs"] and bias != "trained")
    return bias if is_covered(training) and isinstance(bias, str) and not is_held_elsewhere else ""


def searches_of(trainings: Iterable[Mapping[str, Any]]) -> list[str]:
    """All searches that toy models trained in these ways need, beside the one with a free bias."""
    return sorted({"trained"} | {search_of(training) for training in trainings} - {""})
