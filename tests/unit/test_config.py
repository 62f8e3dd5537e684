"""The configuration: what loads, what is refused and how it is said, and that schema and document agree."""

import json
import math
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config
from superposition_atlas import schedules
from superposition_atlas.config import load, read, sae_spec, schedule_source
from superposition_atlas.config.document import with_tables
from superposition_atlas.config.figures import check_figures
from superposition_atlas.config.saes import check_saes
from superposition_atlas.config.schema import definition, resolved, schema, shown
from superposition_atlas.errors import ConfigError
from superposition_atlas.sae.architectures import registry
from superposition_atlas.toy_model import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]
TALK = ROOT / "config" / "config.yaml"
SMOKE = ROOT / "config" / "smoke.yaml"
README = ROOT / "config" / "README.md"

SMALL = """
experiments:
  talk:
    n_features: 5
    n_hidden: 2
    seeds: 8
    importance: {family: geometric, first: 1.0, ratio: 0.9}
    probability: {family: linear, first: 0.9, last: 0.1}
    training: {steps: 100}
    cases:
      case1: {}
      case2: {probability: {family: permutation, of: base, order: reversed}}
    saes:
      relu: {n_latents: 5, resampling: simple, steps: 5000, seeds: 4}
"""


def small(**changes: Any) -> dict[str, Any]:
    """A small configuration, changed at dotted keys written with __ (talk__seeds)."""
    return changed({key.replace("__", "."): value for key, value in changes.items()})


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(SMALL)
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        at: Any = raw
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return raw


def talk_with(key: str, value: Any) -> dict[str, Any]:
    return changed({f"experiments.talk.{key}": value})


def laid_over(*overlays: Any) -> dict[str, Any]:
    """The talk's configuration under overlays, as Snakemake does it."""
    raw = load_configfile(TALK)
    for overlay in overlays:
        update_config(raw, overlay)
    return raw


def message(raw: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check_saes(load(raw))
    return str(caught.value)


# --- what loads --------------------------------------------------------------------------------------------


def test_the_talk_loads() -> None:
    config = load(read(TALK))
    assert list(config.experiments) == [
        "talk",
        "talk_geometric",
        "wide",
        "wide_geometric",
        "controls",
        "sae_arena",
        "sae_bench",
        "sae_bench_wide",
    ]
    talk, wide = config.experiments["talk"], config.experiments["wide"]
    assert (talk.n_features, talk.n_hidden, len(talk.seeds), talk.shown_seeds) == (5, 2, 256, 8)
    assert (wide.n_features, wide.n_hidden, len(wide.seeds)) == (80, 20, 8)
    names = ["case1", "case2", "case3", "case4", "case5", "post4", "uniform", "uniform_matched"]
    assert list(talk.cases) == list(wide.cases) == names
    assert talk.saes.keys() == {"relu_simple", "relu_advanced"}
    assert not wide.saes
    assert talk.claims
    assert wide.claims
    assert not config.experiments["controls"].claims


def test_the_cases_are_those_of_the_talk() -> None:
    config = load(read(TALK))
    families = {
        "talk": "linear",
        "talk_geometric": "geometric",
        "wide": "linear",
        "wide_geometric": "geometric",
    }
    for name, family in families.items():
        assert config.experiments[name].family == family
        case = config.experiments[name].cases
        falling = case["case1"].probability[0]
        importance = case["case1"].importance[0]
        assert np.all(np.diff(falling) < 0)
        assert np.allclose(importance, 0.9 ** np.arange(len(importance)))
        assert np.array_equal(case["case2"].probability[0], falling[::-1])
        orders = [tuple(case[random].probability[0]) for random in ("case3", "case4", "case5")]
        assert len({*orders, tuple(falling), tuple(falling[::-1])}) == 5
        assert all(sorted(order) == sorted(falling) for order in orders)
        for constant in ("case5", "post4"):
            assert np.all(case[constant].importance == 1)
        assert np.array_equal(case["post4"].probability[0], falling)
        eight = case["uniform"].probability
        assert np.allclose(eight, (50 ** -np.linspace(0, 1, 8))[:, None])
        assert np.allclose(case["uniform_matched"].probability, falling.mean())


def test_the_initial_scales_are_those_of_eight_batched_instances() -> None:
    """PyTorch's Xavier on (instances, m, n): fan-in m·n, fan-out instances·n."""
    config = load(read(TALK))
    for name in ("talk", "wide", "wide_geometric"):
        experiment = config.experiments[name]
        n, m = experiment.n_features, experiment.n_hidden
        scale = experiment.cases["case1"].training.init_scale
        assert isinstance(scale, float)
        assert scale == pytest.approx(math.sqrt(2 / (m * n + 8 * n)), rel=1e-3)


def test_the_smoke_test_is_the_talk_made_small() -> None:
    talk, smoke = load(read(TALK)), load(laid_over(read(SMOKE)))
    assert load(laid_over(load_configfile(SMOKE))).experiments.keys() == smoke.experiments.keys()
    samples = 0
    for name, experiment in talk.experiments.items():
        tiny = smoke.experiments[name]
        # Some cases of what compares architectures, and of other families and sizes, show that it works.
        if experiment.compares_architectures or name in ("talk_geometric", "wide", "wide_geometric"):
            assert tiny.cases.keys() <= experiment.cases.keys()
        else:
            assert tiny.cases.keys() == experiment.cases.keys()
        assert tiny.saes.keys() == experiment.saes.keys()
        assert tiny.claims == experiment.claims
        samples += sum(case.training.steps * case.training.batch_size for case in tiny.cases.values()) * len(
            tiny.seeds
        )
        assert "smoke test" in tiny.title
    assert samples < 1e8


def test_defaults_come_from_the_schema_and_are_those_of_the_library() -> None:
    config = load({"experiments": {"least": {"n_features": 3, "n_hidden": 2, "cases": {"only": {}}}}})
    least = config.experiments["least"]
    assert (config.engine, config.device) == ("auto", "auto")
    assert (least.title, least.cases["only"].title) == ("least", "only")
    assert least.seeds == tuple(range(8))
    assert least.cases["only"].training == TrainingSettings()
    assert {field.name for field in fields(TrainingSettings)} == set(definition("training")["properties"])
    assert least.family == "linear"
    assert np.allclose(least.cases["only"].probability, [[0.9, 0.5, 0.1]])


def test_sae_defaults_and_names_are_those_of_train_saes() -> None:
    sae_module = pytest.importorskip("superposition_atlas.sae.ensemble")
    theirs = {field.name: field for field in fields(sae_module.SAESettings)}
    assert definition("sae")["properties"].keys() == theirs.keys() | {"record_steps", "seeds"}
    described = definition("sae")["properties"]["architecture"]["description"]
    assert all(f"`{name}`" in described for name in registry.names())
    for name, part in definition("sae")["properties"].items():
        if name in theirs and "default" in resolved(part):
            default = resolved(part)["default"]
            assert theirs[name].default in (default, (default,)) or list(theirs[name].default) == default


def test_a_case_overrides_its_experiments_training() -> None:
    raw = talk_with("cases.case2.training", {"init_scale": 1})
    cases = load(raw).experiments["talk"].cases
    assert cases["case1"].training == TrainingSettings(steps=100)
    assert cases["case2"].training == TrainingSettings(steps=100, init_scale=1.0)


def test_defaults_give_way_where_there_are_fewer_seeds() -> None:
    experiment = load(
        changed({"experiments.talk.seeds": [7, 3], "experiments.talk.saes.relu.seeds": 1})
    ).experiments["talk"]
    assert experiment.seeds == (7, 3)
    assert experiment.shown_seeds == 2
    assert experiment.saes["relu"].seeds == (7,)


def test_like_merges_mappings_and_replaces_the_rest() -> None:
    raw = changed(
        {
            "experiments.other": {
                "like": "talk",
                "seeds": [1, 2],
                "probability": {"last": 0.2},
                "importance": {"family": "constant", "value": 2},
                "cases": {"case2": None, "mine": {}},
                "saes": {"relu": {"n_latents": 9, "seeds": 1}},
            },
            "experiments.third": {"like": "other", "saes": None, "n_hidden": 3},
            "experiments.talk.title": "The first",
        }
    )
    before = deepcopy(raw)
    config = load(raw)
    assert raw == before
    other, third = config.experiments["other"], config.experiments["third"]
    assert other.title == "other"
    assert list(other.cases) == list(third.cases) == ["case1", "mine"]
    assert np.allclose(other.cases["mine"].probability, np.linspace(0.9, 0.2, 5))
    assert np.all(other.cases["mine"].importance == 2)
    assert (other.saes["relu"].settings["n_latents"], other.saes["relu"].settings["steps"]) == (9, 5000)
    assert other.cases["case1"].training == config.experiments["talk"].cases["case1"].training
    assert not third.saes
    assert (third.seeds, third.n_hidden) == ((1, 2), 3)


def test_like_works_whatever_the_order() -> None:
    raw = changed({"experiments.a": {"like": "b"}, "experiments.b": {"like": "talk", "n_hidden": 1}})
    assert load(raw).experiments["a"].n_hidden == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"family": "constant", "value": 0.5},
        {"family": "linear", "first": 0.9, "last": 0.1},
        {"family": "geometric", "first": 1, "last": 0.02},
        {"family": "geometric", "first": 1, "ratio": 0.5},
        {"family": "zipf", "first": 0.9, "exponent": 1.5},
        {"family": "random_uniform", "low": 0.1, "high": 0.9, "seed": 0},
        {"family": "log_uniform", "low": 0.01, "high": 1, "seed": 0},
        {"family": "explicit", "values": [0.1, 0.2, 0.3, 0.4, 1]},
        {"family": "permutation", "of": "base", "order": [4, 0, 1, 2, 3]},
        {"family": "permutation", "of": {"family": "constant", "value": 1}, "seed": 5},
        {"family": "mean", "of": {"family": "permutation", "of": "base", "seed": 1}},
        {"family": "per_instance", "of": {"family": "linear", "first": 0.1, "last": 0.8}, "count": 8},
    ],
    ids=lambda spec: spec["family"],
)
def test_every_family_serves_importance_and_probability(spec: dict[str, Any]) -> None:
    for quantity in ("importance", "probability"):
        case = load(talk_with(f"cases.mine.{quantity}", spec)).experiments["talk"].cases["mine"]
        rows = getattr(case, quantity)
        assert rows.shape == (spec.get("count", 1), 5)


def test_the_schema_knows_exactly_the_families_there_are() -> None:
    parts = schema()["$defs"]
    assert set(parts["families"]) == set(parts["is"]) == set(schedules.FAMILIES)
    assert set(definition("own_schedule")["properties"]["family"]["enum"]) == set(schedules.FAMILIES)
    assert len(parts["own_schedule"]["allOf"]) == len(schedules.FAMILIES)


# --- what is refused ---------------------------------------------------------------------------------------

LINEAR = {"family": "linear", "first": 0.9, "last": 0.1}

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
    ("training.bias", "none", ["training.bias:", "'none'", "trained, zero or mean, or a list"]),
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
        ["saes.relu.architecture:", "'relux'", "relu, gated, jumprelu"],
    ),
    ("saes.relu.resampling", "often", ["saes.relu.resampling:", "'often'", "none, simple or advanced"]),
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
    ("saes.relu.k", 2, ["saes.relu.k: got (2,)", "leave it out with architecture relu"]),
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


@pytest.mark.parametrize(("key", "value", "named"), WRONG, ids=[f"{k}={shown(v)}"[:60] for k, v, _ in WRONG])
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
    ids=lambda value: shown(value)[:50] if isinstance(value, dict) else "",
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
            {"slide11": TESTED | {"cases": {"a": {}}}, "talk": TESTED | {"cases": {"a": {}}}},
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


def test_the_talks_figures_have_names_of_their_own() -> None:
    for layers in ([], [SMOKE], [ROOT / "config" / "atlas.yaml"], [ROOT / "config" / "norms.yaml"]):
        check_figures(load(laid_over(*[read(layer) for layer in layers])))


def test_an_anchor_that_contains_itself_is_refused() -> None:
    raw: dict[str, Any] = yaml.safe_load("experiments: &e {talk: *e}")
    assert "YAML anchor" in message(raw)


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
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


# --- reading -----------------------------------------------------------------------------------------------


def assert_refused(path: Path, content: str, named: list[str]) -> None:
    """In one line, with the file and all of these."""
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for part in named:
        assert part in text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            "experiments:\n  a:\n    cases:\n      one: {}\n      one: {}\n",
            ["line 5", "'one'", "given twice", "line 4"],
        ),
        ("a: {b: 1, b: 2}\n", ["line 1", "'b'", "given twice"]),
        ("experiments: [1, 2\nfoo: 3\n", ["line 2"]),
        ("\ta: 1\n", ["line 1"]),
        ("", ["a mapping", "nothing"]),
        ("- 1\n", ["a mapping", "list"]),
        ("a: !!python/object:os.system {}\n", ["line 1", "python/object"]),
        ("--- 1\n--- 2\n", ["line 2"]),
        ("a: 2024-13-01\n", ["not YAML", "month must be in 1..12"]),
        ("? [1]\n: 2\n", ["line 1", "unhashable"]),
    ],
)
def test_an_unreadable_file_is_named_with_its_line(tmp_path: Path, content: str, named: list[str]) -> None:
    assert_refused(tmp_path / "mine.yaml", content, named)


def test_missing_folder_and_binary_files_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)))
    for path in (tmp_path / "none.yaml", tmp_path, binary):
        with pytest.raises(ConfigError, match=re.escape(str(path))) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_anchors_and_merge_keys_may_repeat_a_key(tmp_path: Path) -> None:
    path = tmp_path / "anchors.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}


@pytest.mark.parametrize("path", [TALK, SMOKE], ids=["config", "smoke"])
def test_we_read_what_snakemake_reads(path: Path) -> None:
    assert read(path) == load_configfile(path)


# --- specs -------------------------------------------------------------------------------------------------


def specs(raw: dict[str, Any]) -> dict[str, Any]:
    experiment = load(raw).experiments["talk"]
    cases = {name: schedule_source(raw, "talk", name) for name in experiment.cases}
    return cases | {name: sae_spec(sae) for name, sae in experiment.saes.items()}


def test_specs_are_plain_values() -> None:
    for spec in specs(small()).values():
        text = json.dumps(spec, allow_nan=False)
        assert json.loads(text) == spec


@pytest.mark.parametrize(
    ("key", "value", "differ"),
    [
        ("title", "Another", ()),
        ("family", "ours", ()),
        ("claims", True, ()),
        ("shown_seeds", 3, ()),
        ("cases.case1.title", "Another", ()),
        ("cases.case3", {}, ()),
        ("training.init_scale", "xavier", ()),
        ("training.learning_rate", 0.001, ()),
        ("cases.case1.probability", LINEAR, ("case1",)),
        ("seeds", [0, 1, 2, 3, 4, 5, 6, 7], ()),
        ("cases.case2.probability", {"family": "permutation", "of": "base", "seed": 1}, ("case2",)),
        ("cases.case1.training", {"steps": 7}, ("case1",)),
        ("probability", LINEAR | {"last": 0.2}, ("case1", "case2")),
        ("training.steps", 7, ("case1", "case2")),
        ("n_hidden", 3, ("case1", "case2")),
        ("seeds", 9, ("case1", "case2")),
        ("saes.relu.steps", 6000, ("relu",)),
        ("saes.relu.seeds", 5, ("relu",)),
        ("seeds", [1, 0, 2, 3, 4, 5, 6, 7], ("case1", "case2", "relu")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_spec_changes_with_what_training_depends_on_and_nothing_else(
    key: str, value: Any, differ: tuple[str, ...]
) -> None:
    before, after = specs(small()), specs(talk_with(key, value))
    assert {name for name, spec in before.items() if after[name] != spec} == set(differ)


@pytest.mark.parametrize("path", [TALK, SMOKE], ids=["config", "smoke"])
def test_an_experiment_and_a_case_alone_are_what_they_are_among_others(path: Path) -> None:
    raw = read(TALK)
    if path != TALK:
        update_config(raw, read(path))
    for name, experiment in load(raw).experiments.items():
        alone = load(schedule_source(raw, name)).experiments[name]
        assert list(alone.cases) == list(experiment.cases)
        for field in fields(experiment):
            if field.name not in ("cases", "saes"):
                assert getattr(alone, field.name) == getattr(experiment, field.name)
        for case_name, case in experiment.cases.items():
            single = load(schedule_source(raw, name, case_name)).experiments[name]
            assert single.seeds == experiment.seeds
            assert (single.n_features, single.n_hidden) == (experiment.n_features, experiment.n_hidden)
            assert list(single.cases) == [case_name]
            for other in (alone.cases[case_name], single.cases[case_name]):
                assert other.training == case.training
                np.testing.assert_array_equal(other.importance, case.importance)
                np.testing.assert_array_equal(other.probability, case.probability)


def test_an_integer_and_the_same_float_are_one_setting() -> None:
    one = specs(talk_with("training.init_scale", 1))
    assert json.dumps(one) == json.dumps(specs(talk_with("training.init_scale", 1.0)))


# --- schema and document -----------------------------------------------------------------------------------

PARTS = ["experiment", "case", "training", "sae", "map", "range", "network", "attention"]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("part", [schema(), *(definition(name) for name in PARTS)], ids=["top", *PARTS])
def test_every_key_has_a_description_and_an_optional_one_a_valid_default(part: dict[str, Any]) -> None:
    for key, inner in part["properties"].items():
        whole = resolved(inner)
        assert whole["description"].strip().endswith((".", ")")), key
        if key in part.get("required", ()):
            assert "default" not in whole, key
        else:
            rule = {"$defs": schema()["$defs"]} | inner
            jsonschema.Draft202012Validator(rule).validate(whole["default"])


def test_every_key_of_a_family_has_a_description() -> None:
    for family, part in schema()["$defs"]["families"].items():
        assert part["description"]
        assert part["properties"]["family"] == {"const": family}
        for key, inner in part["properties"].items():
            assert key == "family" or inner["description"]


def test_the_readme_is_what_the_schema_makes_of_it() -> None:
    """Else: python -m superposition_atlas.config.document config/README.md."""
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text
    for part in ["configuration", *PARTS, "families", "kinds"]:
        assert f"<!-- table: {part} -->" in text


def test_a_changed_default_changes_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8")
    monkeypatch.setitem(schema()["$defs"]["training"]["properties"]["steps"], "default", 12345)
    assert "`12345`" in with_tables(text)


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nothing'"):
        with_tables("<!-- table: nothing -->\n<!-- end of table -->")


EXAMPLES = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[1].strip() for text in EXAMPLES])
def test_the_readmes_examples_load(example: str) -> None:
    changed_config = load(laid_over(yaml.safe_load(example)))
    assert str(changed_config) != str(load(read(TALK)))


def test_the_readmes_examples_do_what_they_say() -> None:
    steeper, rare_middle, *others, fewer = (yaml.safe_load(example) for example in EXAMPLES)
    config = load(laid_over(steeper, *others))
    assert all("steeper" in config.experiments[name].cases for name in ("talk", "talk_geometric", "wide"))
    listed = load(laid_over(rare_middle)).experiments
    assert listed["talk"].cases["rare_middle"].probability.tolist() == [[0.9, 0.3, 0.05, 0.3, 0.9]]
    assert listed["wide"].cases.keys() == config.experiments["wide"].cases.keys() - {"steeper"}
    less = load(laid_over(fewer)).experiments
    assert "wide" not in less
    assert "case4" not in less["talk"].cases
    assert config.experiments["talk_zipf"].family == "zipf"
    medium = config.experiments["medium"]
    assert (medium.n_features, medium.n_hidden, len(medium.seeds)) == (20, 5, 64)
    assert medium.cases["case1"].training.init_scale == "xavier"
    assert {name: sae.settings["n_latents"] for name, sae in medium.saes.items()} == {"relu_simple": 20}
    pairs = config.experiments["pairs"]
    assert pairs.cases["densities"].probability.shape == (8, 2)
    assert pairs.cases["dense_last"].training == TrainingSettings(steps=20000, init_scale=0.2)


def test_the_readmes_message_is_what_one_gets() -> None:
    shown = re.search(r"```text\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    assert message(talk_with("probability.first", 1.4)) == shown[1]


def test_reading_the_configuration_imports_nothing_heavy() -> None:
    program = (
        "import sys; from superposition_atlas.config import load, read; "
        "from superposition_atlas.config.figures import check_figures; "
        "check_figures(load(read(sys.argv[1]))); "
        "print(*({'torch', 'numba', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(TALK)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""


def test_a_long_list_without_aliases_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("seeds:\n" + "".join(f"- {seed}\n" for seed in range(100_001)))
    assert read(path) == {"seeds": list(range(100_001))}


def test_json_is_read_as_json(tmp_path: Path) -> None:
    raw = {"rate": 5e-05, "large": 1e16, "title": "\N{GRINNING FACE}", "n": [1, True, None, {"é": 1.5}]}
    path = tmp_path / "mine.json"
    for ensure_ascii in (True, False):
        path.write_text(json.dumps(raw, ensure_ascii=ensure_ascii), encoding="utf-8")
        assert read(path) == raw


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"a": 1,\n "a": 2}', ["line 2", "'a'", "given twice, first on line 1"]),
        ('{"a": {"b": 1, "b": 2}}', ["line 1", "'b'", "given twice"]),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested too deeply"]),
        ('{"a": ' + "9" * 5000 + "}", ["not YAML", "4300"]),
        ("[1]", ["a mapping", "list"]),
    ],
    ids=["twice", "twice inside", "deep", "digits", "list"],
)
def test_what_json_can_not_be_is_said_as_of_yaml(tmp_path: Path, content: str, named: list[str]) -> None:
    assert_refused(tmp_path / "mine.json", content, named)


def test_a_few_lines_that_stand_for_billions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    for text in ("\n".join(lines), "a: &a [*a]"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="aliases stand for too much, allowed are 100000 values"):
            read(path)
