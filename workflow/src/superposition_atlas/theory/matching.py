"""The matching: which features a toy model represents, from two closed-form costs and no training.

A hidden dimension saves V_i = I_i (p_i / 3 - p_i² / 4) if it is feature i's alone, and V_i + V_j - c_ij with
c_ij = p_ij (I_i + I_j) / 6 if i and j share it as an antipodal pair (`structures`; magnitudes U[0, 1]), where
p_ij is the probability that both are active, p_i p_j of independent features.
The features represented are those of the m groups that save most together, no feature in two of them: a
maximum-weight matching with at most m edges. Polygons (all features rare) are not part of it: `predictor`.

Method: features of equal importance and probability are one *kind*, and a solution is a number for each group
of kinds. The linear program over all groups is solved by column generation; its prices bound every solution
from above. An integer program over the groups that these prices do not exclude has the optimum.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array

from superposition_atlas.covered_models import PLAIN, require_settings
from superposition_atlas.errors import ArgumentError, TheoryError
from superposition_atlas.sampling.structure import Intervals, joint_probability
from superposition_atlas.schedules.schedule import Schedule, one_schedule, one_structure
from superposition_atlas.theory.structures import PerFeature, Structure, drop_costs, pair_costs
from superposition_atlas.toy_model import ToyModels

LARGEST_N_FEATURES = 4000
"""Pairs are a matrix: 4,000 features take 128 MB for each of a few."""

Label = Literal["alone", "shared", "absent"]

_TOTAL = 1e4
"""Weights are scaled to this sum: HiGHS has absolute tolerances of 1e-7 and 1e-6."""
_FIRST_PARTNERS = 8
"""Partners of each kind in the first linear program."""
_VIOLATION = 1e-9
"""A group joins the linear program if it saves more than its prices by this share of all weights."""
_SLACK = 1e-9
"""Share of all weights that rounding may cost a proof."""
_SECONDS = 60.0
"""Time limit of an integer program; `Matching.gap` states what is not proved when it ends."""


@dataclass(frozen=True, repr=False, eq=False)
class Matching:
    """The best way to give m hidden dimensions to single features and to antipodal pairs."""

    n_features: int
    n_hidden: int
    alone: tuple[int, ...]
    """Features with a dimension to themselves, ascending."""
    pairs: tuple[tuple[int, int], ...]
    """Features that share a dimension, each pair and the pairs ascending."""
    saved: float
    """Part of `cost + saved`, the loss of representing nothing, that representing these features saves."""
    cost: float
    """Σ_i I_i E(x_i - x'_i)² by the two closed forms: V_i of each absent feature and c_ij of each pair."""
    gap: float
    """No matching saves more than `saved + gap`: a share of 1e-9 of the loss of nothing, or less, is
    rounding."""

    @property
    def kept(self) -> tuple[int, ...]:
        """The features represented, ascending."""
        return tuple(sorted([*self.alone, *(feature for pair in self.pairs for feature in pair)]))

    @property
    def absent(self) -> tuple[int, ...]:
        """The features not represented, ascending."""
        return tuple(sorted(set(range(self.n_features)) - set(self.kept)))

    @property
    def is_kept(self) -> Bool[np.ndarray, " feature"]:
        """Whether each feature is represented."""
        return self.labels != "absent"

    @property
    def labels(self) -> np.ndarray:
        """Each feature's label, an array of words: alone, shared or absent."""
        labels = np.full(self.n_features, "absent")
        labels[list(self.alone)] = "alone"
        labels[[feature for pair in self.pairs for feature in pair]] = "shared"
        return labels

    @property
    def partner(self) -> Integer[np.ndarray, " feature"]:
        """The feature that shares each one's dimension, -1 where none does."""
        partner = np.full(self.n_features, -1)
        for i, j in self.pairs:
            partner[i], partner[j] = j, i
        return partner

    @property
    def structure(self) -> Structure:
        """The same as a structure of `structures`: groups of one and of two."""
        return Structure(tuple(sorted([*((feature,) for feature in self.alone), *self.pairs])))

    @property
    def loss_share(self) -> float:
        """`cost` as a share of the loss of representing nothing, 0 to 1; NaN if that loss is 0."""
        nothing = self.cost + self.saved
        return self.cost / nothing if nothing > 0 else float("nan")

    def __repr__(self) -> str:
        size = f"{self.n_features} features in {self.n_hidden} dimensions"
        groups = f"{len(self.alone)} alone, {2 * len(self.pairs)} in pairs"
        left = f"{self.loss_share:.1%} of the loss left"
        return f"Matching({size}: {len(self.kept)} represented, {groups}, {left})"


def match(
    importance: PerFeature | Schedule | ToyModels,
    probability: PerFeature | None = None,
    n_hidden: int | None = None,
) -> Matching:
    """Which features a toy model represents, alone or in pairs: the matching that saves most.

    Equal features are told apart by their index: the lower ones are alone before they are shared, and
    shared before they are absent.

    Args:
        importance: I_i ≥ 0, [feature]; or a `Schedule`, which needs n_hidden beside it; or `ToyModels`, which
            need nothing else. Both bring their structure.
        probability: 0 < p_i ≤ 1, [feature].
        n_hidden: number of hidden dimensions, m ≥ 1.

    Raises:
        TheoryError: if arguments are missing or given twice, shapes differ, a value is out of its range, the
            instances of a schedule differ, there are more than LARGEST_N_FEATURES features, or the magnitudes
            of toy models are not uniform.
    """
    structure = _structure(importance)
    importance, probability, n_hidden = _arguments(importance, probability, n_hidden)
    joint = None if structure is None else joint_probability(probability, structure)
    if joint is None:
        kinds, kind_of = _kinds(importance, probability)
        pair_cost = np.multiply.outer(kinds[:, 1], kinds[:, 1]) * np.add.outer(kinds[:, 0], kinds[:, 0]) / 6
    else:  # no two features are alike
        kinds, kind_of = np.stack([importance, probability], axis=1), np.arange(len(importance))
        pair_cost = pair_costs(importance, probability, joint)
    n_of = np.bincount(kind_of, minlength=len(kinds))
    worth = drop_costs(*kinds.T)
    total = float(n_of @ worth)
    if total == 0.0:
        return Matching(len(importance), n_hidden, (), (), 0.0, 0.0, 0.0)
    groups = _groups(n_of, worth * (_TOTAL / total), pair_cost * (_TOTAL / total))
    counts, bound = _solve(groups, n_of, n_hidden)
    alone, pairs = _features(groups, counts, kind_of)
    alone += _topped_up(importance, probability, alone, pairs, n_hidden)
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability, joint)
    absent = np.ones(len(importance), dtype=bool)
    absent[alone + [feature for pair in pairs for feature in pair]] = False
    cost = float(dropped[absent].sum() + sum(paired[pair] for pair in pairs))
    saved = float(dropped.sum() - cost)
    gap = max(bound * total / _TOTAL - saved, 0.0)
    return Matching(
        len(importance), n_hidden, tuple(sorted(alone)), tuple(sorted(pairs)), saved, cost, float(gap)
    )


def partner_threshold(
    probability: Float[np.ndarray, "*any"] | float,
    importance: Float[np.ndarray, "*any"] | float,
    partner_importance: Float[np.ndarray, "*any"] | float,
) -> Float[np.ndarray, "*any"]:
    """p_j* = (2 - 1.5 p_i) I_i / (I_i + I_j): i shares j's dimension rather than being absent iff p_j < p_j*.

    The same as c_ij < V_i, solved for the partner's probability. It may be above 1: any partner will do.

    Args:
        probability: p_i of the feature that would join.
        importance: I_i > 0 of the same feature.
        partner_importance: I_j ≥ 0 of the feature whose dimension it is.
    """
    share = np.divide(importance, np.add(importance, partner_importance))
    return np.asarray((2.0 - 1.5 * np.asarray(probability)) * share)


# --- groups of kinds ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Groups:
    """All groups worth a dimension: one of `first` alone where second is -1, else one of each."""

    first: Integer[np.ndarray, " group"]
    second: Integer[np.ndarray, " group"]
    weight: Float[np.ndarray, " group"]
    most: Integer[np.ndarray, " group"]
    """How many of a group there can be at most."""

    def __len__(self) -> int:
        return len(self.first)

    def only(self, chosen: np.ndarray) -> "_Groups":
        """The chosen groups."""
        return _Groups(self.first[chosen], self.second[chosen], self.weight[chosen], self.most[chosen])

    def uses(self, n_kinds: int) -> coo_array:
        """How many of each kind a group takes, and in the last row the one dimension."""
        groups = np.arange(len(self))
        paired = self.second >= 0
        rows = np.concatenate([self.first, self.second[paired], np.full(len(self), n_kinds)])
        columns = np.concatenate([groups, groups[paired], groups])
        return coo_array((np.ones(len(rows)), (rows, columns)), shape=(n_kinds + 1, len(self)))

    def prices(self, price: Float[np.ndarray, " kind"], of_dimension: float) -> Float[np.ndarray, " group"]:
        """Price of the features and of the dimension of each group."""
        return price[self.first] + np.where(self.second >= 0, price[self.second], 0.0) + of_dimension


def _kinds(importance: PerFeature, probability: PerFeature) -> tuple[np.ndarray, np.ndarray]:
    """Distinct (I, p), the most important first, and the kind of each feature."""
    # In this order whatever that of the features is: a permutation of features permutes the result.
    negative, kind_of = np.unique(-np.stack([importance, probability], axis=1), axis=0, return_inverse=True)
    return -negative, kind_of.reshape(-1)


def _groups(n_of: np.ndarray, worth: np.ndarray, cost: np.ndarray) -> _Groups:
    """Every kind alone, and every pair that saves more than the better of its two alone."""
    useful = np.triu(cost < np.minimum.outer(worth, worth))
    np.fill_diagonal(useful, useful.diagonal() & (n_of >= 2))
    first, second = np.nonzero(useful)
    alone = np.flatnonzero(worth > 0)
    most = np.minimum(n_of[first], n_of[second]) // np.where(first == second, 2, 1)
    return _Groups(
        np.concatenate([alone, first]),
        np.concatenate([np.full(len(alone), -1), second]),
        np.concatenate([worth[alone], worth[first] + worth[second] - cost[first, second]]),
        np.concatenate([n_of[alone], most]),
    )


def _solve(groups: _Groups, n_of: np.ndarray, n_hidden: int) -> tuple[np.ndarray, float]:
    """How many of each group, and a bound that no choice exceeds; both in scaled weights."""
    if n_hidden == 1:  # one group: the one that saves most
        largest = groups.weight.argmax()
        return (np.arange(len(groups)) == largest).astype(int), float(groups.weight[largest])
    price, of_dimension, upper = _prices(groups, n_of, n_hidden)
    reduced = groups.weight - groups.prices(price, of_dimension)
    counts, value, best = np.zeros(len(groups), dtype=int), -np.inf, upper
    loss = 1e-3 * upper / n_hidden  # a first guess of what the optimum is below the bound
    while True:
        # A solution that has a group of reduced weight -r saves at most upper - r.
        in_question = np.flatnonzero(reduced >= -loss)
        found, found_value, found_bound = _integer_optimum(groups.only(in_question), n_of, n_hidden)
        if found_value > value:
            counts[:] = 0
            counts[in_question], value = found, found_value
        best = min(best, max(found_bound, upper - loss, value))
        if (
            len(in_question) == len(groups)
            or upper - value <= loss
            or found_bound > found_value + _SLACK * _TOTAL
        ):
            return counts, best
        loss = (upper - value) * (1 + 1e-9) + _SLACK * _TOTAL


def _prices(groups: _Groups, n_of: np.ndarray, n_hidden: int) -> tuple[np.ndarray, float, float]:
    """Prices of each kind and of a dimension, and the bound that they prove (linear program's optimum).

    For any prices ≥ 0 no choice saves more than Σ n_k price_k + m price + what groups save beyond their
    prices, each as often as it can occur (weak duality).
    """
    chosen = np.zeros(len(groups), dtype=bool)
    chosen[groups.second < 0] = True
    for side in (groups.first, groups.second):
        # The best groups of each kind: rank within the kind, by weight.
        order = np.lexsort((-groups.weight, side))
        starts = np.searchsorted(side[order], side[order])
        chosen[order[np.arange(len(groups)) - starts < _FIRST_PARTNERS]] = True
    capacity = np.append(n_of, n_hidden).astype(float)
    while True:
        part = groups.only(np.flatnonzero(chosen))
        solution = linprog(
            -part.weight,
            A_ub=part.uses(len(n_of)).tocsr(),
            b_ub=capacity,
            bounds=np.stack([np.zeros(len(part)), part.most], axis=1),
            method="highs-ds",
        )
        if solution.status != 0:
            raise TheoryError(f"the matching's linear program ended with: {solution.message}")
        prices = np.maximum(-solution.ineqlin.marginals, 0.0)
        beyond = groups.weight - groups.prices(prices[:-1], prices[-1])
        violated = ~chosen & (beyond > _VIOLATION * _TOTAL)
        if not violated.any():
            bound = capacity @ prices + groups.most @ np.maximum(beyond, 0.0)
            return prices[:-1], float(prices[-1]), float(bound)
        chosen |= violated


def _integer_optimum(groups: _Groups, n_of: np.ndarray, n_hidden: int) -> tuple[np.ndarray, float, float]:
    """The best choice among these groups, what it saves, and a bound for all choices among them."""
    solution = milp(
        -groups.weight,
        constraints=LinearConstraint(groups.uses(len(n_of)).tocsr(), ub=np.append(n_of, n_hidden)),
        bounds=Bounds(0, groups.most),
        integrality=np.ones(len(groups)),
        options={"mip_rel_gap": 0.0, "time_limit": _SECONDS},
    )
    if solution.x is None:
        return np.zeros(len(groups), dtype=int), 0.0, float("inf")
    counts = np.rint(solution.x).astype(int)
    return counts, float(groups.weight @ counts), float(-solution.mip_dual_bound)


# --- back to features --------------------------------------------------------------------------------------


def _features(
    groups: _Groups, counts: np.ndarray, kind_of: np.ndarray
) -> tuple[list[int], list[tuple[int, int]]]:
    """Features of the chosen groups: within a kind the lowest first, alone before shared."""
    waiting = [list(np.flatnonzero(kind_of == kind))[::-1] for kind in range(kind_of.max() + 1)]
    alone: list[int] = []
    pairs: list[tuple[int, int]] = []
    for group in np.flatnonzero(counts):  # those of one kind alone come first
        first, second = groups.first[group], groups.second[group]
        for _ in range(counts[group]):
            i = int(waiting[first].pop())
            if second < 0:
                alone.append(i)
            else:
                j = int(waiting[second].pop())
                pairs.append((min(i, j), max(i, j)))
    return alone, pairs


def _topped_up(
    importance: PerFeature,
    probability: PerFeature,
    alone: list[int],
    pairs: list[tuple[int, int]],
    n_hidden: int,
) -> list[int]:
    """Features for dimensions that the program left empty, since they save less than its tolerance."""
    worth = drop_costs(importance, probability)
    worth[alone + [feature for pair in pairs for feature in pair]] = 0.0
    empty = n_hidden - len(alone) - len(pairs)
    return [
        int(feature) for feature in np.argsort(-worth, kind="stable")[: max(empty, 0)] if worth[feature] > 0
    ]


# --- arguments ---------------------------------------------------------------------------------------------


def _structure(schedule: PerFeature | Schedule | ToyModels) -> Intervals | None:
    try:
        return one_structure(schedule)
    except ArgumentError as error:
        raise TheoryError(str(error)) from None


def _arguments(
    importance: PerFeature | Schedule | ToyModels, probability: PerFeature | None, n_hidden: int | None
) -> tuple[PerFeature, PerFeature, int]:
    if isinstance(importance, ToyModels) and (probability is not None or n_hidden is not None):
        raise TheoryError("probability and n_hidden are given twice: must be left out, toy models bring them")
    try:
        require_settings(importance, "the matching's two costs", {"magnitudes": ("uniform",), **PLAIN})
        importance, probability, n_hidden = one_schedule(importance, probability, n_hidden, True)
    except ArgumentError as error:
        raise TheoryError(str(error)) from None
    if len(probability) > LARGEST_N_FEATURES:
        raise TheoryError(
            f"there are {len(probability)} features: at most {LARGEST_N_FEATURES} can be matched"
        )
    return importance, probability, n_hidden
