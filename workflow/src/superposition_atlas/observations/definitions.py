"""The talk's observations, each defined once: the author's words, the schedules it is about, the question.

Claims, the atlas, the answer, figures and the report all read OBSERVATIONS. A question is put to each toy
model (or best solution) of `measured.Measured`; its kind says what becomes of the answers:

    models        yes or no for each toy model: the share of toy models is judged
    features      a count of features, and of how many: the share of represented features is judged
    difference    a number for each toy model, minus that of a rival schedule at the same seed: the mean is
                  judged
    distribution  a number for each toy model, which is counted and not judged
    sentence      yes or no for each toy model, counted for one sentence and not judged
    regression    no question to a toy model: `maps.effects` has the coefficients, and no verdict
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.metrics.verdicts import FEATURE_DIFFERENCE, NORM_DIFFERENCE
from superposition_atlas.observations import scopes
from superposition_atlas.observations.measured import Measured
from superposition_atlas.observations.scopes import PerFeature, Rivals, Scope

Kind = Literal["models", "features", "difference", "distribution", "sentence", "regression"]
Values = Bool[np.ndarray, " model"] | Float[np.ndarray, " model"] | Integer[np.ndarray, " model"]
Question = Callable[[Measured], Values]

ANGLE_TOLERANCE = 10.0
"""Degrees by which neighbours in a regular pentagon may miss 72."""
NORM_TOLERANCE = 0.1
"""Share of the mean norm by which a norm in a regular pentagon may miss it."""
ORTHOGONAL_COSINE = 0.1
"""Two features are orthogonal if |cos| is smaller than this."""


# --- questions ---------------------------------------------------------------------------------------------


def not_all_represented(models: Measured) -> Values:
    """At least one feature is not represented."""
    return np.logical_not(models.represented.all(axis=1))


def n_represented(models: Measured) -> Values:
    """Number of represented features."""
    return np.asarray(models.represented.sum(axis=1))


def n_in_superposition(models: Measured) -> Values:
    """Number of represented features without a dimension to themselves."""
    return np.asarray((models.represented & ~models.dedicated).sum(axis=1))


def none_dedicated(models: Measured) -> Values:
    """No feature has a dimension to itself."""
    return np.logical_not(models.dedicated.any(axis=1))


def top_dedicated(models: Measured) -> Values:
    """The most important feature (one of them, where there are more) has a dimension to itself."""
    most_important = models.importance == models.importance.max(axis=1, keepdims=True)
    return (models.dedicated & most_important).any(axis=1)


def n_densest_missing(models: Measured) -> Values:
    """How many features are denser than every represented one: the densest that are missing in a row."""
    densest_there = np.where(models.represented, models.probability, 0.0).max(axis=1, keepdims=True)
    return np.asarray((models.probability > densest_there).sum(axis=1))


def densest_dropped(models: Measured) -> Values:
    """The densest feature (all of them, where there are more) is not represented while a rarer one is."""
    return (n_densest_missing(models) > 0) & models.represented.any(axis=1)


def frobenius_norm(models: Measured) -> Values:
    """Un-squared ‖W‖_F."""
    return models.frobenius_norm


def regular_pentagon(models: Measured) -> Values:
    """All features are represented, as corners of a regular pentagon."""
    angles = np.sort(np.degrees(np.arctan2(models.W[:, 1], models.W[:, 0])), axis=1)
    gaps = np.diff(angles, axis=1, append=angles[:, :1] + 360.0)
    mean_norm = models.norm.mean(axis=1, keepdims=True)
    return np.asarray(
        models.represented.all(axis=1)
        & (np.abs(gaps - 72.0) <= ANGLE_TOLERANCE).all(axis=1)
        & (np.abs(models.norm - mean_norm) <= NORM_TOLERANCE * mean_norm).all(axis=1)
    )


def top_two_orthogonal(models: Measured) -> Values:
    """The two most important features alone are represented, at right angles."""
    two = np.argsort(-models.importance, axis=1, kind="stable")[:, :2]
    wanted = np.zeros_like(models.norm, dtype=bool)
    np.put_along_axis(wanted, two, True, axis=1)
    a, b = (np.take_along_axis(models.W, two[:, None, k : k + 1], axis=2)[:, :, 0] for k in (0, 1))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    is_right = np.abs((a * b).sum(axis=1)) < ORTHOGONAL_COSINE * lengths
    return np.asarray((models.represented == wanted).all(axis=1) & is_right)


# --- the observations --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Observation:
    """A statement of the talk or its post, and the question that it puts to a toy model."""

    name: str
    statement: str
    """The author's words, in their meaning."""
    source: str
    scope: Scope
    kind: Kind
    criterion: str
    """The question in words; with {norm} and {dimensionality} for the thresholds."""
    question: Question | None = None
    whole: Question | None = None
    """What a count of features is a share of."""
    requires: str = ""
    """What its words require, a key of `metrics.verdicts.REQUIREMENTS`; empty without a test."""
    rivals: Rivals | None = None
    """Which schedules it is compared with."""
    smallest: float = 0.0
    """Smallest difference of interest: in features, or as a share of the rival's value."""
    is_relative: bool = False
    brief: str = ""
    """The question in a few words, for figures; empty where a map's figures leave it out."""

    @property
    def is_judged(self) -> bool:
        """Whether its answers get a verdict."""
        return bool(self.requires)

    @property
    def is_control(self) -> bool:
        """Whether it is a question with a known answer, and of neither talk nor post."""
        return self.name.startswith("C")

    @property
    def column(self) -> str:
        """Column of a map's tables with the answers; with `best_` in front, that of the best solution."""
        return getattr(self.question, "__name__", "")


OBSERVATIONS = (
    Observation(
        "O1",
        "In no scenario are all five features represented; it maxes out at four.",
        "talk, slide 12",
        scopes.of_five,
        "models",
        "at least one feature has norm ≤ {norm}",
        not_all_represented,
        requires="always",
        brief="not all represented",
    ),
    Observation(
        "O1-three",
        "Of five features often three are represented.",
        "talk, slide 12",
        scopes.of_five,
        "distribution",
        "the number of features with norm > {norm}",
        n_represented,
    ),
    Observation(
        "O2",
        "The more important, the more sparse: no feature is ever represented independently.",
        "talk, slide 14",
        scopes.opposed,
        "models",
        "no feature has norm > {norm} and D > {dimensionality}",
        none_dedicated,
        requires="always",
        brief="none dedicated",
    ),
    Observation(
        "O2-every",
        "The more important, the more sparse: every feature is always in superposition.",
        "talk, slide 14",
        scopes.opposed,
        "features",
        "of the features with norm > {norm}, those with D ≤ {dimensionality}",
        n_in_superposition,
        n_represented,
        requires="always",
    ),
    Observation(
        "O3",
        "Constant importance: no feature is represented independently.",
        "talk, slide 16",
        scopes.equally_important,
        "models",
        "no feature has norm > {norm} and D > {dimensionality}",
        none_dedicated,
        requires="always",
        brief="none dedicated",
    ),
    Observation(
        "O3-almost",
        "Constant importance: almost every feature is in superposition.",
        "talk, slide 16",
        scopes.equally_important,
        "features",
        "of the features with norm > {norm}, those with D ≤ {dimensionality}",
        n_in_superposition,
        n_represented,
        requires="always",
    ),
    Observation(
        "P1-fewest",
        "The more important, the less sparse: the fewest features are represented.",
        "post, case 1",
        scopes.aligned,
        "difference",
        "the number of features with norm > {norm}, minus that of a rival schedule",
        n_represented,
        requires="smaller",
        rivals=scopes.other_orders,
        smallest=FEATURE_DIFFERENCE,
    ),
    Observation(
        "P1-least",
        "The more important, the less sparse: there is the least superposition.",
        "post, case 1",
        scopes.aligned,
        "difference",
        "the number of features with norm > {norm} and D ≤ {dimensionality}, minus that of a rival schedule",
        n_in_superposition,
        requires="smaller",
        rivals=scopes.other_orders,
        smallest=FEATURE_DIFFERENCE,
    ),
    Observation(
        "P1-top",
        "The more important, the less sparse: the top features get dedicated dimensions.",
        "post, case 1",
        scopes.aligned,
        "models",
        "the most important feature has norm > {norm} and D > {dimensionality}",
        top_dedicated,
        requires="always",
        brief="first dedicated",
    ),
    Observation(
        "P2",
        "Constant importance: the least sparse features are not learned at all.",
        "post, case 4",
        scopes.equally_important,
        "models",
        "the densest feature has norm ≤ {norm} while a rarer one has more",
        densest_dropped,
        requires="always",
        brief="densest dropped",
    ),
    Observation(
        "P2-row",
        "Constant importance: how many of the least sparse features are missing, in a row.",
        "post, case 4",
        scopes.equally_important,
        "distribution",
        "the number of features that are denser than every feature with norm > {norm}",
        n_densest_missing,
    ),
    Observation(
        "P3",
        "Importance decides more than sparsity whether a feature gets a dimension.",
        "post",
        scopes.differently_important,
        "regression",
        "coefficients of log importance and log variance, one standard deviation each",
    ),
    Observation(
        "P4",
        "Uniform sparsity represents most (as the post compares: the norm of its sparsest instance).",
        "post, table of norms",
        scopes.unequal,
        "sentence",
        "the Frobenius norm of W is below the largest among the uniform instances of other densities",
        frobenius_norm,
    ),
    Observation(
        "P4-matched",
        "Uniform sparsity represents most, also at the same mean density (a control that the post lacks).",
        "post, table of norms",
        scopes.unequal,
        "difference",
        "the Frobenius norm of W as a share of that under uniform sparsity of the same mean, minus 1",
        frobenius_norm,
        requires="smaller",
        rivals=scopes.matched_uniform,
        smallest=NORM_DIFFERENCE,
        is_relative=True,
    ),
    Observation(
        "C1",
        "Equally important features at 95 % sparsity form a regular pentagon.",
        "control, known answer",
        scopes.equal_and_rare,
        "models",
        f"all 5 features have norm > {{norm}}, neighbours are 72° ± {ANGLE_TOLERANCE:.0f}° apart, norms are "
        f"within {NORM_TOLERANCE:.0%} of their mean",
        regular_pentagon,
        requires="always",
    ),
    Observation(
        "C2",
        "Without sparsity exactly the two most important features are represented, orthogonally.",
        "control, known answer",
        scopes.never_sparse,
        "models",
        f"they alone have norm > {{norm}}, and |cos| between them is below {ORTHOGONAL_COSINE}",
        top_two_orthogonal,
        requires="always",
    ),
)
"""O: the talk's. P: the post's. C: controls with a known answer."""

BY_NAME = {observation.name: observation for observation in OBSERVATIONS}
IN_PERCENT = frozenset(observation.name for observation in OBSERVATIONS if observation.is_relative)
"""Observations whose differences are shares of the rival's value."""

DRAWN = tuple(observation for observation in OBSERVATIONS if observation.brief)
"""Observations that maps over schedules show."""


def names_about(importance: PerFeature, probability: PerFeature, n_hidden: int) -> list[str]:
    """For each schedule the names of the observations that are about it, apart by spaces."""
    about = {own.name: own.scope(importance, probability, n_hidden) for own in OBSERVATIONS}
    return [
        " ".join(name for name, answers in about.items() if answers[row]) for row in range(len(importance))
    ]


def is_about(names: str, observation: str) -> bool:
    """Whether an observation is among the names that `names_about` gives."""
    return observation in names.split()
