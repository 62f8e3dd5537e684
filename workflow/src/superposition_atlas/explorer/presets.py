"""The schedules of a configuration that the explorer can train, as its presets."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

MOST_FEATURES, MOST_HIDDEN = 12, 3
"""Sizes that the page trains."""

_PLAIN = {
    "optimizer": "adam",
    "learning_rate_schedule": "constant",
    "warmup_steps": 0,
    "output": "relu",
    "bias": "trained",
    "centred_inputs": False,
    "hidden": "linear",
    "output_weights": "tied",
    "target": "inputs",
    "magnitudes": "uniform",
}
"""Settings of training that the page can't change: what differs from them is no preset."""


def presets_of(experiments: Iterable[Any]) -> list[dict[str, Any]]:
    """Schedules of the configuration that the page can train, each once.

    Args:
        experiments: as `config.Experiment`: title, n_features, n_hidden, and cases with title, importance and
            probability [variant, feature], and training.
    """
    found: list[dict[str, Any]] = []
    known = set()
    for experiment in experiments:
        if experiment.n_features > MOST_FEATURES or experiment.n_hidden > MOST_HIDDEN:
            continue
        if experiment.n_features < 2:
            continue
        for case in experiment.cases.values():
            settings = asdict(case.training)
            is_plain = all(settings.get(name) == value for name, value in _PLAIN.items())
            if not is_plain or case.structure is not None:
                continue
            for title, importance, probability in _variants(case):
                content = (experiment.n_hidden, importance, probability, _training(settings))
                if repr(content) in known:
                    continue
                known.add(repr(content))
                found.append(
                    {
                        "group": experiment.title,
                        "title": title,
                        "importance": importance,
                        "probability": probability,
                        "m": experiment.n_hidden,
                        "training": _training(settings),
                    }
                )
    return found


def _variants(case: Any) -> Iterator[tuple[str, list[float], list[float]]]:
    """Title, importance and probability of each schedule of a case."""
    count = math.lcm(len(case.importance), len(case.probability))
    for variant in range(count):
        importance = case.importance[variant % len(case.importance)].tolist()
        probability = case.probability[variant % len(case.probability)].tolist()
        title = case.title if count == 1 else f"{case.title} (p = {np.mean(probability):.2g})"
        yield title, importance, probability


def _training(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "steps": settings["steps"],
        "batchSize": settings["batch_size"],
        "learningRate": settings["learning_rate"],
        "initScale": settings["init_scale"],
    }
