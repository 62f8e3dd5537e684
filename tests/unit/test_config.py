"""The configuration: what loads, and what the specs of jobs are made of."""

import json
import math
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config
from superposition_atlas import schedules
from superposition_atlas.config import families, load, read, sae_spec, schedule_source
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.verdicts import models_for_always
from superposition_atlas.sae.settings import SAESettings
from superposition_atlas.toy_model import TrainingSettings

from .config_samples import LINEAR, SMOKE, TALK, changed, laid_over, small, talk_with


def test_the_talk_loads() -> None:
    config = load(read(TALK))
    assert list(config.experiments) == [
        "talk",
        "talk_linear",
        "wide",
        "wide_linear",
        "controls",
        "sae_arena",
        "sae_bench",
        "sae_bench_wide",
        "sae_bench_post",
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
        "talk": "geometric",
        "talk_linear": "linear",
        "wide": "geometric",
        "wide_linear": "linear",
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
    for name in ("talk", "wide", "wide_linear"):
        experiment = config.experiments[name]
        n, m = experiment.n_features, experiment.n_hidden
        scale = experiment.cases["case1"].training.init_scale
        assert isinstance(scale, float)
        assert scale == pytest.approx(math.sqrt(2 / (m * n + 8 * n)), rel=1e-3)


def test_the_smoke_test_is_the_talk_made_small() -> None:
    talk, smoke = load(read(TALK)), load(laid_over(read(SMOKE)))
    assert load(laid_over(load_configfile(SMOKE))).experiments.keys() == smoke.experiments.keys()
    samples = 0
    # Some experiments and cases show that it works, and every kind of figure is among theirs.
    assert smoke.experiments.keys() < talk.experiments.keys()
    kinds = [{figure.module for figure in catalogue.figures(one)} for one in (talk, smoke)]
    assert kinds[0] <= kinds[1]
    for name, tiny in smoke.experiments.items():
        experiment = talk.experiments[name]
        assert tiny.cases.keys() <= experiment.cases.keys()
        assert tiny.saes.keys() in (set(), experiment.saes.keys())
        assert tiny.claims == experiment.claims
        samples += sum(case.training.steps * case.training.batch_size for case in tiny.cases.values()) * len(
            tiny.seeds
        )
        assert "smoke test" in tiny.title
    assert samples < 1e8


def test_many_seeds_are_as_many_as_the_verdict_always_needs() -> None:
    talk, many = load(read(TALK)), load(laid_over(read(TALK.parent / "many_seeds.yaml")))
    assert models_for_always(138) == len(many.experiments["wide"].seeds) < models_for_always(139)
    for name, experiment in talk.experiments.items():
        assert name == "wide" or many.experiments[name].seeds == experiment.seeds


def test_what_is_left_out_has_the_librarys_defaults() -> None:
    config = load({"experiments": {"least": {"n_features": 3, "n_hidden": 2, "cases": {"only": {}}}}})
    least = config.experiments["least"]
    assert (config.engine, config.device) == ("auto", "auto")
    assert (least.title, least.cases["only"].title) == ("least", "only")
    assert least.seeds == tuple(range(8))
    assert least.cases["only"].training == TrainingSettings()
    assert least.family == "geometric"
    assert np.allclose(least.cases["only"].probability, [[1.0, 50**-0.5, 0.02]])
    saes = load(talk_with("saes.relu", {"n_latents": 3})).experiments["talk"].saes["relu"].settings
    assert SAESettings(**saes) == SAESettings(n_latents=3)


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


def test_exactly_the_families_that_there_are_can_be_configured() -> None:
    assert set(families.FAMILIES) == set(schedules.FAMILIES)


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
            if field.name not in ("cases", "saes", "figures"):
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
