"""Which toy models can be compared with the best solutions for their schedules, by how they were trained."""

from collections.abc import Iterable, Mapping
from typing import Any

from superposition_atlas.covered_models import PLAIN, other_setting


def is_covered(training: Mapping[str, Any]) -> bool:
    """Whether the exact loss is theirs: ReLU(Wᵀ W x + b) reconstructs x, with magnitudes U[0, 1]."""
    is_plain = not other_setting(dict(training), PLAIN)
    return is_plain and training["output"] == "relu" and training["magnitudes"] == "uniform"


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
