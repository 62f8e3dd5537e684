"""Scopes of observations: which schedules each is about, by importance, probability and size alone.

A scope takes importance and probability, [schedule, feature], and n_hidden, and says yes or no to each
schedule. Exchanging features changes no answer.
"""

import hashlib
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

PerFeature = Float[np.ndarray, "schedule feature"]
Answers = Bool[np.ndarray, " schedule"]
Scope = Callable[[PerFeature, PerFeature, int], Answers]
Rivals = Callable[[PerFeature, PerFeature, PerFeature, PerFeature], Answers]
"""Takes one schedule, [1, feature], and others; says which of those it is compared with."""

PENTAGON_PROBABILITY = 0.05
_DIGITS = 9
"""Significant digits to which importances and probabilities are compared."""
_KEY_DIGITS = 16


def unequal(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Probabilities differ: the scenarios of the talk, as opposed to uniform sparsity."""
    return _differ(probability)


def of_five(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Five features in two dimensions, probabilities differ."""
    return unequal(importance, probability, n_hidden) & (probability.shape[1] == 5) & (n_hidden == 2)


def aligned(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """The more important a feature, the less sparse (case 1)."""
    importance, probability = _rounded(importance), _rounded(probability)
    order = np.lexsort((probability, importance), axis=-1)
    rising = np.diff(np.take_along_axis(probability, order, axis=1), axis=1) >= 0
    return _differ(importance) & _differ(probability) & rising.all(axis=1)


def opposed(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """The more important a feature, the more sparse (case 2)."""
    return aligned(importance, -probability, n_hidden)


def equally_important(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Importance is constant, probabilities differ (case 5 and the post's case 4)."""
    return ~_differ(importance) & _differ(probability)


def differently_important(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Importances differ, and so do probabilities."""
    return _differ(importance) & _differ(probability)


def equal_and_rare(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Five equal features at 95 % sparsity in two dimensions."""
    rare = np.isclose(probability, PENTAGON_PROBABILITY).all(axis=1)
    return ~_differ(importance) & rare & (probability.shape[1] == 5) & (n_hidden == 2)


def never_sparse(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Answers:
    """Features are always active, importances all differ, and there are more than two for two dimensions."""
    gaps = np.diff(np.sort(importance, axis=1), axis=1)
    dense = (probability == 1).all(axis=1) & (gaps > 0).all(axis=1)
    return dense & (probability.shape[1] > 2) & (n_hidden == 2)


# --- what a schedule is compared with ----------------------------------------------------------------------


def other_orders(
    importance: PerFeature, probability: PerFeature, importances: PerFeature, probabilities: PerFeature
) -> Answers:
    """The same probabilities, given to features otherwise: in another order, or to equally important ones."""
    is_itself = (_ordered(importances, probabilities) == _ordered(importance, probability)).all(axis=1)
    same_features = _alike(importance, importances) | ~_differ(importances)
    return _alike(probability, probabilities) & same_features & ~is_itself


def matched_uniform(
    importance: PerFeature, probability: PerFeature, importances: PerFeature, probabilities: PerFeature
) -> Answers:
    """Uniform sparsity of the same mean density, with the same importances."""
    same_mean = np.isclose(probabilities.mean(axis=1), probability.mean(axis=1))
    return ~_differ(probabilities) & same_mean & _alike(importance, importances)


# --- identity ----------------------------------------------------------------------------------------------


def schedule_key(
    importance: Float[np.ndarray, " feature"], probability: Float[np.ndarray, " feature"]
) -> str:
    """A hash that schedules share if and only if they are one up to the names of their features."""
    values = _ordered(importance[None], probability[None])
    return hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()[:_KEY_DIGITS]


def _ordered(importance: PerFeature, probability: PerFeature) -> Float[np.ndarray, "schedule value"]:
    """Both in one row, with the features of each schedule in the order of their values."""
    i, p = _rounded(importance), _rounded(probability)
    order = np.lexsort((p, i), axis=-1)
    return np.concatenate([np.take_along_axis(values, order, axis=1) for values in (i, p)], axis=1)


def _rounded(values: PerFeature) -> PerFeature:
    with np.errstate(divide="ignore"):
        size = np.where(values == 0, 0.0, np.floor(np.log10(np.abs(values))))
    scale = 10.0 ** (_DIGITS - 1 - size)
    return np.round(values * scale) / scale


def _alike(one: PerFeature, others: PerFeature) -> Answers:
    """Whether the values are the same, in whatever order."""
    return np.isclose(np.sort(one, axis=1), np.sort(others, axis=1), rtol=10.0**-_DIGITS, atol=0).all(axis=1)


def _differ(values: PerFeature) -> Answers:
    return ~np.isclose(values.max(axis=1), values.min(axis=1), rtol=10.0**-_DIGITS, atol=0)
