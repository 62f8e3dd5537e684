"""The families of schedules: the keys of each, and the types that keys of a configuration share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from superposition_atlas.settings.rules import DISTINCT, Length, OneOf, Pattern, Range, Text, Worded

NAME = Text(
    "[A-Za-z][A-Za-z0-9_-]{0,63}", words="a letter followed by letters, digits, _ or -, at most 64 in all"
)

# No control characters, no halves of characters, none that XML, and so an SVG, can't hold.
Title = Annotated[
    str, Pattern("[^\\x00-\\x1f\\x7f\\ud800-\\udfff\\ufffe\\uffff]*"), Worded("text on one line")
]
Name = Annotated[str, NAME]
Size = Annotated[int, Range(1, 100_000)]
Seed = Annotated[int, Range(0, 2**63 - 1), Worded("an integer ≥ 0 and below 2^63")]
Seeds = Annotated[tuple[Seed, ...], Length(1), DISTINCT, Worded("a list of distinct integers ≥ 0")]
Shards = Annotated[int, Range(1, 1000)] | Literal["auto"]
Positive = Annotated[float, Range(above=0)]
Share = Annotated[float, Range(above=0, most=1)]

NOTHING: Mapping[str, Any] = MappingProxyType({})


FAMILIES: dict[str, type] = {}
SCHEDULE = OneOf("family", FAMILIES)
Schedule = Annotated[Mapping[str, Any], SCHEDULE]
CaseSchedule = Literal["base"] | Schedule


class Constant:
    """The same value for every feature."""

    value: float
    """Value of every feature."""


class Linear:
    """Equal steps from the first feature to the last."""

    first: float
    """Value of feature 0."""
    last: float
    """Value of feature n − 1."""


class Geometric:
    """Equal ratios between neighbours; takes either `last` or `ratio`."""

    first: Positive
    """Value of feature 0."""
    last: Positive | None = None
    """Value of feature n − 1."""
    ratio: Positive | None = None
    """Value of a feature over that of the one before."""


class Zipf:
    """Power law, first · (i + 1)^−exponent."""

    first: float
    """Value of feature 0."""
    exponent: float
    """How fast it falls; 1 is Zipf's law."""


class RandomUniform:
    """Independent draws, uniform between two values."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    seed: Seed
    """Seed of the draws; another seed, other draws."""


class LogUniform:
    """Independent draws whose logarithm is uniform between those of two values."""

    low: Positive
    """Lower end."""
    high: Positive
    """Upper end."""
    seed: Seed
    """Seed of the draws; another seed, other draws."""


class Explicit:
    """A list, one value a feature."""

    values: Annotated[tuple[float, ...], Length(1)]
    """One value for each feature."""


class Permutation:
    """The values of another schedule in another order; takes either `order` or `seed`."""

    of: CaseSchedule
    """The schedule whose values are taken."""
    order: (
        Literal["reversed"] | Annotated[tuple[Annotated[int, Range(0)], ...], Length(1), DISTINCT] | None
    ) = None
    """`reversed`, or a list of the features whose values the features take."""
    seed: Seed | None = None
    """Seed of a random order; another seed, another order."""


class Mean:
    """The mean of another schedule, the same for every feature."""

    of: CaseSchedule
    """The schedule whose mean is taken."""


class PerInstance:
    """One value a toy model, the same for all its features: the k-th toy model of a case takes the value
    k mod `count` of another schedule.
    """

    of: Schedule
    """The schedule that runs over the toy models."""
    count: Size
    """Number of values; at most the number of seeds."""


FAMILIES.update(
    constant=Constant,
    linear=Linear,
    geometric=Geometric,
    zipf=Zipf,
    random_uniform=RandomUniform,
    log_uniform=LogUniform,
    explicit=Explicit,
    permutation=Permutation,
    mean=Mean,
    per_instance=PerInstance,
)


# --- features that depend on one another -------------------------------------------------------------------

Features = Annotated[tuple[Annotated[int, Range(0)], ...], Length(1), DISTINCT]

FORMS: dict[str, type] = {}
GROUP = OneOf("form", FORMS)
Structure = Annotated[
    tuple[Annotated[Mapping[str, Any], GROUP], ...], Worded("a list of groups, which may be empty")
]


class Together:
    """Correlated as far as probabilities allow: where the rarer of two is active, so is the other."""

    features: Features
    """The features, counted from 0."""


class Exclusive:
    """No two are ever active together; the probabilities sum to at most 1."""

    features: Features
    """The features, counted from 0."""


class Tree:
    """A child is active only with its parent, and never with another child of the same parent."""

    features: Features
    """The features, counted from 0."""
    parents: Annotated[tuple[Annotated[int, Range(-1)], ...], Length(1)]
    """The parent of each, −1 for none; the probabilities of the children of one parent sum to at most its
    own."""


class Intervals:
    """The general form: all share a number u ~ U[0, 1], and i is active iff u is in [a_i, a_i + p_i)."""

    features: Features
    """The features, counted from 0."""
    starts: Annotated[tuple[Annotated[float, Range(0, 1)], ...], Length(1)]
    """a_i of each, at most 1 − p_i."""


FORMS.update(together=Together, exclusive=Exclusive, tree=Tree, intervals=Intervals)
