"""Downhill on the exact loss, to a minimum: on from plateaus, where outputs are dead, and saddle points."""

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from superposition_atlas.objects.ensemble import html
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.theory.exact_loss import memory_for, objective_of
from superposition_atlas.theory.quasi_newton import minimise
from superposition_atlas.theory.structures import PerFeature, drop_costs
from superposition_atlas.theory.supports import exact_probability, frequent_states

_ITERATIONS, _GRADIENT = 500, 1e-8
_NEGLECTED = 1e-9
"""Share of the loss of nothing that rare supports may hold and are not looked at on the way down."""
_ROUGHLY_NEGLECTED, _ROUGH_GAIN = 1e-5, 1e-3
"""The same on the way to a first idea of where a start leads to, and the gain that is worth going on for."""
_STATIONARY, _ATTEMPTS = 1e-6, 5
"""BFGS may lose its way halfway down, where the curvature jumps: it then begins anew."""
_SILENT_NORM = 0.1
_DIFFERENCE = 1e-5
_BENT_DOWN, _STEP = -1e-5, 0.05
"""A curvature that is a saddle point's, and how far along it one goes."""

Parameters = Float[np.ndarray, " parameter"]


@dataclass(frozen=True, repr=False, eq=False)
class Minimum:
    """A local minimum of the exact loss."""

    loss: float
    """Mean over the features of I_i E(x_i - x'_i)², comparable with a training loss."""
    W: Float[np.ndarray, "hidden feature"]
    b: PerFeature
    n_starts: int
    """Starts that ended here; 0 where only moving features in another minimum led here."""

    @property
    def structure(self) -> str:
        """How the features represented share dimensions, in words: `pentagon`, `pair, dedicated`, …"""
        # By name: nothing is searched again where the words change.
        words: str = import_module("superposition_atlas.theory.shapes").shape_of(self.W)
        return words

    @property
    def kept(self) -> tuple[int, ...]:
        """The features represented, ascending."""
        kept = import_module("superposition_atlas.metrics.features").represented(self.W[None])[0]
        return tuple(np.flatnonzero(kept).tolist())

    def __repr__(self) -> str:
        kept = ", ".join(map(str, self.kept)) or "none"
        return (
            f"Minimum({self.structure}: features {kept}; loss {self.loss:.6g}, from {self.n_starts} starts)"
        )

    def _repr_html_(self) -> str:
        return html("result", self)


class Landscape:
    """The exact loss of a schedule as a function of W, and of b unless that is held."""

    def __init__(
        self,
        importance: PerFeature,
        probability: PerFeature,
        n_hidden: int,
        held: PerFeature | None = None,
        structure: Intervals | None = None,
    ) -> None:
        """The loss is taken in units of `nothing`, so that tolerances mean the same for rare features."""
        self.probability = probability
        # A copy: kernels would be compiled again for an array that can't be written.
        self.held = None if held is None else np.array(held)
        shared = () if structure is None else (*structure.T.astype(np.float64),)
        self.kinds = np.stack([importance, probability, *shared])
        """What features have for themselves, [quantity, feature]: alike are those with equal columns."""
        self.nothing = float(drop_costs(importance, probability).mean())
        """Loss of representing nothing."""
        self._shape = (n_hidden, len(probability))
        self._scale = self.nothing * len(probability) or 1.0
        self._losses = objective_of(importance, probability, structure)
        self.n_features = len(probability)
        self._many, self._few = (
            frequent_states(importance, probability, share, structure)
            for share in (_NEGLECTED, _ROUGHLY_NEGLECTED)
        )
        self.n_rough_states = len(self._few.starts) - 1
        self._memory = memory_for(self._many, len(probability))
        self._held = np.empty((0, len(probability))) if self.held is None else self.held[None]
        exact = exact_probability(probability, structure)
        self._schedule = np.array(importance, np.float64)[None], np.array(exact, np.float64)[None]

    def descend(self, W: Float[np.ndarray, "hidden feature"], b: PerFeature) -> Minimum:
        """Where it is downhill from W and b to: a minimum, or now and then a saddle point."""
        reached = self._end(W, b)
        for _ in range(_ATTEMPTS if self.held is None else 0):
            silent = self._silent(reached)
            if not silent.any():
                break
            # An output that is never positive has no slope: it can't find the bias p_i / 2 by itself.
            revived = self._end(reached.W, np.where(silent, self.probability / 2, reached.b))
            if revived.loss >= reached.loss:
                break
            reached = revived
        return reached

    def hurry(self, W: Float[np.ndarray, "hidden feature"], b: PerFeature) -> Minimum:
        """Roughly where it is downhill from W and b to: as far as the way down is steep."""
        flat = self._flat(W, b).copy()
        loss, _ = minimise(
            flat,
            self._held,
            *self._schedule,
            self._few,
            self._memory,
            len(W),
            self._scale,
            _GRADIENT,
            _ROUGH_GAIN,
            _ITERATIONS,
        )
        W, b = self._parts(flat)
        return Minimum(loss * self._scale / len(b), W, b.copy(), n_starts=1)

    def past_saddles(self, end: Minimum) -> Minimum:
        """The end itself if it is a minimum, else one below it, downhill along the least curvature."""
        for _ in range(_ATTEMPTS):
            flat = self._flat(end.W, end.b)
            curvature, direction = self._least_curvature(flat)
            if curvature >= _BENT_DOWN:
                break
            sides = [self.descend(*self._parts(flat + step * direction)) for step in (_STEP, -_STEP)]
            lower = min(sides, key=lambda minimum: minimum.loss)
            if lower.loss >= end.loss:
                break
            end = replace(lower, n_starts=end.n_starts)
        return end

    def _silent(self, end: Minimum) -> Bool[np.ndarray, " feature"]:
        """Outputs that are never positive, or barely, of a short column."""
        largest = end.b + np.maximum(end.W.T @ end.W, 0.0).sum(axis=0)
        short = np.linalg.norm(end.W, axis=0) < _SILENT_NORM
        return (largest <= 0.0) | (short & (end.b < self.probability / 4))

    def _end(self, W: Float[np.ndarray, "hidden feature"], b: PerFeature) -> Minimum:
        flat = self._flat(W, b).copy()
        for _ in range(_ATTEMPTS):
            _, steepest = minimise(
                flat,
                self._held,
                *self._schedule,
                self._many,
                self._memory,
                len(W),
                self._scale,
                _GRADIENT,
                0.0,
                _ITERATIONS,
            )
            if steepest <= _STATIONARY:
                break
        W, b = self._parts(flat)
        return Minimum(self._losses(W, b)[0] / len(b), W, b.copy(), n_starts=1)

    def _least_curvature(self, flat: Parameters) -> tuple[float, Parameters]:
        """The lowest eigenvalue of the Hessian, from differences of gradients, and its direction."""
        steps = _DIFFERENCE * np.eye(len(flat))
        slopes = np.array(
            [self._objective(flat + step)[1] - self._objective(flat - step)[1] for step in steps]
        )
        curvatures, directions = np.linalg.eigh((slopes + slopes.T) / (4 * _DIFFERENCE))
        return float(curvatures[0]), directions[:, 0]

    def _objective(self, flat: Parameters) -> tuple[float, Any]:
        loss, dW, db = self._losses(*self._parts(flat))
        slope = dW.ravel() if self.held is not None else np.concatenate([dW.ravel(), db])
        return loss / self._scale, slope / self._scale

    def _flat(self, W: Float[np.ndarray, "hidden feature"], b: PerFeature) -> Parameters:
        return W.ravel() if self.held is not None else np.concatenate([W.ravel(), b])

    def _parts(self, flat: Parameters) -> tuple[Float[np.ndarray, "hidden feature"], PerFeature]:
        n_weights = self._shape[0] * self._shape[1]
        return flat[:n_weights].reshape(self._shape), flat[n_weights:] if self.held is None else self.held
