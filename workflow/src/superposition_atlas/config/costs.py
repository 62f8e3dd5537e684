"""Estimates of the time and memory of jobs: schedulers want to know, and end jobs that take more.

Estimates are about eight times too high on the processor of benchmarks/results. A job that needs still more
gets it when it is tried again.
"""

from collections.abc import Mapping
from math import ceil, log2
from typing import Any

RATES = {"fused": 4e9, "torch": 2e8, "cuda": 2e9}
"""Least multiply-adds a second of each engine, on two threads or one GPU."""
SHARD_OPERATIONS = 2e13
"""Most multiply-adds of a shard's training: ten minutes of two cores at full speed."""
SHARD_SECONDS = 1500.0
"""Most estimated seconds of a shard's searches; they really take about five minutes."""
SHARD_MODELS = 50_000
"""Most toy models of a shard, so that a job's memory has a limit."""
MOST_SHARDS = 1000

_START_MINUTES = 5
"""Minutes to start, compile and write, on a slow file system."""
_SNAKEMAKE_MB = 400
"""MB of the two Snakemake processes around a job's command on a cluster."""


def training_operations(n_models: int, n_features: int, n_hidden: int, steps: int, batch_size: int) -> float:
    """Multiply-adds to train toy models, including those to draw samples."""
    return float(n_models) * max(steps, 1) * batch_size * n_features * (n_hidden + 5)


def sae_operations(n_models: int, n_hidden: int, settings: Mapping[str, Any]) -> float:
    """Multiply-adds to train SAEs at all λ and k, including those to draw samples.

    Args:
        n_models: number of toy models.
        n_hidden: their hidden dimensions.
        settings: values by their names in `SAESettings`.
    """
    levels = len(settings["sparsity_coefficient"]) * len(settings["k"])
    size = settings["n_latents"] * (n_hidden + 5)
    return float(n_models) * levels * settings["steps"] * settings["batch_size"] * size


def search_seconds(searches: int, n_features: int, n_starts: int) -> float:
    """Seconds of searches for best solutions: 2 with 5 features and 12 starts, four times more a feature."""
    return searches * (n_starts + 12) / 12 * 4.0 ** (n_features - 5)


def minutes(seconds: float, attempt: int = 1) -> int:
    """Minutes to request, proportional to the attempt."""
    return attempt * (_START_MINUTES + ceil(seconds / 60))


def megabytes(libraries: float, content: float = 0.0, attempt: int = 1) -> int:
    """Megabytes to request, proportional to the attempt.

    Args:
        libraries: MB of a job with nothing to do.
        content: bytes that grow with its work.
        attempt: number of the attempt, from 1.
    """
    return attempt * ceil(_SNAKEMAKE_MB + libraries + content / 1e6)


def shards(n_models: int, operations: float, seconds: float = 0.0) -> int:
    """Number of jobs of a few minutes: a power of two, so that it seldom changes as the work grows.

    Args:
        n_models: number of toy models.
        operations: multiply-adds of their training.
        seconds: of searches for best solutions, in jobs of their own.
    """
    jobs = max(n_models / SHARD_MODELS, operations / SHARD_OPERATIONS, seconds / SHARD_SECONDS, 1.0)
    return min(2 ** ceil(log2(jobs)), MOST_SHARDS)


def most_points(points: Mapping[str, Any]) -> int:
    """Upper limit of a map's number of points: their count, or the product of its axes."""
    if "count" in points:
        return int(points["count"])
    product = 1
    for values in points.values():
        product *= len(values) if isinstance(values, list) else 1
    return product
