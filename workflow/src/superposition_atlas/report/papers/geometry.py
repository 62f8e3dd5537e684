"""The geometry of equally frequent features: dimensions per feature, and fractions that they cluster at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.polytopes import (
    DENSE_LEVEL,
    EVERY,
    FARTHEST_MOVE,
    LEAST_DIMENSIONALITY,
    LINE_FRACTION,
    NEAR_FRACTION,
    NEAR_LEVEL,
    POLYTOPES,
)
from superposition_atlas.metrics.verdicts import State, difference_verdict
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.papers.shares import Average, average_of, difference_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import (
    ARROW,
    THIN,
    between,
    count,
    enumerated,
    fixed,
    percent,
    sentence,
)
from superposition_atlas.storage.layout import experiment_table

_COLUMNS = (
    *("case", "run", "fraction", "n_levels", "n_levels_near", "n_levels_by_chance"),
    *("n_features", "n_near", "n_near_by_chance", "n_on_line", "n_on_line_by_chance"),
    *("n_in_polytope", "polytope_on_line", "n_of_polytope", "mean_of_polytope"),
)
_LEVELS, _SHARE, _LINE, _HALF = 0.5, 0.02, 0.005, 0.05
"""Smallest differences of interest: levels; shares of features at any fraction, and at one; and of shares in
the polytope from a half."""
_OF_A_HALF = "1/2"
_NOUNS = {polytope.name: f"{polytope.name}s" for polytope in POLYTOPES} | {
    "alone": "features alone",
    "tetrahedron": "tetrahedra",
}


@dataclass(frozen=True)
class Published:
    """The one run that the notebook of the paper's authors has saved in its figures, as others count it.

    The figures of toy_models.ipynb in github.com/anthropics/toy-models-of-superposition (commit 562710e) hold
    D* and all D_i of a run at this size; djhulme1/ecdysis-core (tms/test_check.py, commit c07692d) counts in
    them with the limits that `metrics.polytopes` has. The notebook prints no such number itself.
    """

    n_features: int = 200
    n_hidden: int = 20
    n_levels_near_half: int = 4
    n_levels: int = 20
    n_near: int = 305
    n_counted: int = 1155


PUBLISHED = Published()


@dataclass(frozen=True)
class FractionFacts:
    """Features at one fraction, or at any, over runs, as shares of the counted features."""

    fraction: str
    near: Average
    near_by_chance: Average
    clusters: State
    """Whether more are near it than by chance."""
    on_line: Average
    on_line_by_chance: Average
    is_line: State
    """The same of its line."""
    in_polytope: Average
    """Share of the features on the line; NaN where no run has any."""
    is_polytope: State
    """Whether that is more than half."""
    found_on_line: str
    """What most of the features on the line belong to in most runs; empty where none is."""
    polytope_mean: float
    """Mean D_i of the features in the polytope, wherever it is; NaN where there are none."""


@dataclass(frozen=True)
class GeometryFacts:
    """What the runs of one case have."""

    n_runs: int
    n_levels: int
    levels_near_half: Average
    fewest_levels: int
    most_levels: int
    levels_by_chance: Average
    sticks: State
    every: FractionFacts
    each: list[FractionFacts]
    """Without the first, which stands for features alone: superposition has none."""


def facts_of(fractions: pd.DataFrame) -> GeometryFacts:
    """Facts of the rows of one case of `metrics.polytopes.fraction_table`."""
    half = fractions[fractions["fraction"] == _OF_A_HALF]
    every = fractions[fractions["fraction"] == EVERY]
    near, chance = half["n_levels_near"].to_numpy(float), half["n_levels_by_chance"].to_numpy(float)
    named = [polytope.written for polytope in POLYTOPES[1:]]
    return GeometryFacts(
        n_runs=len(half),
        n_levels=int(half["n_levels"].max()),
        levels_near_half=average_of(near),
        fewest_levels=int(near.min()),
        most_levels=int(near.max()),
        levels_by_chance=average_of(chance),
        sticks=difference_of(near, chance, _LEVELS, "larger")[1],
        every=_fraction(every, EVERY, 1),
        each=[_fraction(fractions[fractions["fraction"] == name], name, len(named)) for name in named],
    )


def section(studied: Studied) -> Written:
    """Whether dimensions per feature stay at 1/2, and whether features cluster at fractions beyond chance."""
    found: list[Block] = [blocks.heading("Fractions of a dimension"), blocks.paragraph(*_definitions())]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        path = experiment_table(experiment.name, "fractions")
        table = studied.ledger.read(path, _COLUMNS)
        for case, own in table.groupby("case", sort=False):
            facts = facts_of(own)
            studied.ledger.note(path, f"geometry.{experiment.name}.{case}", facts)
            statements += _statements(experiment, facts)
            found += [
                blocks.paragraph(_setting(experiment, facts), *_sentences(experiment, facts)),
                _table(f"{experiment.name}-{case}", facts),
            ]
        for module in ("dimensionalities", "fractions"):
            found += studied.figures.blocks(studied.figures.of_module(module, experiment=experiment.name))
    return Written(found, statements)


def _definitions() -> list[str]:
    return [
        "All features are equally important and equally frequent. *Dimensions per feature* are the number of "
        "hidden dimensions over the squared norm of the weights; $D_i$ is the same of one feature.",
        f"We count features with $D_i$ of at least {LEAST_DIMENSIONALITY:g} of toy models with less than "
        f"{DENSE_LEVEL:g} dimensions per feature. A feature is *near* a fraction within {NEAR_FRACTION:g} if "
        f"no other is nearer, and on its *line* within {LINE_FRACTION:g}; a toy model is near it within "
        f"{NEAR_LEVEL:g}. *By chance* is what lies in windows as wide, up to {FARTHEST_MOVE:g} half widths "
        "above and below, that meet none of the fractions’: values that spread smoothly have as many in "
        "both.",
        "Features are connected if the absolute cosine of their weights is above 0.2. A group of connected "
        "features is the polytope with as many features and as many dimensions.",
    ]


def _setting(experiment: Experiment, facts: GeometryFacts) -> str:
    return (
        f"{count(facts.n_runs, 'run', 'runs')} of {count(facts.n_levels, 'density', 'densities')} each, "
        f"{experiment.n_features}{ARROW}{experiment.n_hidden}:"
    )


def _sentences(experiment: Experiment, facts: GeometryFacts) -> list[str]:
    lines = [own.fraction for own in facts.each if own.is_line == "supported"]
    beside = (
        f"The notebook’s run has {PUBLISHED.n_levels_near_half} of {PUBLISHED.n_levels} levels near 1/2 and "
        f"{percent(PUBLISHED.n_near / PUBLISHED.n_counted)} of {PUBLISHED.n_counted} features near a "
        "fraction, as counted in its saved figures [@counted]; it prints neither number [@notebook]."
    )
    return [
        f"{_levels(facts)}.",
        f"{sentence(_near(facts))}.",
        f"Taken one by one, more features than by chance are on the lines of {enumerated(lines)}."
        if lines
        else "No line has more features than by chance.",
        _means(facts),
        beside if _is_published(experiment) else "",
    ]


def _is_published(experiment: Experiment) -> bool:
    return (experiment.n_features, experiment.n_hidden) == (PUBLISHED.n_features, PUBLISHED.n_hidden)


def _levels(facts: GeometryFacts) -> str:
    fewest, most = facts.fewest_levels, facts.most_levels
    by_run = f"from {fewest} to {most} by run" if fewest < most else "as many in every run"
    return (
        f"{facts.levels_near_half.words(1)} of {facts.n_levels} levels are near 1/2, {by_run}; "
        f"{facts.levels_by_chance.words(1)} would be by chance"
    )


def _near(facts: GeometryFacts) -> str:
    near, chance = _percents(facts.every.near), _percents(facts.every.near_by_chance)
    return f"{near}{THIN}% of the features are near a fraction, {chance}{THIN}% would be by chance"


def _statements(experiment: Experiment, facts: GeometryFacts) -> list[Statement]:
    is_published = _is_published(experiment)
    levels = f"; the notebook’s run has {PUBLISHED.n_levels_near_half} [@counted]" if is_published else ""
    near = f"; the notebook’s run {percent(PUBLISHED.n_near / PUBLISHED.n_counted)}" if is_published else ""
    lines = [
        f"{own.fraction} {percent(own.on_line.mean, 1)} against {percent(own.on_line_by_chance.mean, 1)} "
        f"({own.is_line})"
        for own in facts.each
    ]
    shapes = [_shape(own) for own in facts.each if not np.isnan(own.in_polytope.mean)]
    return [
        Statement(
            "The number of dimensions per feature is “sticky” at 1/2 [@tms].",
            f"{_levels(facts)}{levels}",
            facts.sticks,
        ),
        Statement(
            "The features’ $D_i$ cluster at fractions: 1, 3/4, 2/3, 1/2, 2/5 and 3/8.",
            f"{sentence(_near(facts))}{near}",
            facts.every.clusters,
        ),
        Statement(
            "There is a line at each of 3/4, 2/3, 1/2, 2/5 and 3/8.",
            f"On the line against by chance: {', '.join(lines)}",
            _all_of([own.is_line for own in facts.each]),
        ),
        Statement(
            "Each line is a polytope: tetrahedron, triangle, antipodal pair, pentagon, square antiprism.",
            f"{sentence(_shapes(facts))}: {', '.join(shapes)}",
            _all_of([own.is_polytope for own in facts.each if not np.isnan(own.in_polytope.mean)]),
        ),
    ]


def _shape(own: FractionFacts) -> str:
    """`2/5 48 %`, and what else is on the line."""
    text = f"{own.fraction} {percent(own.in_polytope.mean)}"
    named = {polytope.written: polytope.name for polytope in POLYTOPES}[own.fraction]
    others = "" if own.found_on_line == named else f"mostly {_NOUNS.get(own.found_on_line, 'others')}, "
    return f"{text} ({others}{own.is_polytope})"


def _shapes(facts: GeometryFacts) -> str:
    return f"{_percents(facts.every.in_polytope)}{THIN}% of the features on a line belong to its polytope"


def _means(facts: GeometryFacts) -> str:
    """Where polytopes are, whatever their fraction."""
    means = [
        f"{fixed(own.polytope_mean, 3)} in {_NOUNS[polytope.name]} ({polytope.written})"
        for own, polytope in zip(facts.each, POLYTOPES[1:], strict=True)
        if not np.isnan(own.polytope_mean)
    ]
    return f"The mean $D_i$ is {enumerated(means)}." if means else ""


def _table(name: str, facts: GeometryFacts) -> Block:
    shape = {polytope.written: polytope.name for polytope in POLYTOPES}
    rows = [
        (
            "any" if own.fraction == EVERY else own.fraction,
            shape.get(own.fraction, ""),
            _percents(own.near),
            fixed(100 * own.near_by_chance.mean, 1),
            _percents(own.on_line),
            fixed(100 * own.on_line_by_chance.mean, 1),
            _percents(own.in_polytope),
            fixed(own.polytope_mean, 3),
        )
        for own in (*facts.each, facts.every)
    ]
    columns = ("Near", "chance", "On the line", "chance", "In the polytope", "its $D_i$")
    return blocks.table(
        f"fractions-{name}",
        "**Features at the named fractions.** Per cent of the counted features, and of those on the line; "
        "means over runs with 95 % intervals. Last the mean $D_i$ of all features in the polytope.",
        [("", "left"), ("Polytope", "left"), *((column, "right") for column in columns)],
        rows,
    )


def _fraction(rows: pd.DataFrame, name: str, n_tests: int) -> FractionFacts:
    rows = rows[rows["n_features"] > 0]
    n = rows["n_features"].to_numpy(float)
    near, near_chance, line, line_chance = (
        rows[column].to_numpy(float) / n
        for column in ("n_near", "n_near_by_chance", "n_on_line", "n_on_line_by_chance")
    )
    shares = _in_polytope(rows)
    names = rows.loc[rows["n_on_line"] > 0, "polytope_on_line"].dropna()
    of_it = rows[rows["mean_of_polytope"].notna()]
    n_of_it = int(of_it["n_of_polytope"].sum())
    return FractionFacts(
        fraction=name,
        near=average_of(near),
        near_by_chance=average_of(near_chance),
        clusters=_more(near - near_chance, _SHARE if name == EVERY else _LINE, n_tests),
        on_line=average_of(line),
        on_line_by_chance=average_of(line_chance),
        is_line=_more(line - line_chance, _LINE, n_tests),
        in_polytope=average_of(shares),
        is_polytope=_more(shares - 0.5, _HALF, n_tests),
        found_on_line=str(names.mode().iloc[0]) if len(names) else "",
        polytope_mean=float((of_it["n_of_polytope"] * of_it["mean_of_polytope"]).sum() / n_of_it)
        if n_of_it
        else np.nan,
    )


def _more(excess: Float[np.ndarray, " run"], smallest: float, n_tests: int) -> State:
    return difference_verdict(excess, smallest, n_tests).of_claim("larger") if len(excess) else "open"


def _in_polytope(rows: pd.DataFrame) -> Float[np.ndarray, " run"]:
    """Share of the features on the line, of each run that has any."""
    rows = rows[rows["n_on_line"] > 0]
    return (rows["n_in_polytope"] / rows["n_on_line"]).to_numpy(float)


def _all_of(verdicts: Sequence[State]) -> State:
    """The verdict on a statement that makes several; open where it makes none."""
    if "contradicted" in verdicts:
        return "contradicted"
    return "supported" if set(verdicts) == {"supported"} else "open"


def _percents(own: Average) -> str:
    """`22.1 (20.0–24.2)`; ends of an interval that no share has are cut off; a dash where it is unknown."""
    mean = fixed(100 * own.mean, 1)
    if np.isnan(own.low):
        return mean
    return f"{mean} ({between(100 * max(own.low, 0.0), 100 * min(own.high, 1.0), 1)})"
