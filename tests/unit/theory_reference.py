"""Expected losses by other ways than the package's: inclusion-exclusion in exact fractions, and sampling."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import factorial
from typing import Any

import numpy as np

Number = Any
"""Fraction, or float for the same formula as one would write it at first."""


@dataclass(frozen=True)
class Toy:
    """A toy model and its schedule."""

    W: np.ndarray
    b: np.ndarray
    importance: np.ndarray
    probability: np.ndarray

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        return self.W, self.b, self.importance, self.probability


# --- inclusion-exclusion -----------------------------------------------------------------------------------


def moment(couplings: list[Number], b: Number, q: int) -> Number:
    """E ReLU(b + Σ_j g_j u_j)^q: signed sums over the corners of the cube, over Π g_j. Exact in fractions."""
    couplings = [g for g in couplings if g != 0]
    k, total, volume = len(couplings), 0 * b, 1
    for corner in product((0, 1), repeat=k):
        z = b + sum(g for g, there in zip(couplings, corner, strict=True) if there)
        if z > 0:
            total += (-1) ** (k - sum(corner)) * z ** (q + k)
    for g in couplings:
        volume *= g
    return total * factorial(q) / volume / factorial(q + k)


def plain_loss(toy: Toy, number: type = Fraction) -> list[Number]:
    """I_i E(x_i - x'_i)² of every feature; floats become fractions without rounding."""
    W = [[number(float(w)) for w in row] for row in toy.W]
    b, importance, probability = (
        [number(float(value)) for value in values] for values in (toy.b, toy.importance, toy.probability)
    )
    return plain_loss_of_numbers(W, b, importance, probability)


def plain_loss_of_numbers(
    W: list[list[Number]], b: list[Number], importance: list[Number], probability: list[Number]
) -> list[Number]:
    n = len(b)
    losses = []
    for i in range(n):
        g = [sum(row[i] * row[j] for row in W) for j in range(n)]
        total = 0 * b[i]
        for support in product((False, True), repeat=n):
            weight = 1
            for p, active in zip(probability, support, strict=True):
                weight *= p if active else 1 - p
            if weight == 0:
                continue
            active = [g[j] for j in range(n) if support[j]]
            value = moment(active, b[i], 2)
            if support[i]:
                others = [g[j] for j in range(n) if support[j] and j != i]
                if g[i] != 0:
                    at_one = moment(others, b[i] + g[i], 2)
                    own = (at_one - value) / 2 / g[i]
                else:
                    own = moment(others, b[i], 1) / 2
                value += type(b[i])(1) / 3 - 2 * own
            total += weight * value
        losses.append(importance[i] * total)
    return losses


def plain_gradient(toy: Toy) -> tuple[np.ndarray, np.ndarray]:
    """dW and db of the summed loss: differences in fractions, over 2^-80: no rounding."""
    step = Fraction(1, 2**80)
    W = [[Fraction(float(w)) for w in row] for row in toy.W]
    b, importance, probability = (
        [Fraction(float(value)) for value in values] for values in (toy.b, toy.importance, toy.probability)
    )

    def slope(values: list[Fraction], index: int) -> float:
        there = values[index]
        ends = []
        for values[index] in (there + step, there - step):
            ends.append(sum(plain_loss_of_numbers(W, b, importance, probability)))
        values[index] = there
        return float((ends[0] - ends[1]) / (2 * step))

    dW = np.array([[slope(row, i) for i in range(len(b))] for row in W])
    return dW, np.array([slope(b, i) for i in range(len(b))])


# --- sampling ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """Of each feature, and in the last place of their sum."""

    loss: np.ndarray
    standard_error: np.ndarray


def sampled_loss(toy: Toy, n_samples: int, rng: np.random.Generator, at_least: int = 256) -> Estimate:
    """Samples within each support, weighted by the support's exact probability.

    Plain samples are no use where p = 1e-4: what is not seen has no error either. Of n_samples each support
    gets its share of those that are not empty, `at_least` that many.
    """
    n = len(toy.b)
    G = toy.W.T @ toy.W
    loss, variance = np.zeros(n + 1), np.zeros(n + 1)
    rarely_empty = 1.0 - np.prod(1.0 - toy.probability)
    for support in product((False, True), repeat=n):
        active = np.array(support)
        weight = np.prod(np.where(active, toy.probability, 1.0 - toy.probability))
        if weight == 0.0:
            continue
        size = max(at_least, round(n_samples * weight / rarely_empty)) if active.any() else 2
        x = rng.random((active.sum(), size))
        errors = np.maximum(G[:, active] @ x + toy.b[:, None], 0.0)
        errors[active] -= x
        errors = toy.importance[:, None] * errors**2
        for row, values in enumerate((*errors, errors.sum(axis=0))):
            loss[row] += weight * values.mean()
            variance[row] += weight**2 * values.var(ddof=1) / size
    return Estimate(loss, np.sqrt(variance))
