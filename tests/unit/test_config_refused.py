"""The configuration: what is refused, and how it is said."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.config import load, read
from superposition_atlas.errors import ConfigError, value_text
from superposition_atlas.figures.asked_for import check_kinds
from superposition_atlas.figures.distinct_names import check_figures

from .config_samples import JSON_LIKE, LINEAR, ROOT, SMOKE, changed, laid_over, message, talk_with

# key in the talk · value · what the message must name (key, value, what is allowed)
WRONG: list[tuple[str, Any, list[str]]] = [
    # keys
    ("n_feature", 5, ["talk.n_feature:", "unknown key", "5", "did you mean n_features?", "n_hidden"]),
    ("zzz", 1, ["talk.zzz:", "unknown key", "allowed are", "cases"]),
    ("cases.case1.importence", "base", ["cases.case1.importence:", "did you mean importance?"]),
    ("training.lr", 0.1, ["talk.training.lr:", "0.1", "learning_rate"]),
    ("saes.relu.lambda", 0.1, ["saes.relu.lambda:", "0.1", "sparsity_coefficient"]),
    ("n_features", None, ["talk.n_features:", "missing", "an integer ≥ 1"]),
    ("cases", None, ["talk.cases:", "missing", "at least one case by name"]),
    ("cases", {}, ["talk.cases:", "{}", "at least one case by name"]),
    ("cases", ["case1"], ["talk.cases:", "['case1']", "a mapping"]),
    ("saes.relu", {}, ["saes.relu.n_latents:", "missing", "an integer ≥ 1"]),
    ("two\nlines", 1, [r"talk.'two\nlines':", "unknown key"]),
    # names
    ("cases.../etc/passwd", {}, ["talk.cases", "name", "a letter followed by letters, digits, _ or -"]),
    ("cases.1st", {}, ["talk.cases:", "'1st'", "a letter followed by"]),
    ("cases.a b", {}, ["talk.cases:", "'a b'", "a letter followed by"]),
    ("cases.case1\n", {}, ["talk.cases:", r"'case1\n'", "a letter followed by"]),
    ("cases." + "x" * 65, {}, ["talk.cases:", "'xxx", "at most 64"]),
    ("cases.Case1", {}, ["talk.cases:", "'Case1'", "differs from 'case1'", "upper and lower case"]),
    ("saes.RELU", {"n_latents": 2}, ["talk.saes:", "'RELU'", "differs from 'relu'"]),
    ("family", "a/b", ["talk.family:", "'a/b'", "a letter followed by"]),
    ("title", "two\nlines", ["talk.title:", r"'two\nlines'", "text on one line"]),
    ("title", "a\ufffe", ["talk.title:", r"'a\ufffe'", "text on one line"]),
    ("cases.case1.title", "\uffff", ["cases.case1.title:", r"'\uffff'", "text on one line"]),
    # sizes and seeds
    ("n_hidden", 0, ["talk.n_hidden:", "0", "an integer ≥ 1"]),
    ("n_hidden", -2, ["talk.n_hidden:", "-2", "an integer ≥ 1"]),
    ("n_hidden", 2.0, ["talk.n_hidden:", "2.0", "an integer ≥ 1"]),
    ("n_features", "5", ["talk.n_features:", "'5'", "an integer ≥ 1", "write 5"]),
    ("n_features", True, ["talk.n_features:", "True", "an integer", "YAML reads yes"]),
    ("n_features", 10**400, ["talk.n_features:", "1000", "an integer ≥ 1"]),
    ("n_hidden", 16**5000, ["talk.n_hidden: got a number of too many digits,", "at most 308 digits"]),
    ("seeds", [0, 16**5000], ["talk.seeds[1]: got a number of too many digits,"]),
    ("seeds", 0, ["talk.seeds:", "0", "an integer ≥ 1", "a list of distinct integers ≥ 0"]),
    ("seeds", [], ["talk.seeds:", "[]", "a list of distinct integers ≥ 0"]),
    ("seeds", "eight", ["talk.seeds:", "'eight'", "an integer ≥ 1"]),
    ("seeds", [0, 1.5], ["talk.seeds[1]:", "1.5", "an integer ≥ 0"]),
    ("seeds", [0, True], ["talk.seeds[1]:", "True", "an integer ≥ 0"]),
    ("seeds", [0, None], ["talk.seeds[1]:", "None", "an integer ≥ 0"]),
    ("seeds", [0, -1], ["talk.seeds[1]:", "-1", "an integer ≥ 0"]),
    ("seeds", [0, 2**64], ["talk.seeds[1]:", str(2**64), "below 2^63"]),
    ("seeds", [3, 4, 3], ["talk.seeds:", "[3, 4, 3]", "distinct integers", "3 is given twice"]),
    ("shown_seeds", 9, ["talk.shown_seeds:", "9", "≤ 8, the number of seeds"]),
    ("claims", "yes", ["talk.claims:", "'yes'", "true or false"]),
    # training
    ("training", 3, ["talk.training:", "3", "a mapping"]),
    ("training.steps", -1, ["talk.training.steps:", "-1", "an integer ≥ 0"]),
    ("training.batch_size", "big", ["talk.training.batch_size:", "'big'", "an integer ≥ 1"]),
    ("training.learning_rate", "1e-3", ["training.learning_rate:", "'1e-3'", "a number > 0", "write 0.001"]),
    ("training.learning_rate", "1e-7", ["training.learning_rate:", "'1e-7'", "write 1.0e-07"]),
    ("training.learning_rate", 0, ["training.learning_rate:", "0", "a number > 0"]),
    ("training.learning_rate", math.nan, ["training.learning_rate:", "nan", "a number > 0 (finite)"]),
    ("training.optimizer", "Adam", ["training.optimizer:", "'Adam'", "adam, adamw or sgd", "did you mean"]),
    ("training.weight_decay", 0.01, ["talk.training.weight_decay:", "0.01", "0 with the optimizer adam"]),
    ("training.momentum", 0.9, ["talk.training.momentum:", "0.9", "0 with the optimizer adam"]),
    ("cases.case1.training.momentum", 0.9, ["cases.case1.training.momentum:", "0.9"]),
    ("training", {"optimizer": "sgd", "momentum": 1}, ["talk.training.momentum:", "1", "< 1"]),
    ("training.learning_rate", 1e308, ["talk.training.learning_rate: got 1e+308,", "at most 1e+36"]),
    ("training.init_scale", 1e308, ["talk.training.init_scale: got 1e+308,", "at most 1e+36"]),
    ("cases.case1.training.init_scale", 1e308, ["talk.cases.case1.training.init_scale: got 1e+308,"]),
    ("training.bias", [1e37, 0, 0, 0, 0], ["talk.training.bias: got 1e+37,", "at most 1e+36"]),
    ("training.warmup_steps", 100, ["talk.training.warmup_steps:", "100", "< 100, the steps"]),
    ("training.learning_rate_schedule", "step", ["learning_rate_schedule:", "'step'", "quarter_cosine"]),
    ("training.output", "tanh", ["training.output:", "'tanh'", "relu or linear"]),
    ("training.bias", "none", ["training.bias:", "'none'", "trained, zero, mean or densest_zero, or a list"]),
    ("training.bias", [0.1, 0.2], ["talk.training.bias:", "[0.1, 0.2]", "5 numbers", "it has 2"]),
    ("training.bias", [0.1, "a", 0, 0, 0], ["training.bias[1]:", "'a'", "a number"]),
    ("training.centred_inputs", "yes", ["training.centred_inputs:", "'yes'", "true or false"]),
    ("training.magnitudes", "normal", ["training.magnitudes:", "'normal'", "lognormal"]),
    ("training.record_steps", [5, 2], ["training.record_steps:", "[5, 2]", "ascending"]),
    ("training.record_steps", [5, 101], ["training.record_steps[1]:", "101", "≤ 100, the steps"]),
    (
        "training.init_scale",
        "kaiming",
        ["training.init_scale:", "'kaiming'", "a number > 0, or xavier or unit"],
    ),
    ("training.init_scale", "1e-1", ["training.init_scale:", "'1e-1'", "xavier", "write 0.1"]),
    ("training.init_scale", 0, ["training.init_scale:", "0", "a number > 0, or xavier or unit"]),
    ("cases.case1.training.steps", 1.5, ["cases.case1.training.steps:", "1.5", "an integer ≥ 0"]),
    # schedules
    ("probability", "base", ["talk.probability:", "'base'", "a mapping with the key family"]),
    ("probability", [0.5] * 5, ["talk.probability:", "[0.5, ", "a mapping with the key family"]),
    ("probability", {"first": 1}, ["talk.probability.family:", "missing", "linear"]),
    (
        "probability",
        {"family": "lienar", "first": 1},
        ["talk.probability.family:", "'lienar'", "did you mean linear?", "geometric"],
    ),
    (
        "cases.case1.probability",
        {"family": "gauss"},
        ["cases.case1.probability.family:", "'gauss'", "constant, linear"],
    ),
    ("cases.case1.importance", "bass", ["case1.importance:", "'bass'", "base, or a mapping"]),
    ("probability", LINEAR | {"first": 1.4}, ["talk.probability.first:", "1.4", "a number > 0 and ≤ 1"]),
    ("probability", LINEAR | {"last": 0}, ["talk.probability.last:", "0", "a number > 0 and ≤ 1"]),
    ("probability", LINEAR | {"last": -0.1}, ["talk.probability.last:", "-0.1", "a number > 0 and ≤ 1"]),
    ("probability", LINEAR | {"last": math.nan}, ["talk.probability.last:", "nan", "a number (finite)"]),
    ("probability", LINEAR | {"last": "0.1"}, ["talk.probability.last:", "'0.1'", "a number", "write 0.1"]),
    (
        "probability",
        LINEAR | {"ratio": 0.9},
        ["talk.probability.ratio:", "0.9", "unknown key", "first, last"],
    ),
    ("probability", {"family": "linear", "first": 1}, ["talk.probability.last:", "missing", "a number"]),
    (
        "probability",
        {"family": "geometric", "first": 1, "last": 0.1, "ratio": 0.5},
        ["talk.probability:", "'geometric'", "either last or ratio"],
    ),
    (
        "probability",
        {"family": "geometric", "first": 0.5, "ratio": 2},
        ["talk.probability:", "'ratio': 2", "a number > 0 and ≤ 1", "feature 2 would have 2"],
    ),
    (
        "probability",
        {"family": "explicit", "values": [0.5] * 4},
        ["talk.probability.values:", "[0.5, 0.5, 0.5, 0.5]", "a list of 5 numbers", "it has 4"],
    ),
    (
        "cases.case1.probability",
        {"family": "explicit", "values": [0.5, 0.5, 0, 0.5, 0.5]},
        ["cases.case1.probability.values[2]:", "0", "a number > 0 and ≤ 1"],
    ),
    (
        "cases.case1.probability",
        {"family": "explicit", "values": [0.5, 0.5, "x", 0.5, 0.5]},
        ["cases.case1.probability.values[2]:", "'x'", "a number"],
    ),
    (
        "cases.case1.probability",
        {"family": "explicit", "values": 0.5},
        ["cases.case1.probability.values:", "0.5", "a list of numbers"],
    ),
    (
        "importance",
        {"family": "constant", "value": -1},
        ["talk.importance.value:", "-1", "a number ≥ 0 and ≤ 1e+36 (importance)"],
    ),
    ("importance", {"family": "constant", "value": math.inf}, ["talk.importance.value:", "inf", "a number"]),
    (
        "importance",
        {"family": "constant", "value": 1e37},
        ["talk.importance.value: got 1e+37,", "a number ≥ 0 and ≤ 1e+36 (importance)"],
    ),
    (
        "cases.case1.importance",
        {"family": "geometric", "first": 1e36, "ratio": 2},
        ["cases.case1.importance:", "≤ 1e+36 for every feature (feature 1 would have 2e+36)"],
    ),
    ("importance", {"family": "constant", "value": 0}, ["talk.importance:", "'value': 0", "above 0"]),
    (
        "importance",
        {"family": "zipf", "first": 1, "exponent": -1e9},
        ["talk.importance:", "'zipf'", "a number ≥ 0", "feature 1 would have inf"],
    ),
    (
        "importance",
        {"family": "random_uniform", "low": 0, "high": 1},
        ["talk.importance.seed:", "missing", "an integer ≥ 0"],
    ),
    (
        "importance",
        {"family": "random_uniform", "low": 0, "high": 1, "seed": 1.5},
        ["talk.importance.seed:", "1.5", "an integer ≥ 0"],
    ),
    (
        "importance",
        {"family": "permutation", "of": "base", "seed": 1},
        ["talk.importance.of:", "'base'", "base can't be made of base"],
    ),
    (
        "cases.case2.probability",
        {"family": "permutation", "of": "base"},
        ["cases.case2.probability:", "'permutation'", "either order or seed"],
    ),
    (
        "cases.case2.probability",
        {"family": "permutation", "of": "base", "order": "backwards"},
        ["cases.case2.probability.order:", "'backwards'", "reversed, or a list of distinct integers ≥ 0"],
    ),
    (
        "cases.case2.probability",
        {"family": "permutation", "of": "base", "order": [0, 1, 2]},
        ["cases.case2.probability:", "[0, 1, 2]", "the features 0 … 4 each once"],
    ),
    (
        "cases.case2.probability",
        {"family": "permutation", "of": {"family": "constant", "value": 7}, "seed": 1},
        ["cases.case2.probability.of.value:", "7", "a number > 0 and ≤ 1"],
    ),
    (
        "cases.case2.probability",
        {"family": "mean", "of": {"family": "mean"}},
        ["cases.case2.probability.of.of:", "missing", "base, or a mapping"],
    ),
    (
        "cases.case2.probability",
        {"family": "per_instance", "of": "base", "count": 2},
        ["cases.case2.probability.of:", "'base'", "a mapping with the key family"],
    ),
    (
        "cases.case2.probability",
        {"family": "per_instance", "of": LINEAR, "count": 9},
        ["cases.case2.probability.count:", "9", "≤ 8, the number of seeds"],
    ),
    (
        "probability",
        {"family": "per_instance", "of": LINEAR, "count": 2},
        ["talk.probability:", "'per_instance'", "one value a feature"],
    ),
    (
        "cases.mine",
        {
            "importance": {"family": "per_instance", "of": LINEAR, "count": 3},
            "probability": {"family": "per_instance", "of": LINEAR, "count": 2},
        },
        ["cases.mine.probability.count:", "2", "allowed is 3"],
    ),
    (
        "importance",
        {"family": "constant", "value": 10**400},
        ["talk.importance.value:", "1000", "a number"],
    ),
    ("probability", LINEAR | {"first": 10**300}, ["talk.probability.first:", "1000", "≤ 1"]),
    # SAEs
    (
        "saes.relu.architecture",
        "relux",
        ["saes.relu.architecture:", "'relux'", "relu, gated, jumprelu", "did you mean relu?"],
    ),
    ("saes.relu.resampling", "often", ["saes.relu.resampling:", "'often'", "auto, none, simple or advanced"]),
    ("saes.relu.n_latents", 0, ["saes.relu.n_latents:", "0", "an integer ≥ 1"]),
    ("saes.relu.sparsity_coefficient", -0.1, ["sparsity_coefficient:", "-0.1", "a number ≥ 0"]),
    ("saes.relu.seeds", 9, ["saes.relu.seeds:", "9", "≤ 8, the number of seeds"]),
    ("saes.relu.seeds", [0, 1], ["saes.relu.seeds:", "[0, 1]", "an integer ≥ 1"]),
    ("saes.relu.record_steps", [0, 6000], ["saes.relu.record_steps[1]:", "6000", "≤ 5000, the steps"]),
    ("saes.relu.record_steps", [5, 0], ["saes.relu.record_steps:", "[5, 0]", "ascending"]),
    ("saes.relu.record_steps", [5, 5], ["saes.relu.record_steps:", "[5, 5]", "distinct", "given twice"]),
    ("saes.relu.record_steps", 5, ["saes.relu.record_steps:", "5", "a list"]),
    ("saes.relu.resample_every", 0, ["saes.relu.resample_every:", "0", "an integer ≥ 1"]),
    ("saes.relu.resample_every", 5001, ["saes.relu.resample_every:", "5001", "≤ 5000"]),
    ("saes.relu.dead_window", 2501, ["saes.relu.dead_window: got 2501", "at most resample_every (2500)"]),
    ("saes.relu.k", 2, ["saes.relu.k: got 2,", "its default, 1, with architecture relu"]),
    ("saes.relu.sparsity_coefficient", [0.1, -1], ["sparsity_coefficient[1]:", "-1", "a number ≥ 0"]),
    ("saes.relu.sparsity_coefficient", [], ["sparsity_coefficient:", "[]"]),
    ("saes.relu", {"n_latents": 5, "architecture": "topk", "k": 6}, ["saes.relu.k: got 6", "n_latents (5)"]),
    (
        "saes.relu",
        {"n_latents": 5, "architecture": "matryoshka", "prefixes": [2, 5]},
        ["saes.relu.prefixes: got (2, 5)", "below n_latents (5)"],
    ),
    # like
    ("like", "talc", ["talk.like:", "'talc'", "the name of another experiment"]),
    ("like", "talk", ["talk.like:", "'talk'", "does not start from this one (talk → talk)"]),
    ("like", 5, ["talk.like:", "5", "the name of another experiment"]),
]


@pytest.mark.parametrize(
    ("key", "value", "named"), WRONG, ids=[f"{k}={value_text(v)}"[:60] for k, v, _ in WRONG]
)
def test_a_wrong_value_is_named_in_one_line(key: str, value: Any, named: list[str]) -> None:
    raw = talk_with(key, value)
    if key.startswith("cases.../"):
        raw = talk_with("cases", {"../etc/passwd": {}})
    text = message(raw)
    assert "\n" not in text
    assert len(text) < 450
    assert text.startswith("experiments.talk")
    for part in named:
        assert part in text


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({}, ["experiments:", "missing", "at least one experiment"]),
        ({"experiments": None}, ["experiments:", "missing", "at least one experiment"]),
        ({"experiments": {}}, ["experiments:", "{}", "at least one experiment"]),
        ({"experiments": {"a": None}}, ["experiments:", "{}", "at least one experiment"]),
        ({"experiments": ["talk"]}, ["experiments:", "['talk']", "a mapping"]),
        ({"experiments": {"../up": {}}}, ["experiments:", "'../up'", "a letter followed by"]),
        ({"experiments": {16**5000: {}}}, ["experiments:", "a number of too many digits", "text"]),
        ({"experiments": {True: {}}}, ["experiments:", "True", "text", "put it in quotes"]),
        ({"experiments": {"talk": 5}}, ["experiments.talk:", "5", "a mapping"]),
        (changed({"engine": "numpy"}), ["engine:", "'numpy'", "auto, fused, torch or cuda"]),
        (changed({"device": "gpu"}), ["device:", "'gpu', allowed is auto, cpu or cuda"]),
        (changed({"engine": "fused", "device": "cuda"}), ["device:", "'cuda'", "auto or cpu", "fused"]),
        (changed({"engine": "cuda", "device": "cpu"}), ["device:", "'cpu'", "auto or cuda"]),
        (changed({"experiment": {}}), ["experiment:", "unknown key", "did you mean experiments?"]),
        (changed({"experiments.TALK": {"like": "talk"}}), ["experiments:", "'TALK'", "'talk'"]),
        (
            changed({"experiments.a": {"like": "b"}, "experiments.b": {"like": "a"}}),
            ["experiments.b.like:", "'a'", "a → b → a"],
        ),
        (
            changed({"experiments.b": {"like": "talk", "n_feature": None}}),
            ["experiments.b.n_feature:", "unknown key"],
        ),
        (
            changed({"experiments.b": {"like": "talk", "cases": {"case1": None, "case2": None}}}),
            ["experiments.b.cases:", "{}", "at least one case"],
        ),
        (
            changed({"experiments.b": {"like": "talk", "n_hidden": 0}, "experiments.talk.seeds": 8}),
            ["experiments.b.n_hidden:", "0", "an integer ≥ 1"],
        ),
        (
            changed({"experiments.a": {"like": "talk"}, "experiments.talk.n_hidden": 0}),
            ["experiments.talk.n_hidden:", "0"],
        ),
        (
            changed(
                {
                    "experiments.b": {"like": "talk", "n_features": 6},
                    "experiments.talk.importance": {"family": "explicit", "values": [1, 1, 1, 1, 1]},
                }
            ),
            [
                "experiments.b.importance.values:",
                "[1, 1, 1, 1, 1]",
                "a list of 6 numbers",
                "b takes over the keys of talk",
            ],
        ),
    ],
    ids=lambda value: value_text(value)[:50] if isinstance(value, dict) else "",
)
def test_wrong_at_the_top_and_in_like(raw: Any, named: list[str]) -> None:
    text = message(raw)
    assert "\n" not in text
    for part in named:
        assert part in text


def test_a_line_of_experiments_may_be_longer_than_pythons_stack() -> None:
    line = {f"e{i}": {"like": f"e{i + 1}" if i < 1499 else "talk", "title": f"{i}"} for i in range(1500)}
    raw = changed({})
    raw["experiments"] = line | raw["experiments"]
    loaded = load(raw).experiments
    assert (loaded["e0"].title, loaded["e0"].cases.keys()) == ("0", loaded["talk"].cases.keys())
    raw["experiments"]["e1499"]["like"] = "e7"
    text = message(raw)
    assert text.startswith(
        "experiments.e1499.like: got 'e7', allowed is an experiment that does not start from"
    )
    assert "\n" not in text


TESTED = {"n_features": 4, "n_hidden": 3, "claims": True}


@pytest.mark.parametrize(
    ("experiments", "named"),
    [
        (
            {"least": TESTED | {"n_hidden": 2, "cases": {"a": {}}}, "least_all": {"like": "least"}},
            ["experiments.least_all:", "least_all_cases", "one of experiments.least as well"],
        ),
        (
            {"a": TESTED | {"cases": {"b_c": {}}}, "a_b": TESTED | {"cases": {"c": {}}}},
            ["experiments.a_b.cases.c:", "a_b_c_bars", "one of experiments.a.cases.b_c as well"],
        ),
        (
            {"a": TESTED | {"cases": {"b_C": {}}}, "a_b": TESTED | {"cases": {"c": {}}}},
            ["experiments.a_b.cases.c:", "a_b_c_bars", "one of experiments.a.cases.b_C as well"],
        ),
        (
            {
                "slide11": TESTED | {"cases": {"a": {}}},
                "talk": TESTED | {"role": "slides", "cases": {"a": {}}},
            },
            ["experiments.slide11:", "slide11_cases", "one of every report as well"],
        ),
    ],
    ids=["experiments", "cases", "upper and lower case", "a slide"],
)
def test_names_whose_figures_would_be_one_are_refused(experiments: Any, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_figures(load({"experiments": experiments}))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(named[0])
    for part in named:
        assert part in text


LAYERS = ([], [SMOKE], [ROOT / "config" / "atlas.yaml"], [ROOT / "config" / "norms.yaml"])


def test_the_talks_figures_have_names_of_their_own_and_kinds_that_apply() -> None:
    for layers in LAYERS:
        config = load(laid_over(*[read(layer) for layer in layers]))
        check_figures(config)
        check_kinds(config)


GRID = {"kind": "grid", "first": [0.9], "last": [0.1], "importance_ratio": [0.9], "order": ["aligned"]}
MINE = {"n_features": 5, "n_hidden": 2, "cases": {"a": {}}}
SAE = {"n_latents": 5, "sparsity_coefficient": 0.1}


@pytest.mark.parametrize(
    ("experiment", "kinds", "named"),
    [
        ({}, ["cases", "saes"], ["got saes", "it has no saes", "allowed is cases or planes or counts"]),
        ({}, ["bars"], ["got bars", "n_hidden is 2, planes draw that"]),
        ({"n_hidden": 3}, ["planes"], ["got planes", "n_hidden is 3, planes have 2", "bars"]),
        ({"n_features": 9}, ["losses"], ["n_features is 9, best solutions are sought up to 8"]),
        ({}, ["matching"], ["above 8 features"]),
    ],
)
def test_a_kind_of_figure_that_is_named_and_gives_none_is_refused(
    experiment: dict[str, Any], kinds: list[str], named: list[str]
) -> None:
    raw: dict[str, Any] = {"experiments": {"mine": MINE | experiment}}
    check_kinds(load(raw))  # all that apply
    raw["experiments"]["mine"]["figures"] = kinds
    with pytest.raises(ConfigError) as caught:
        check_kinds(load(raw))
    text = str(caught.value)
    assert text.startswith("experiments.mine.figures: got ")
    assert "\n" not in text
    for part in named:
        assert part in text


def test_a_kind_of_figure_that_is_drawn_is_accepted() -> None:
    mine = MINE | {"saes": {"plain": SAE}, "figures": ["saes", "losses"]}
    check_kinds(load({"experiments": {"mine": mine}}))


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        ("atlas", {}, "no mean_density and steepness"),
        ("branches", {}, "points of the kind perturbation"),
        ("training", {}, "it has one variant"),
        ("bias", {"seeds": 0}, "nothing is trained"),
    ],
)
def test_a_kind_of_a_maps_figures_that_gives_none_is_refused(
    kind: str, changes: dict[str, Any], named: str
) -> None:
    described = {"n_features": 5, "n_hidden": 2, "points": GRID, "figures": [kind]} | changes
    raw = {"experiments": {"mine": MINE}, "maps": {"many": described}}
    with pytest.raises(ConfigError, match=rf"^maps\.many\.figures: got {kind}, .*{named}"):
        check_kinds(load(raw))


def test_an_anchor_that_contains_itself_is_refused() -> None:
    raw: dict[str, Any] = yaml.safe_load("experiments: &e {talk: *e}")
    assert "YAML anchor" in message(raw)


KEYS = sorted({key for key, _, _ in WRONG if ".." not in key})


@settings(deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON_LIKE)
def test_any_value_anywhere_loads_or_is_refused_in_one_line(key: str, value: Any) -> None:
    raw = talk_with(key, value)
    try:
        load(raw)
    except ConfigError as error:
        text = str(error)
    else:
        text = "loads"
    assert len(text.splitlines()) == 1
