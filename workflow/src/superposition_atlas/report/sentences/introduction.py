"""What depends on no result: the question, related work, set-up, glossary, the rule for verdicts."""

from collections.abc import Sequence

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.features import REPRESENTED_NORM
from superposition_atlas.metrics.verdicts import ALWAYS, HALF, NEVER
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.phrases import enumerated, percent


def introduction() -> list[Block]:
    """The question, and what is new."""
    return [
        blocks.heading("Introduction"),
        blocks.paragraph(
            "A network with fewer dimensions than features can represent more features than it has "
            "dimensions, in *superposition*, because features are seldom active at the same time [@tms]. "
            "Toy models show it: five features in two hidden dimensions become two orthogonal features, two "
            "pairs or a pentagon as they become rarer. Most work takes all features to be equally rare. "
            "Real features are not.",
        ),
        blocks.paragraph(
            "The talk *Experiments with Mechanistic Interpretability* and the post behind it [@post] let "
            "importance and sparsity differ between features. They train eight toy models on each of a few "
            "schedules and read from the pictures which features are represented and which share a "
            "dimension. They end with a question: *which combination of sparsity and importance governs "
            "this?* The probabilities behind the pictures were never published, so a reproduction is of a "
            "family of schedules, not of one vector.",
        ),
        blocks.paragraph(
            "We draw a counterpart of every picture of the talk, test its observations on more seeds and on "
            "schedules drawn at random, and answer the question: two costs in closed form, used in a "
            "matching, name "
            "the features that a toy model represents. Because the exact loss of small toy models can be "
            "computed, we can also say what a schedule allows and what training misses.",
        ),
    ]


def related_work() -> list[Block]:
    """Who did what, and what is missing there."""
    return [
        blocks.heading("Related work", 2),
        blocks.paragraph(
            "*Toy models.* The toy model, its phase diagrams and its geometry are those of Elhage et al. "
            "[@tms]. Scherlis et al. [@capacity] define capacity, which is the dimensionality used here, "
            "and show that it is handed out until marginal gains are equal. Chen et al. [@kgons] solve "
            "polygons of equal features for one-hot inputs; our exact loss reproduces their values. Others "
            "ask how networks compute in superposition [@computation], and whether features are linear at "
            "all [@nonlinear]. ARENA [@arena] teaches the code that the talk is based on. None of them "
            "treats unequal sparsity with more than a few seeds.",
        ),
        blocks.paragraph(
            "*Sparse autoencoders* (SAEs) are meant to get features out of superposition "
            "[@mmcs,monosemantic,cunningham]. We train six kinds on toy models whose features are known: "
            "ReLU [@monosemantic], gated [@gated], JumpReLU [@jumprelu], TopK [@topk], BatchTopK "
            "[@batchtopk] and Matryoshka [@matryoshka], beside baselines that a claim must beat [@sanity]. "
            "Known failures, absorption [@absorption] and hedging [@hedging], were shown on fixed "
            "dictionaries; benchmarks such as SAEBench [@saebench] and libraries such as SAELens [@saelens] "
            "and dictionary-learning [@dictionary] work on language models or on random directions, not on "
            "trained toy models.",
        ),
    ]


def set_up(tested: Sequence[Experiment]) -> list[Block]:
    """The toy model, the words, and the rule.

    Args:
        tested: experiments whose schedules and initial scales are stated.
    """
    return [
        blocks.heading("Set-up"),
        blocks.paragraph(
            "A toy model compresses $n$ features into $m$ hidden dimensions and reconstructs them: $h=Wx$, "
            "$model$. Feature $i$ is active with probability $p_i$, independently of the others, and is "
            "then uniform on [0, 1]. The loss is $loss$, a mean over samples. Unless said "
            "otherwise, training is ARENA's: Adam [@adam], rate 0.001, a fresh batch of 1024 samples in "
            "each of 10\u202f000 steps. Samples come from a counter-based generator [@philox], so a toy "
            "model depends on its schedule and seed alone, not on what else is trained.",
            initial_scales(tested),
        ),
        *blocks.terms(
            {
                "Importance $I_i$": "weight of feature $i$ in the loss; $I=.9^i$ unless it is constant.",
                "Sparsity": (
                    "$1-p_i$. A feature is *rare* if its probability is small, *frequent* or *dense* if it "
                    "is large."
                ),
                "Schedule, case": (
                    "importance and probability of every feature; a case is a schedule of the talk. "
                    "*Aligned*: the more important, the more frequent (case 1). *Reversed*: the more "
                    "important, the rarer (case 2). Constant importance with random and with increasing "
                    "sparsity is one schedule up to the order of features: tests pool the two. “80 → 20” is "
                    "80 features in 20 dimensions."
                ),
                **({"Family": families(tested)} if families(tested) else {}),
                "Represented": (
                    f"$norm_i>0.5$: the norm of the feature's column of $W$ is above {REPRESENTED_NORM}."
                ),
                "Dimensionality $D_i$": "the share of a dimension that a feature has: $D$; $sum D<=m$.",
                "Dedicated, alone": (
                    "represented with $D_i>0.9$: a dimension of its own. "
                    "Other represented features are in superposition."
                ),
                "Pair": (
                    "two features in opposite directions of one dimension; five features in two dimensions "
                    "can form a *pentagon*."
                ),
                "Best solution": (
                    "the lowest minimum of the exact loss that a search has found; *excess loss* is measured "
                    "from it, as a share of the loss of representing nothing."
                ),
                "Latent": "a unit of an SAE; its decoder direction should be that of a feature.",
                "Recall": (
                    "share of the represented features for which some latent that fires has a cosine above "
                    "0.9."
                ),
            }
        ),
        blocks.paragraph(
            "**One rule for every verdict.** What an observation claims is about $theta$, the share of "
            "*all* toy models of a schedule that show it, not only of those trained. Four regions are fixed "
            f"beforehand: *never* ({percent(NEVER)} or less), *seldom* (below {percent(HALF)}), *mostly*, "
            f"and *always* ({percent(ALWAYS)} or more). A verdict names every region that an exact "
            "confidence interval [@clopper] of $theta$ meets, simultaneous over all tests of this report. A "
            "claim is *supported* if all of these regions have what the author's words require, "
            "*contradicted* if none has, else *open*. A small sample is vague where a large one is clear. "
            "Differences have three regions: *smaller*, *alike* (within a quarter of a feature, or 1 % of a "
            "norm) and *larger*; their intervals are Student's.",
        ),
    ]


_FORMULAS = ("geometric", "linear")
"""Families whose formula the text has."""


def families(tested: Sequence[Experiment]) -> str:
    """The rule that makes the probabilities of each family, with its ends in the aligned case."""
    ends: dict[str, tuple[float, float]] = {}
    for experiment in tested:
        for case in experiment.cases_of_role("aligned")[:1]:
            first, last = case.probability[0][[0, -1]]
            ends.setdefault(experiment.family, (first, last))
    told = [
        f"*{name}*, ${name}$, from {first:g} to {last:g}"
        for name, (first, last) in ends.items()
        if name in _FORMULAS
    ]
    if not told:
        return ""
    return (
        "the rule behind the probabilities, from the most to the least important feature of the aligned "
        f"case, $i=0$ to $n-1$: {'; '.join(told)}. The reversed case has the same values in reverse order."
    )


def initial_scales(tested: Sequence[Experiment]) -> str:
    """Standard deviation of the initial weights, for each size."""
    scales: dict[tuple[int, int], set[float]] = {}
    for experiment in tested:
        size = (experiment.n_features, experiment.n_hidden)
        for case in experiment.cases.values():
            scale = case.training.init_scale
            if not isinstance(scale, str):
                scales.setdefault(size, set()).add(scale)
    told = [
        f"{enumerated([f'{scale:g}' for scale in sorted(of_size)])} for {n} features in {m} dimensions"
        for (n, m), of_size in scales.items()
    ]
    if not told:
        return ""
    return (
        f"Initial weights are normal with standard deviation {enumerated(told)}, the *initial scale*; biases "
        "start at 0."
    )
