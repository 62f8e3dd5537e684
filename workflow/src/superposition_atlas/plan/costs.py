"""What jobs will take, estimated from what they have to do: schedulers want to know, and end what takes more.

Estimates are generous, by a factor of about eight on the processor of benchmarks/results. What a job takes
beyond its first estimate it gets when it is tried again.
"""

from collections.abc import Mapping
from math import ceil, log2
from typing import Any

RATES = {"fused": 4e9, "torch": 2e8, "cuda": 2e9}
"""Multiply-adds a second of each engine at the least, on two threads or one GPU."""
SHARD_OPERATIONS = 2e13
"""Multiply-adds of a shard's training at most: ten minutes of two cores at their full pace."""
SHARD_SECONDS = 1500.0
"""Of a shard's searches at most, as they are estimated; they take about five minutes."""
SHARD_MODELS = 50_000
"""Toy models of a shard at most, so that a job needs no more memory where there are more of them."""
MOST_SHARDS = 1000

_START_MINUTES = 5
"""Starting, compiling and writing, on a file system that is slow."""
_SNAKEMAKE_MB = 400
"""Of the two Snakemakes that stand around a job's command on a cluster."""


def training_operations(n_models: int, n_features: int, n_hidden: int, steps: int, batch_size: int) -> float:
    """Multiply-adds of toy models, drawing their samples included."""
    return float(n_models) * max(steps, 1) * batch_size * n_features * (n_hidden + 5)


def sae_operations(n_models: int, n_hidden: int, settings: Mapping[str, Any]) -> float:
    """Multiply-adds of SAEs on so many toy models, at all λ and k, samples included.

    Args:
        n_models: number of toy models.
        n_hidden: their hidden dimensions.
        settings: as `SAESettings` names them.
    """
    levels = len(settings["sparsity_coefficient"]) * len(settings["k"])
    size = settings["n_latents"] * (n_hidden + 5)
    return float(n_models) * levels * settings["steps"] * settings["batch_size"] * size


def search_seconds(searches: int, n_features: int, n_starts: int) -> float:
    """Of searches for best solutions: 2 s with 5 features and 12 starts, four times that a feature more."""
    return searches * (n_starts + 12) / 12 * 4.0 ** (n_features - 5)


def minutes(seconds: float, attempt: int = 1) -> int:
    """What to ask for; each attempt asks for as much again."""
    return attempt * (_START_MINUTES + ceil(seconds / 60))


def megabytes(libraries: float, content: float = 0.0, attempt: int = 1) -> int:
    """What to ask for; each attempt asks for as much again.

    Args:
        libraries: MB of a job with nothing to do.
        content: bytes that come with what it has to do.
        attempt: which this is, from 1.
    """
    return attempt * ceil(_SNAKEMAKE_MB + libraries + content / 1e6)


def shards(n_models: int, operations: float, seconds: float = 0.0) -> int:
    """How many jobs of minutes this is cut into: a power of two, so that it seldom changes as the work grows.

    Args:
        n_models: number of toy models.
        operations: multiply-adds of their training.
        seconds: of searches for best solutions, in jobs of their own.
    """
    jobs = max(n_models / SHARD_MODELS, operations / SHARD_OPERATIONS, seconds / SHARD_SECONDS, 1.0)
    return min(2 ** ceil(log2(jobs)), MOST_SHARDS)


def most_points(points: Mapping[str, Any]) -> int:
    """So many points a map has at most, without making them: the product of its axes, or their count."""
    if "count" in points:
        return int(points["count"])
    product = 1
    for values in points.values():
        product *= len(values) if isinstance(values, list) else 1
    return product
