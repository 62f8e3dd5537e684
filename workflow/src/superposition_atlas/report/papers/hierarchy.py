"""Hierarchies: whether a child shares its parent's dimension, and what SAEs make of the two."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.children import over_children
from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.markup import literal
from superposition_atlas.report.papers.shares import Average, Share, average_of, difference_of, shares_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import enumerated, short
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage.layout import experiment_table

_PAIRS = (
    *("case", "instance", "feature", "other", "probability", "other_probability", "joint_probability"),
    *("cosine", "arrangement", "best", "reaches"),
)
_CHILDREN = (
    *("case", "sae", "architecture", "toy_model", "seed", "parent", "child", "represented", "recall_alone"),
    *("absorption", "parent_in_child", "child_in_parent", "same_latent"),
)
_MEASURES = ("largest_absorption", "parent_in_child", "largest_child_in_parent", "same_latent")
_DIFFERENCE = 0.1
"""Smallest difference of interest between recalls or cosines."""


@dataclass(frozen=True)
class TreeFacts:
    """How parents and children lie in toy models of the case with trees."""

    parent_child: Share
    """Every child is orthogonal to its parent."""
    siblings: Share
    """All children of one parent are antipodal."""
    cosine_parent: Average
    cosine_sibling: Average
    best_parent: str
    best_sibling: str
    reaches: Share | None


@dataclass(frozen=True)
class SAEOfTree:
    """SAEs of one name, on trees and on the same probabilities independent: means over toy models."""

    name: str
    architecture: str
    n_latents: int
    of_tree: dict[str, Average]
    of_control: dict[str, Average]


def section(studied: Studied) -> Written:
    """What becomes of children and parents."""
    found: list[Block] = [
        blocks.heading("Hierarchies"),
        blocks.paragraph(
            "A child is active only with its parent, and children of one parent exclude each other. Two "
            "failures of SAEs are known on such features, so far on fixed dictionaries and language models: "
            "*absorption* [@absorption], where the parent's latent stays silent beside the child and the "
            "child's latent takes up the parent's direction, and *hedging* [@hedging], where too narrow an "
            "SAE mixes correlated features in one latent. Here the hidden dimensions are those of trained "
            "toy models, and features of the same probabilities that are independent are the control."
        ),
    ]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        own, more = _of_experiment(experiment, studied)
        statements += own
        found += [blocks.heading(literal(experiment.title), 2), *more]
    return Written(found, statements)


def _of_experiment(experiment: Experiment, studied: Studied) -> tuple[list[Statement], list[Block]]:
    path = experiment_table(experiment.name, "pairs")
    tree = next(case.name for case in experiment.cases.values() if case.structure is not None)
    control = next((case.name for case in experiment.cases.values() if case.structure is None), None)
    pairs = studied.ledger.read(path, _PAIRS)
    facts = _tree_facts(pairs[pairs["case"] == tree])
    studied.ledger.note(path, f"tree.{experiment.name}", facts)
    statements = [
        Statement(
            "A child has a dimension apart from its parent's (the best solution says so)"
            if facts.best_parent == "orthogonal"
            else "A child shares its parent's dimension (the best solution says so)",
            f"All children are orthogonal to their parents in {facts.parent_child}, mean cosine "
            f"{facts.cosine_parent.words(3)}",
            facts.parent_child.verdict(
                "at least mostly" if facts.best_parent == "orthogonal" else "at most seldom"
            ),
        ),
        Statement(
            "Children of one parent share a dimension, antipodal (the best solution says so)",
            f"All children of one parent are antipodal in {facts.siblings}, mean cosine "
            f"{facts.cosine_sibling.words()}",
            facts.siblings.verdict(
                "at least mostly" if facts.best_sibling == "antipodal" else "at most seldom"
            ),
        ),
    ]
    reached = f"{facts.reaches} toy models reach the best solution." if facts.reaches else ""
    more = [blocks.paragraph(*(f"{statement.found}." for statement in statements), reached)]
    if experiment.saes:
        figures = studied.figures.of_module("children", experiment=experiment.name)
        path = experiment_table(experiment.name, "children")
        table = studied.ledger.read(path, _CHILDREN)
        means = over_children(table)
        saes = _sae_facts(experiment, means, tree, control)
        studied.ledger.note(path, f"children.{experiment.name}", saes)
        of_saes = _sae_statements(experiment, means, saes, tree, control)
        statements += of_saes
        more += [
            blocks.paragraph(*(_extremes(saes, one, words) for one, words in _EXTREMES.items())),
            *studied.figures.blocks(figures, floats=False),
            _sae_table(experiment, saes),
            _child_table(experiment, table[(table["case"] == tree) & table["represented"].astype(bool)]),
        ]
    return statements, more


def _tree_facts(pairs: pd.DataFrame) -> TreeFacts:
    siblings = pairs["joint_probability"] == 0
    is_sibling = pairs[siblings]
    is_parent = pairs[~siblings]

    def all_are(some: pd.DataFrame, arrangement: str) -> Share:
        return shares_of((some["arrangement"] == arrangement).groupby(some["instance"]).all())

    def mean(some: pd.DataFrame) -> Average:
        return average_of(some.groupby("instance")["cosine"].mean().to_numpy())

    reaches = pairs.groupby("instance")["reaches"].first()
    return TreeFacts(
        parent_child=all_are(is_parent, "orthogonal"),
        siblings=all_are(is_sibling, "antipodal"),
        cosine_parent=mean(is_parent),
        cosine_sibling=mean(is_sibling),
        best_parent=_word(is_parent["best"]),
        best_sibling=_word(is_sibling["best"]),
        reaches=shares_of(reaches.astype(bool)) if reaches.notna().all() else None,
    )


def _word(best: pd.Series) -> str:
    words = set(best.dropna())
    return words.pop() if len(words) == 1 else "mixed"


def _by_model(table: pd.DataFrame, case: str | None, sae: str, measure: str) -> pd.Series:
    """The measure of each toy model, by seed, from `over_children`."""
    return table[(table["case"] == case) & (table["sae"] == sae)].set_index("seed")[measure]


def _sae_facts(
    experiment: Experiment, table: pd.DataFrame, tree: str, control: str | None
) -> list[SAEOfTree]:
    return [
        SAEOfTree(
            name=name,
            architecture=sae.settings["architecture"],
            n_latents=sae.settings["n_latents"],
            of_tree={one: average_of(_by_model(table, tree, name, one).to_numpy()) for one in _MEASURES},
            of_control={
                one: average_of(_by_model(table, control, name, one).to_numpy()) for one in _MEASURES
            },
        )
        for name, sae in experiment.saes.items()
    ]


def _compared(
    table: pd.DataFrame,
    first: tuple[str | None, str],
    second: tuple[str | None, str],
    measure: str,
    wanted: str,
) -> tuple[Average, State]:
    """The mean difference of two SAEs on toy models of the same seeds, and the verdict."""
    values, control = (_by_model(table, *where, measure) for where in (first, second))
    both = values.index.intersection(control.index)
    return difference_of(values[both].to_numpy(), control[both].to_numpy(), _DIFFERENCE, wanted)


def _sae_statements(
    experiment: Experiment, table: pd.DataFrame, saes: Sequence[SAEOfTree], tree: str, control: str | None
) -> list[Statement]:
    """Absorption, its other half, and hedging, against the control; Matryoshka SAEs against the others."""
    trained = [sae for sae in saes if not by_name(sae.architecture).is_baseline]
    wide = [sae for sae in trained if sae.n_latents >= experiment.n_features]
    narrow = [sae for sae in trained if sae.n_latents < experiment.n_features]
    flat = [sae for sae in wide if sae.architecture != "matryoshka"]
    nested = [sae for sae in wide if sae.architecture == "matryoshka"]
    found = []
    said = {
        "largest_absorption": "SAEs absorb: the parent's latent stays silent beside a child [@absorption]",
        "parent_in_child": "The child's latent takes up the parent's direction [@absorption]",
    }
    for measure, words in said.items():
        found += [
            _against_control(table, sae, tree, control, measure, f"{words}: {_named(sae)}") for sae in flat
        ]
    for sae in narrow:
        words = "A narrow SAE hedges: the parent's latent takes up a child's direction [@hedging]"
        words = f"{words}: {_named(sae)}"
        found.append(_against_control(table, sae, tree, control, "largest_child_in_parent", words))
        found += [
            _against_other(
                table,
                (sae, other),
                tree,
                "largest_child_in_parent",
                "larger",
                "A narrow SAE mixes more [@hedging]",
            )
            for other in flat
            if other.architecture == sae.architecture
        ]
    for sae in nested:
        found += [
            _against_other(
                table,
                (sae, other),
                tree,
                "parent_in_child",
                "smaller",
                "Matryoshka SAEs absorb less [@matryoshka]",
            )
            for other in flat
        ]
    return found


def _named(sae: SAEOfTree) -> str:
    return f"`{sae.name}`"


_FOUND = {
    "largest_absorption": "Beside the child that takes most of it the parent's latent fires less often than "
    "alone, by",
    "parent_in_child": "The excess cosine of the child's latent and the parent is",
    "largest_child_in_parent": "The excess cosine of the parent's latent and the child that it leans to "
    "most is",
}


def _against_other(
    table: pd.DataFrame, both: tuple[SAEOfTree, SAEOfTree], tree: str, measure: str, wanted: str, words: str
) -> Statement:
    """One kind of SAEs against another on the same toy models."""
    first, second = both
    average, verdict = _compared(table, (tree, first.name), (tree, second.name), measure, wanted)
    own, others = (one.of_tree[measure].words() for one in both)
    return Statement(
        f"{words}: {_named(first)} against {_named(second)}",
        f"{_FOUND[measure]} {own} in {_named(first)}, {others} in {_named(second)} (difference "
        f"{average.words()})",
        verdict,
    )


def _against_control(
    table: pd.DataFrame, sae: SAEOfTree, tree: str, control: str | None, measure: str, words: str
) -> Statement:
    average, verdict = _compared(table, (tree, sae.name), (control, sae.name), measure, "larger")
    own, others = (means[measure].words() for means in (sae.of_tree, sae.of_control))
    return Statement(
        words,
        f"{_FOUND[measure]} {own} in {_named(sae)}, {others} where features are independent (difference "
        f"{average.words()})",
        verdict,
    )


_EXTREMES = {
    "largest_absorption": "Absorption, beside the child of each parent that takes most,",
    "parent_in_child": "The excess cosine of the child's latent and the parent",
    "largest_child_in_parent": "That of the parent's latent and the child that it leans to most",
}


def _extremes(saes: Sequence[SAEOfTree], measure: str, words: str) -> str:
    """Which trained SAEs have most and least of a measure, beside the baselines."""
    is_baseline = {sae.name: by_name(sae.architecture).is_baseline for sae in saes}
    trained = sorted(
        (sae for sae in saes if not is_baseline[sae.name]), key=lambda sae: sae.of_tree[measure].mean
    )
    if not trained:
        return ""
    least, most = (f"{one.of_tree[measure].words()} in {_named(one)}" for one in (trained[0], trained[-1]))
    span = least if len(trained) == 1 else f"goes from {least} to {most}"
    others = [
        f"{_named(sae)} has {sae.of_tree[measure].words()}, {sae.of_control[measure].words()} where features "
        "are independent"
        for sae in saes
        if is_baseline[sae.name]
    ]
    verb = "is " if len(trained) == 1 else ""
    return f"{words} {verb}{span}" + (f"; {enumerated(others)}." if others else ".")


def _sae_table(experiment: Experiment, saes: Sequence[SAEOfTree]) -> Block:
    heads = ("Latents", "Absorption", "Parent in child", "Child in parent", "One latent")
    return blocks.table(
        f"children-{experiment.name}",
        f"**{literal(experiment.title)}.** Absorption, and the excess cosine of the parent's latent and the "
        "child, of the child of each parent with most of it; excess cosine of the child's latent and the "
        "parent; share of children whose best latent is also their parent's. Means over toy models with 95 "
        "% intervals.",
        [("SAE", "left"), *((head, "right") for head in heads)],
        [
            row
            for title, which in (("Trees", "of_tree"), ("The same probabilities, independent", "of_control"))
            for row in (
                title,
                *(
                    (
                        _named(sae),
                        str(sae.n_latents),
                        *(getattr(sae, which)[one].words() for one in _MEASURES),
                    )
                    for sae in saes
                ),
            )
        ],
        floats=False,
    )


def _child_table(experiment: Experiment, table: pd.DataFrame) -> Block:
    """Absorption and hedging of each child, SAE by SAE."""
    children = sorted(set(zip(table["parent"], table["child"], strict=True)))
    probability = next(case for case in experiment.cases.values() if case.structure is not None).probability[
        0
    ]
    rows: list[tuple[str, ...] | str] = []
    titles = {
        "absorption": "Absorption",
        "parent_in_child": "Parent in the child's latent",
        "child_in_parent": "Child in the parent's latent",
    }
    for measure, title in titles.items():
        rows.append(title)
        for name in dict.fromkeys(table["sae"]):
            own = table[table["sae"] == name]
            cells = [
                average_of(own[(own["parent"] == parent) & (own["child"] == child)][measure].to_numpy(float))
                for parent, child in children
            ]
            rows.append((f"`{name}`", *(cell.words() for cell in cells)))
    heads = [
        f"*p* = {short(float(probability[child]))} in {short(float(probability[parent]))}"
        for parent, child in children
    ]
    return blocks.table(
        f"each-child-{experiment.name}",
        "**Each child.** Columns: the child's probability in its parent's; means over toy models with 95 % "
        "intervals.",
        [("SAE", "left"), *((head, "right") for head in heads)],
        rows,
        floats=False,
    )
