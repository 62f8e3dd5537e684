"""Basic results: how many features are represented, and how, as density falls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report import blocks
from superposition_atlas.report.facts.density_facts import (
    AtDensity,
    by_density,
    more_as_sparser,
    more_at_last,
)
from superposition_atlas.report.papers.counted import Counted, arrow, counted, in_a_line, joint
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import enumerated, fixed, short


@dataclass(frozen=True)
class _Size:
    """An experiment's cases by their output."""

    name: str
    where: str
    n_hidden: int
    linear: list[AtDensity]
    relu: list[AtDensity]
    models: pd.DataFrame
    """Toy models of the ReLU output, one row each."""

    @property
    def densities(self) -> list[float]:
        """The densest first."""
        return [own.density for own in self.relu]

    @property
    def first_shared(self) -> AtDensity | None:
        """The densest at which most toy models have features in superposition."""
        return next((own for own in self.relu if own.n_shared > own.n_models / 2), None)

    def means(self, a_dimension: bool = False) -> str:
        """Mean numbers of represented features, the densest first."""
        unit = self.n_hidden if a_dimension else 1
        return f"{self.where}: {', '.join(fixed(own.mean_represented / unit, 1) for own in self.relu)}"


def basic_results(studied: Studied) -> Written:
    """Linear outputs keep the most important features; ReLUs do when dense, and share dimensions when not."""
    sizes = [own for one in studied.experiments if (own := _size(studied, one)) is not None]
    shown = [figure for figure in studied.figures.all if figure.section == "basic_results"]
    return Written(
        [
            blocks.heading("Basic results"),
            blocks.paragraph(
                "A toy model has a linear output or a ReLU; all features have one density (1 − S in the "
                "paper, the feature probability here), and importance falls from feature to feature. A "
                "feature is represented if $norm_i>0.5$, dedicated if also $D_i>0.9$, else in superposition. "
                "Every density has toy models of its own.",
                *(_counts(size) for size in sizes),
            ),
            *studied.figures.blocks(shown, floats=False),
        ],
        _statements(sizes) if sizes else [],
    )


def _size(studied: Studied, experiment: Experiment) -> _Size | None:
    cases = {case.training.output: case.name for case in experiment.cases.values()}
    if "relu" not in cases:
        return None
    relu, models = by_density(studied.ledger, experiment, cases["relu"])
    linear = by_density(studied.ledger, experiment, cases["linear"])[0] if "linear" in cases else []
    where = arrow(experiment.n_features, experiment.n_hidden)
    return _Size(experiment.name, where, experiment.n_hidden, linear, relu, models)


def _counts(size: _Size) -> str:
    numbers = enumerated([fixed(own.mean_represented, 1) for own in size.relu])
    densities = enumerated([short(own.density) for own in size.relu])
    alone = enumerated([fixed(own.mean_dedicated, 1) for own in size.relu])
    return (
        f"At {size.where}, toy models with ReLUs represent {numbers} features on average at densities of "
        f"{densities}; {alone} of them are dedicated ([[figure:{size.name}_basic_results]])."
    )


def _statements(sizes: Sequence[_Size]) -> list[Statement]:
    shares = [(words, tests) for words, tests in _shares(sizes) if tests]
    statements = [
        Statement(words, in_a_line(tests), joint(own.verdict for own in tests)) for words, tests in shares
    ]
    statements.append(_more(sizes))
    if len(sizes) > 1:
        statements.append(_rescaled(sizes, [tests for _, tests in shares]))
    return statements


def _shares(sizes: Sequence[_Size]) -> Iterator[tuple[str, list[Counted]]]:
    """Statements about shares of toy models, and a test at each size."""

    def at(
        place: Callable[[_Size], AtDensity | None], count: Callable[[AtDensity], int], required: str
    ) -> list[Counted]:
        found = [(size.where, place(size)) for size in sizes]
        return [
            counted(f"{where} at {short(own.density)}", count(own), own.n_models, required)
            for where, own in found
            if own is not None
        ]

    def everywhere(counts: Callable[[_Size], tuple[int, int]], required: str) -> list[Counted]:
        found = [(size.where, counts(size)) for size in sizes]
        return [counted(where, *own, required) for where, own in found if own[1]]

    yield (
        "A linear model learns the *m* most important features, orthogonally and no others, at every density "
        "[@tms].",
        everywhere(
            lambda size: (sum(own.n_top for own in size.linear), sum(own.n_models for own in size.linear)),
            "always",
        ),
    )
    yield (
        "With a ReLU it behaves the same on dense features.",
        at(lambda size: size.relu[0], lambda own: own.n_top, "at least mostly"),
    )
    yield (
        "Superposition starts with the less important features, and dedicated ones are more important.",
        everywhere(
            lambda size: (
                sum(own.n_less_important_share for own in size.relu),
                sum(own.n_mixed for own in size.relu),
            ),
            "at least mostly",
        ),
    )
    yield (
        "The first superposition is in antipodal pairs: most features in superposition have an antipode.",
        at(lambda size: size.first_shared, lambda own: own.n_mostly_pairs, "at least mostly"),
    )
    yield (
        "At high sparsity all features are in superposition: none is dedicated.",
        at(lambda size: size.relu[-1], lambda own: own.n_none_dedicated, "at least mostly"),
    )
    yield (
        "The pairs give way to other geometry there: seldom do most of them have an antipode.",
        at(lambda size: size.relu[-1], lambda own: own.n_mostly_pairs, "at most seldom"),
    )
    yield (
        "Most biases of represented features are negative there.",
        at(lambda size: size.relu[-1], lambda own: own.n_negative_biases, "at least mostly"),
    )


def _more(sizes: Sequence[_Size]) -> Statement:
    verdicts: list[State] = []
    for size in sizes:
        verdicts += more_as_sparser(size.models, size.densities)
        verdicts.append(more_at_last(size.models, size.densities))
    means = "; ".join(size.means() for size in sizes)
    return Statement(
        "The sparser the features, the more are represented: no fewer at any step, and more at the end.",
        f"Means: {means}",
        joint(verdicts),
    )


def _rescaled(sizes: Sequence[_Size], tests: Sequence[Sequence[Counted]]) -> Statement:
    """Whether each statement has the same verdict at every size."""
    by_statement = [{one.verdict for one in own} for own in tests if len(own) == len(sizes)]
    n_same = sum(len(own) == 1 for own in by_statement)
    verdict: State = "supported" if n_same == len(by_statement) else "open"
    if any({"supported", "contradicted"} <= own for own in by_statement):
        verdict = "contradicted"
    per_dimension = "; ".join(size.means(a_dimension=True) for size in sizes)
    return Statement(
        "More features and dimensions give a rescaled version of the same.",
        f"{n_same} of the {len(by_statement)} shares above have one verdict at all sizes; represented "
        f"features a dimension: {per_dimension}",
        verdict,
    )
