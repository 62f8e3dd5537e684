"""The configuration's block `attention`: what loads, and what is refused in one line."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import yaml
from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.config import declaration, load, read
from superposition_atlas.config.saes import check_saes
from superposition_atlas.errors import ConfigError

from .config_samples import LINEAR, SMOKE, TALK, laid_over, small

BLOCK: dict[str, Any] = yaml.safe_load("""
mine:
  n_features: 5
  n_hidden: 2
  seeds: 3
  probability: {family: linear, first: 0.9, last: 0.1}
  toy_model: {steps: 100}
  sae: {n_latents: 5}
""")


def with_block(key: str = "", value: Any = None) -> dict[str, Any]:
    """A small configuration whose setting is changed at a dotted key; None removes it."""
    block = deepcopy(BLOCK)
    at = block["mine"]
    *parents, last = key.split(".") if key else ["n_features"]
    for parent in parents:
        at = at.setdefault(parent, {})
    at[last] = value if key else 5
    return small() | {"attention": block}


def message(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        check_saes(load(raw))
    return str(caught.value)


def test_the_talks_settings_load() -> None:
    config = load(read(TALK))
    check_saes(config)
    uniform, rare = config.attention["uniform"], config.attention["rare"]
    assert list(config.attention) == ["uniform", "rare"]
    assert uniform.seeds == rare.seeds == tuple(range(10))
    assert uniform.heads == rare.heads == (1, 4)
    assert len(set(uniform.probability)) == 1
    assert uniform.probability.mean() == pytest.approx(rare.probability.mean())
    assert (np.diff(rare.probability) < 0).all()
    for setting in (uniform, rare):
        assert setting.sae["n_latents"] == setting.n_features > setting.n_hidden
        assert setting.spec == {**rare.spec, "probability": setting.probability.tolist()}


def test_the_smoke_test_has_the_same_settings_small() -> None:
    talk, smoke = load(read(TALK)).attention, load(laid_over(read(SMOKE))).attention
    assert smoke.keys() == talk.keys()
    for setting in smoke.values():
        assert "smoke test" in setting.title
        assert len(setting.heads) == 2
        scores = len(setting.seeds) * sum(setting.heads) * setting.training["steps"]
        assert scores * setting.training["batch_size"] * setting.training["n_keys"] < 1e6


def test_defaults_are_those_of_the_library() -> None:
    setting = load(with_block()).attention["mine"]
    assert setting.title == "mine"
    assert setting.heads == (1, 4)
    ours = AttentionSettings(n_heads=4, **setting.training)
    assert ours == AttentionSettings()
    assert setting.training.keys() | {"n_heads"} == AttentionSettings().as_dict().keys()
    assert setting.toy_model.steps == 100
    assert {"seeds", "record_steps"}.isdisjoint(setting.sae)


def test_slide_3_can_be_left_out() -> None:
    assert load(small()).attention == {}
    assert load(small() | {"attention": None}).attention == {}
    assert load(laid_over({"attention": None})).attention == {}
    assert list(load(laid_over({"attention": {"rare": None}})).attention) == ["uniform"]


def test_titles_are_no_part_of_what_is_trained() -> None:
    one, other = (load(raw).attention["mine"] for raw in (with_block(), with_block("title", "Another")))
    assert one.spec == other.spec
    assert load(with_block("seeds", [0, 1, 2])).attention["mine"].spec == one.spec
    assert load(with_block("steps", 7)).attention["mine"].spec != one.spec


def test_an_integer_and_the_same_float_are_one_setting() -> None:
    for key in ("learning_rate", "toy_model.learning_rate", "sae.learning_rate", "sae.sparsity_coefficient"):
        one, other = (load(with_block(key, value)).attention["mine"].spec for value in (1, 1.0))
        assert json.dumps(one) == json.dumps(other)


WRONG: list[tuple[str, Any, list[str]]] = [
    ("head", [1], ["mine.head:", "unknown key", "did you mean heads?"]),
    ("n_hidden", None, ["mine.n_hidden:", "missing", "an integer ≥ 1"]),
    ("n_features", 1, ["mine.n_features:", "1", "an integer ≥ 2"]),
    ("seeds", [1, 1], ["mine.seeds:", "distinct integers", "1 is given twice"]),
    ("heads", [], ["mine.heads:", "[]", "a list of distinct integers"]),
    ("heads", [2, 2], ["mine.heads:", "2 is given twice"]),
    ("heads", [0], ["mine.heads[0]:", "0", "≥ 1"]),
    ("n_keys", 0, ["mine.n_keys:", "0", "an integer ≥ 1"]),
    ("learning_rate", "1e-3", ["mine.learning_rate:", "'1e-3'", "a number > 0", "write 0.001"]),
    ("learning_rate", 1e308, ["mine.learning_rate: got 1e+308,", "at most 1e+36"]),
    ("probability", LINEAR | {"first": 1.5}, ["mine.probability.first:", "1.5", "a number > 0 and ≤ 1"]),
    ("probability", "base", ["mine.probability:", "'base'", "a mapping with the key family"]),
    ("probability", {"family": "mean", "of": "base"}, ["mine.probability.of:", "'base'"]),
    (
        "probability",
        {"family": "per_instance", "of": LINEAR, "count": 2},
        ["mine.probability:", "'per_instance'", "one value a feature"],
    ),
    ("toy_model.steps", -1, ["mine.toy_model.steps:", "-1", "an integer ≥ 0"]),
    ("toy_model.centred_inputs", True, ["mine.toy_model.centred_inputs:", "True", "false here"]),
    (
        "toy_model.weight_decay",
        0.1,
        ["mine.toy_model.weight_decay: got 0.1, allowed is 0 with the optimizer adam"],
    ),
    ("sae", None, ["mine.sae:", "missing"]),
    ("sae.n_latents", 4, ["mine.sae.n_latents:", "4", "an integer ≥ 5", "each of the n_features"]),
    ("sae.seeds", 2, ["mine.sae.seeds:", "2", "every toy model gets one SAE"]),
    ("sae.record_steps", [0], ["mine.sae.record_steps:", "[0]", "every toy model gets one SAE"]),
    ("sae.sparsity_coefficient", [0.1, 0.2], ["mine.sae.sparsity_coefficient:", "one number here"]),
    ("sae.k", 2, ["mine.sae.k: got 2,", "its default, 1, with architecture relu"]),
]


@pytest.mark.parametrize(("key", "value", "named"), WRONG, ids=[f"{key}={v!r}"[:50] for key, v, _ in WRONG])
def test_a_wrong_value_is_named_in_one_line(key: str, value: Any, named: list[str]) -> None:
    text = message(with_block(key, value))
    assert "\n" not in text
    assert text.startswith("attention.mine")
    for part in named:
        assert part in text


def test_names_differ_by_more_than_case() -> None:
    raw = with_block()
    raw["attention"]["MINE"] = deepcopy(raw["attention"]["mine"])
    assert "'MINE'" in message(raw)
    raw = with_block() | {"attention": {"../up": BLOCK["mine"]}}
    assert "a letter followed by" in message(raw)


def test_every_key_is_one_that_loading_reads() -> None:
    spec = load(with_block()).attention["mine"]
    read_keys = {"title", *spec.spec, *spec.training} - {"training"}
    assert set(declaration.ATTENTION.fields) == read_keys
