"""The exact loss: its time, beside samples and beside the closed form as one would write it at first.

    python benchmarks/theory.py                                          # about a minute
    python benchmarks/theory.py --features 2 5 --json theory.json

*exact*: `superposition_atlas.exact_loss`, and *gradient* `exact_gradient`, for each toy model of a batch.
*samples*: a million inputs through one toy model in numpy; what that leaves of an error stands beside it.
*plain*: inclusion-exclusion over the corners of every support's cube, with numpy's arrays for the corners.

All on one thread. Times are the processor's, the least of several turns in which all alternate, so that other
processes hardly show. Errors are those of float64 against the same closed form in fractions, on toy models
whose couplings are about as small as said.
"""

import argparse
import os
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import factorial
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is loaded

import measuring
import numpy as np
import superposition_atlas as sa

FEATURES = tuple(range(2, 9))
N_HIDDEN = 2
MODELS, MODELS_OF_EIGHT = 1000, 50
SAMPLES = 1_000_000
COUPLINGS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-9)
N_FEATURES_OF_ERRORS, N_DRAWS = 4, 20

Toy = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""W, b, importance, probability."""


def toys(n_models: int, n_features: int) -> Toy:
    rng = np.random.default_rng(n_features)
    W = 0.6 * rng.normal(size=(n_models, N_HIDDEN, n_features))
    b = 0.1 * rng.normal(size=(n_models, n_features))
    return W, b, np.ones(n_features), np.full(n_features, 0.2)


def plain_loss(W: np.ndarray, b: np.ndarray, importance: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """I_i E(x_i - x'_i)² by the closed form, of floats or, as objects, of fractions. No coupling may be 0."""
    n, G = len(b), W.T @ W
    total = 0 * b
    for support in product((False, True), repeat=n):
        active = np.flatnonzero(support)
        k = len(active)
        weight = np.prod(np.where(support, probability, 1 - probability))
        corners = np.array(list(product((0, 1), repeat=k)), dtype=int).reshape(2**k, k)
        signs = (-1) ** (k - corners.sum(axis=1))
        z = np.maximum(b + corners @ G[active], 0 * b)
        volume = np.prod(G[active], axis=0)
        terms = 2 * (signs @ z ** (k + 2)) / volume / factorial(k + 2)
        for place, i in enumerate(active):
            face = corners[:, place] == 1
            at_one = 2 * (signs[face] @ z[face, i] ** (k + 1)) * G[i, i] / volume[i] / factorial(k + 1)
            terms[i] += (1 + 0 * b[i]) / 3 - (at_one - terms[i]) / G[i, i]
        total = total + weight * terms
    return importance * total


def sampled_loss(
    W: np.ndarray, b: np.ndarray, importance: np.ndarray, probability: np.ndarray, n_samples: int
) -> np.ndarray:
    """Each sample's Σ_i I_i (x_i - x'_i)²."""
    rng = np.random.default_rng(0)
    shape = (n_samples, len(b))
    x = rng.random(shape) * (rng.random(shape) < probability)
    return ((x - np.maximum(x @ W.T @ W + b, 0.0)) ** 2) @ importance


def least_seconds(contenders: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Of a call, over turns in which all alternate, after one call each."""
    least = {}
    for turn in range(turns + 1):
        for name, call in contenders.items():
            start = time.process_time()
            call()
            if turn:
                least[name] = min(least.get(name, np.inf), time.process_time() - start)
    return least


def measure(n_features: int, n_models: int, n_samples: int, turns: int) -> dict[str, Any]:
    batch = toys(n_models, n_features)
    one = (batch[0][0], batch[1][0], *batch[2:])
    seconds = least_seconds(
        {
            "exact": lambda: sa.exact_loss(*batch),
            "gradient": lambda: sa.exact_gradient(*batch),
            "samples": lambda: sampled_loss(*one, n_samples),
            "plain": lambda: plain_loss(*one),
        },
        turns,
    )
    microseconds = {
        name: 1e6 * value / (n_models if name in ("exact", "gradient") else 1)
        for name, value in seconds.items()
    }
    losses = sampled_loss(*one, n_samples)
    return {
        "features": n_features,
        "hidden": N_HIDDEN,
        "models_in_the_batch": n_models,
        "samples": n_samples,
        "microseconds_a_model": microseconds,
        "times_as_fast_as": {
            name: microseconds[name] / microseconds["exact"] for name in ("samples", "plain")
        },
        "relative_standard_error_of_samples": float(losses.std() / losses.mean() / n_samples**0.5),
    }


def errors(coupling: float) -> dict[str, float]:
    """The largest and the median relative error of a feature's loss over some toy models.

    As many dimensions as features, of which each has about one: couplings are some `coupling` large.
    """
    n = N_FEATURES_OF_ERRORS
    rng = np.random.default_rng(0)
    found: dict[str, list[np.ndarray]] = {"plain": [], "exact": []}
    for _ in range(N_DRAWS):
        W = np.diag(rng.uniform(0.7, 0.9, n)) + coupling * rng.uniform(-0.5, 0.5, (n, n))
        toy = (W, rng.uniform(-0.3, 0.1, n), np.ones(n), np.full(n, 0.25))
        truth = plain_loss(*(np.vectorize(Fraction, otypes=[object])(values) for values in toy)).astype(float)
        found["plain"].append(np.abs(plain_loss(*toy) / truth - 1))
        found["exact"].append(np.abs(sa.exact_loss(*toy) / truth - 1))
    return {
        f"{which}_{name}": float(of(values))
        for name, values in found.items()
        for which, of in (("largest", np.max), ("median", np.median))
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=int, nargs="+", default=FEATURES)
    parser.add_argument("--models", type=int, help=f"in a batch (default: {MODELS}, of 8 features fewer)")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--couplings", type=float, nargs="+", default=COUPLINGS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    record = measuring.machine(threads=1)
    rows = []
    print(
        f"µs a toy model\n{'n':>3} {'exact':>10} {'gradient':>10} {'samples':>12} {'error':>8} {'plain':>12}"
    )
    for n_features in options.features:
        n_models = options.models or (MODELS if n_features < 8 else MODELS_OF_EIGHT)
        row = measure(n_features, n_models, options.samples, options.turns)
        rows.append(row)
        of = row["microseconds_a_model"]
        print(
            f"{n_features:>3} {of['exact']:>10.2f} {of['gradient']:>10.2f} {of['samples']:>12.0f} "
            f"{row['relative_standard_error_of_samples']:>8.1e} {of['plain']:>12.0f}",
            flush=True,
        )
    print(f"\nrelative errors, {N_FEATURES_OF_ERRORS} features\n{'coupling':>9} {'plain, largest':>15} "
          f"{'median':>9} {'exact, largest':>15}")  # fmt: skip
    wrong = []
    for coupling in options.couplings:
        row = {"coupling": coupling, **errors(coupling)}
        wrong.append(row)
        print(
            f"{coupling:>9.0e} {row['largest_plain']:>15.1e} {row['median_plain']:>9.1e} "
            f"{row['largest_exact']:>15.1e}"
        )
    if options.json:
        measuring.write(record | {"times": rows, "relative_errors": wrong}, options.json)


if __name__ == "__main__":
    main()
