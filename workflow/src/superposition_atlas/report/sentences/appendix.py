"""What the appendix says: the talk slide by slide, slides 3 and 4, other families, all outcomes, controls."""

import math
import re
from collections.abc import Mapping, Sequence

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.facts.attention import LayerFacts
from superposition_atlas.report.facts.observation_facts import ObservationFacts, OutcomeFacts
from superposition_atlas.report.facts.playground import NetworkFacts
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import (
    THIN,
    between,
    enumerated,
    fixed,
    of,
    percent,
    sentence,
    spelled,
)

SLIDES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "3",
        "Attention pivot tables (Circuits Updates)",
        "our own construction, on known features",
        ("pivot_tables",),
    ),
    ("4", "TensorFlow Playground", "networks on its data sets", ("playground", "playground_data_sets")),
    ("5", "Five features in two dimensions as sparsity grows", "uniform sparsity", ("motivation",)),
    ("6", "Polysemanticity and superposition", "neurons against latents", ("polysemanticity",)),
    ("7", "A picture without text", "taken as uniform sparsity, eight densities", ("uniform",)),
    (
        "8–10",
        "Sparse autoencoders: the set-up",
        "set-up, training, resampling",
        ("sae_setup", "sae_training", "sae_animation"),
    ),
    ("11", "The cases", "importance and probability of every case", ("cases",)),
    ("12", "Eight seeds of every case; O1", "every case with eight seeds", ("all_cases",)),
    ("13–14", "Case 2; O2", "directions, and the bars at the post's size", ("plane", "bars")),
    ("15–16", "Case 5; O3", "directions, and the bars at the post's size", ("plane", "bars")),
    ("17", "What is next", "the post's open question, answered here", ("answer_matching",)),
)
"""Slide, content, what we show, and the modules of its figures."""


def slides(drawn: Mapping[str, Sequence[str]], shown: Mapping[str, str]) -> list[Block]:
    """The talk slide by slide.

    Args:
        drawn: names of the figures by module.
        shown: labels of the figures in this report, by `figure:name`.
    """
    rows = []
    for slide, content, ours, modules in SLIDES:
        names = [
            name for module in modules for name in drawn.get(module, ()) if _belongs(name, slide, module)
        ]
        if not names:
            continue
        here = [f"([[figure:{name}]])" for name in names if f"figure:{name}" in shown]
        files = [f"`{name}`" for name in names if f"figure:{name}" not in shown and name.startswith("slide")]
        rows.append((slide, content, sentence(ours), ", ".join(here + files)))
    if not rows:
        return []
    return [
        blocks.table(
            "slides",
            "**Every slide with a picture has a figure.** Where it is not in this report, it is a file of "
            "that name in the figures' folder.",
            [("Slide", "left"), ("Content", "left"), ("We show", "left"), ("Figure", "left")],
            rows,
            widths=(0, 2, 2, 2.5),
            floats=False,
        )
    ]


FURTHER = {
    "all_cases": "every case with its first seeds",
    "answer_matching": "the matching beside toy models",
    "atlas_by_order": "numbers represented over schedules, by order",
    "atlas_dedicated": "dedicated features over schedules",
    "atlas_gap": "how far training is from the best solutions",
    "atlas_observations": "where the observations hold",
    "atlas_represented": "numbers represented over schedules",
    "attention_rare": "what rare features lose in the pivot tables",
    "bars": "feature norms of a case",
    "bias": "what the bias is for",
    "cases": "importance and probability of the cases",
    "excess_losses": "excess losses over the best solutions",
    "frobenius_norms": "norms beside the published ones",
    "frobenius_norms_band": "norms of a band of schedules beside the published ones",
    "frobenius_norms_map": "which schedules have the published norms",
    "initial_scale": "numbers represented by initial scale",
    "motivation": "uniform sparsity as it grows",
    "observations": "every observation with its interval",
    "pair_phases": "phases of pairs",
    "perturbation": "structures as one feature's density varies",
    "pivot_tables": "attention's pivot tables",
    "plane": "feature directions of a case",
    "playground": "networks on data in the plane",
    "playground_data_sets": "their data sets",
    "polysemanticity": "neurons against latents",
    "predictor": "the predictor beside the best solutions",
    "predictor_failures": "schedules on which the predictor is wrong",
    "represented_counts": "shares of toy models by number represented",
    "sae_animation": "an SAE's directions during training",
    "sae_by_feature": "which features SAEs recover",
    "sae_frames": "directions of SAEs",
    "sae_levels": "SAEs over their levels of sparsity",
    "sae_pareto": "recall and error of SAEs against L0",
    "sae_recovery": "what SAEs recover by resampling",
    "sae_setup": "the set-up of an SAE",
    "sae_training": "an SAE's directions during training",
    "thresholds": "the observations at other thresholds",
    "training_against_best": "training against the best solutions by setting",
    "uniform": "uniform sparsity of several densities",
}
"""What a figure of each module shows, for figures that no other sentence refers to."""


def spaced(module: str) -> str:
    """A module's name as words."""
    return module.replace("_", " ")


def further(figures: Sequence[tuple[str, str]]) -> list[Block]:
    """One sentence on figures that no other refers to.

    Args:
        figures: name and module of each.
    """
    told = [f"{FURTHER.get(module, spaced(module))} ([[figure:{name}]])" for name, module in figures]
    return [blocks.paragraph(f"Figures that no section discusses show {enumerated(told)}.")] if told else []


def _belongs(name: str, slide: str, module: str) -> bool:
    """Whether a figure is of this slide: bars and planes carry the slide's number in their name."""
    first, _, last = slide.partition("–")
    if module in ("plane", "bars", "cases", "all_cases"):
        return any(name.startswith(f"slide{int(number):02d}_") for number in (first, last) if number)
    return True


def attention(layers: Sequence[LayerFacts]) -> list[Block]:
    """Slide 3; nothing where it is left out."""
    if not layers:
        return []
    first = layers[0]
    return [
        blocks.heading("Attention pivot tables (slide 3)"),
        blocks.paragraph(
            "The slide shows attention pivot tables [@updates], which list what an attention head looks for "
            "in terms of features. *No recipe for them is published, and we do not reproduce their picture: "
            f"this is our own construction of the same idea*, on {first.n_features} known features in "
            f"{first.n_hidden} dimensions. A token is a sample of a toy model; one layer of attention, in "
            "the notation of [@framework], learns a planted rule that ties each feature of the query to a "
            "feature of the key and to an output. A score splits over pairs of features, up to what the "
            "directions leave unexplained:",
        ),
        blocks.equation("score"),
        blocks.paragraph(
            "with $B$ for directions $d_i$, and so does what a key feature writes on an output. The path of "
            "a cell is its positive contribution times its output effect. A row of the rule is recovered if "
            "its planted path is the largest.",
            recovered(layers),
            rare_rows(layers),
            "With one head antipodal features are tied: what looks for a feature also looks away from its "
            "antipode, and a bilinear score cannot tell whose antipode a token has "
            "([[figure:pivot_tables]]).",
        ),
        blocks.table(
            "attention",
            f"**{recovered(layers)}** Rows of the planted rule recovered by the path (from true directions, "
            "and from an SAE's), by the score alone and by mean attention alone, and seeds in which all "
            "rows are.",
            [
                ("Setting", "left"),
                ("Heads", "right"),
                ("Rows", "right"),
                ("by SAE", "right"),
                ("by score", "right"),
                ("by attention", "right"),
                ("Seeds", "right"),
                ("by SAE", "right"),
            ],
            [
                (
                    literal(layer.title),
                    str(layer.n_heads),
                    percent(layer.rows_true.share),
                    percent(layer.rows_sae.share),
                    percent(layer.rows_by_score.share),
                    percent(layer.rows_by_attention.share),
                    f"{layer.seeds_true.n_holding}/{layer.seeds_true.n}",
                    f"{layer.seeds_sae.n_holding}/{layer.seeds_sae.n}",
                )
                for layer in layers
            ],
            floats=False,
        ),
    ]


def recovered(layers: Sequence[LayerFacts]) -> str:
    """In how many seeds of the first setting the rule is recovered, by number of heads."""
    own = [layer for layer in layers if layer.setting == layers[0].setting]
    parts = [
        f"{of(layer.seeds_true.n_holding, layer.seeds_true.n)} seeds with "
        f"{spelled(layer.n_heads)} {'head' if layer.n_heads == 1 else 'heads'}"
        for layer in own
    ]
    return f"In “{literal(own[0].title)}” the rule is recovered in {' and in '.join(parts)}."


def rare_rows(layers: Sequence[LayerFacts]) -> str:
    """Whether rare features lose their row; nothing where none is rarer."""
    graded = [layer for layer in layers if layer.rows_rare is not None]
    if not graded:
        return ""
    layer = max(graded, key=lambda layer: layer.n_heads)
    rare, frequent = layer.rows_rare, layer.rows_frequent
    assert rare is not None
    assert frequent is not None
    if rare >= frequent:
        return "Rare features do not lose their rows more often than frequent ones."
    return (
        f"Rare features lose their rows first: {percent(rare)} of theirs are recovered, {percent(frequent)} "
        "of frequent ones'."
    )


def playground(networks: Sequence[NetworkFacts]) -> list[Block]:
    """Slide 4; nothing where it is left out."""
    if not networks:
        return []
    return [
        blocks.heading("Playground (slide 4)"),
        blocks.paragraph(
            "Small networks on the data sets of the TensorFlow Playground [@playground], with points, "
            "starts and seeds of our own ([[figure:playground]], [[table:playground]]). Hand-made input "
            "features decide whether a small network can solve a hard data set, which is the slide's point "
            "about features.",
        ),
        blocks.table(
            "playground",
            f"**{solved(networks)}** Hidden layers, seeds whose test error is below the data set's "
            "threshold, and test errors: share of points on the false side, or, marked with a star, of "
            "variance unexplained.",
            [
                ("Data set", "left"),
                ("Hidden layers", "left"),
                ("Solved", "right"),
                ("Median error", "right"),
                ("Largest", "right"),
            ],
            [
                (
                    literal(network.title) + (r"\*" if network.is_regression else ""),
                    ", ".join(map(str, network.layers)),
                    f"{network.solved.n_holding}/{network.solved.n}",
                    percent(network.median_error, 1),
                    percent(network.largest_error, 1),
                )
                for network in networks
            ],
            floats=False,
        ),
    ]


def solved(networks: Sequence[NetworkFacts]) -> str:
    """How many data sets all or no seeds solve."""
    n_all = sum(network.solved.n_holding == network.solved.n for network in networks)
    n_none = sum(network.solved.n_holding == 0 for network in networks)
    none = f", no seed solves {spelled(n_none)}" if n_none else ""
    return f"All seeds solve {spelled(n_all)} of {spelled(len(networks))} settings{none}."


def outcomes(
    observations: Sequence[ObservationFacts], experiments: Mapping[str, str], name: str, caption: str
) -> list[Block]:
    """Every test of some observations.

    Args:
        observations: which.
        experiments: what a row calls each experiment whose tests are listed.
        name: of the table.
        caption: its caption.
    """
    rows: list[Sequence[str] | str] = []
    for facts in observations:
        tests = [test for test in facts.of(*experiments) if test.state]
        if not tests:
            continue
        rows.append(f"{facts.name}. {literal(facts.statement)} ({literal(facts.source)})")
        rows += [_outcome(facts, test, experiments[test.experiment]) for test in tests]
    if not rows:
        return []
    return [
        blocks.table(
            name,
            caption,
            [
                ("Experiment and case", "left"),
                ("Models", "right"),
                ("Share or difference", "right"),
                ("Interval", "right"),
                ("Verdict", "left"),
                ("Claim", "left"),
            ],
            rows,
            widths=(1, 0, 0, 0, 0, 0),
            floats=False,
        )
    ]


def _outcome(facts: ObservationFacts, test: OutcomeFacts, size: str) -> tuple[str, ...]:
    against = f", against {display(test.rival)}" if test.rival else ""
    if facts.kind == "difference":
        value, low, high = (facts.difference(number) for number in (test.difference, test.low, test.high))
        interval = f"{low} to {high}"
    else:
        value = percent(test.share, 1)
        interval = "–" if math.isnan(test.low) else f"{between(100 * test.low, 100 * test.high, 1)}{THIN}%"
    case = f"{size}: {display(test.case)}{against}"
    return (case, str(test.n_models), value, interval, test.verdict, test.state)


def display(cases: str) -> str:
    """Names of cases as they are printed: `case 5, post 4`, `uniform matched`."""
    return literal(re.sub(r"(?<=[a-z])(?=\d)", " ", cases.replace("_", " ")))


def controls(observations: Sequence[ObservationFacts], names: Mapping[str, str]) -> list[Block]:
    """Known answers; nothing where none is tested."""
    own = [facts for facts in observations if facts.is_control]
    tests = [test for facts in own for test in facts.tests]
    if not tests:
        return []
    least = min(tests, key=lambda test: test.share)
    case = display(least.case)
    return [
        blocks.heading("Controls with a known answer"),
        blocks.paragraph(
            "Two answers are known from theory: without sparsity the two most important features alone are "
            "represented, and equal, rare features form a regular pentagon. The answer is met least often "
            f"in {case}, by {fixed(100 * least.share, 0)} % of {least.n_models} toy models: how many seeds "
            "find the pentagon depends on the initial scale and the learning rate "
            "([[figure:initial_scale]]).",
        ),
        *outcomes(
            own,
            names,
            "known_answers",
            f"**Known answers are met by {fixed(100 * least.share, 0)} % of the toy models or more.** "
            "Columns as in the table of all outcomes.",
        ),
    ]
