"""The configuration of slide 4's networks: what loads, what is refused and how it is said."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.config import declaration, laid_over, load, read
from superposition_atlas.config.playground import PlaygroundNetworks
from superposition_atlas.errors import ConfigError
from superposition_atlas.playground import network_settings as playground

ROOT = Path(__file__).resolve().parents[2]
TALK, SMOKE, TINY = (
    ROOT / name for name in ("config/config.yaml", "config/smoke.yaml", "tests/workflow/tiny.yaml")
)
EXPERIMENTS = {"least": {"n_features": 3, "n_hidden": 2, "cases": {"only": {}}}}


def networks(own: Any) -> dict[str, PlaygroundNetworks]:
    return load({"experiments": EXPERIMENTS, "playground": own}).playground


def mine(**changes: Any) -> PlaygroundNetworks:
    return networks({"mine": {"data_set": "xor", **changes}})["mine"]


def message(own: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        networks(own)
    return str(caught.value)


# --- what loads --------------------------------------------------------------------------------------------


def test_the_talk_has_every_data_set_and_more_than_one_seed_of_each() -> None:
    configured = load(read(TALK)).playground
    assert {own.settings.data_set for own in configured.values()} == set(get_args(playground.DataSetName))
    assert all(len(own.seeds) >= 8 for own in configured.values())
    assert {own.settings.activation for own in configured.values()} >= {"tanh", "relu"}
    spiral, raw = (configured[name].settings.as_dict() for name in ("spiral", "spiral_raw"))
    assert {name for name, value in spiral.items() if raw[name] != value} == {"inputs"}


def test_the_smoke_test_has_the_same_networks_made_small() -> None:
    talk = load(read(TALK)).playground
    smoke = load(laid_over(read(TALK), read(SMOKE))).playground
    tiny = load(laid_over(read(TALK), read(TINY))).playground
    assert smoke.keys() == talk.keys()
    assert tiny.keys() < talk.keys()
    for own in (*smoke.values(), *tiny.values()):
        assert own.settings.steps * len(own.seeds) <= 1200
        assert own.settings.data_set == talk[own.name].settings.data_set


@pytest.mark.parametrize("own", [None, {}, {"mine": None}])
def test_null_leaves_it_out(own: Any) -> None:
    assert networks(own) == {}
    assert load({"experiments": EXPERIMENTS}).playground == {}
    assert load(laid_over(read(TALK), {"playground": None})).playground == {}


def test_what_is_left_out_has_the_librarys_defaults() -> None:
    own = mine()
    assert own.settings == playground.Settings(data_set="xor")
    assert (own.title, own.seeds) == ("mine", tuple(range(8)))


def test_seeds_are_a_number_or_a_list() -> None:
    assert mine(seeds=3).seeds == (0, 1, 2)
    assert mine(seeds=[7, 2]).seeds == (7, 2)


def test_a_spec_is_plain_and_changes_with_what_training_depends_on_alone() -> None:
    before = mine(title="One").spec
    assert json.loads(json.dumps(before, allow_nan=False)) == before
    assert mine(title="Another", noise=0, seeds=list(range(8))).spec == before
    assert mine(noise=10).spec == mine(noise=10.0).spec != before
    assert mine(seeds=9).spec != before


# --- what is refused ---------------------------------------------------------------------------------------

# key · value · what the message must name
WRONG: list[tuple[str, Any, list[str]]] = [
    (
        "data_set",
        "moons",
        ["mine.data_set:", "'moons'", "circle, xor, gaussian, spiral, plane or multi_gaussian"],
    ),
    ("learning_rate", 1e308, ["mine.learning_rate: got 1e+308,", "at most 1e+36"]),
    ("data_set", "spirals", ["mine.data_set:", "'spirals'", "did you mean spiral?"]),
    ("data_set", None, ["mine.data_set:", "missing", "circle, xor"]),
    ("dataset", "xor", ["mine.dataset:", "unknown key", "did you mean data_set?"]),
    ("inputs", ["x1", "x3"], ["mine.inputs[1]:", "'x3'", "x1_squared", "sin_x2"]),
    ("inputs", [], ["mine.inputs:", "[]", "a list of distinct inputs"]),
    ("inputs", ["x1", "x1"], ["mine.inputs:", "'x1' is given twice"]),
    ("inputs", "x1", ["mine.inputs:", "'x1'", "a list of distinct inputs"]),
    ("hidden_layers", [], ["mine.hidden_layers:", "[]", "a list of 1 to 6 integers ≥ 1 and ≤ 8"]),
    ("hidden_layers", [2] * 7, ["mine.hidden_layers:", "[2, 2, 2, 2, 2, 2, 2]", "1 to 6"]),
    ("hidden_layers", [4, 0], ["mine.hidden_layers[1]:", "0", "an integer ≥ 1 and ≤ 8"]),
    ("hidden_layers", [9], ["mine.hidden_layers[0]:", "9", "≤ 8"]),
    ("hidden_layers", 4, ["mine.hidden_layers:", "4", "a list of 1 to 6"]),
    ("noise", 51, ["mine.noise:", "51", "a number ≥ 0 and ≤ 50"]),
    ("noise", -1, ["mine.noise:", "-1", "a number ≥ 0 and ≤ 50"]),
    ("noise", "10 %", ["mine.noise:", "'10 %'", "a number ≥ 0"]),
    ("training_share", 5, ["mine.training_share:", "5", "≥ 10 and ≤ 90"]),
    ("n_points", 2, ["mine.n_points:", "2", "an integer ≥ 10"]),
    ("activation", "elu", ["mine.activation:", "'elu'", "tanh, relu, sigmoid or linear"]),
    ("steps", 0, ["mine.steps:", "0", "an integer ≥ 1"]),
    ("batch_size", 0, ["mine.batch_size:", "0", "an integer ≥ 1"]),
    ("batch_size", 251, ["mine.batch_size:", "251", "≤ 250, the number of points to learn from"]),
    ("optimizer", "adamw", ["mine.optimizer:", "'adamw'", "sgd or adam"]),
    ("learning_rate", 0, ["mine.learning_rate:", "0", "a number > 0"]),
    ("learning_rate", "3e-2", ["mine.learning_rate:", "'3e-2'", "write 0.03"]),
    ("regularization", "l3", ["mine.regularization:", "'l3'", "none, l1 or l2"]),
    ("regularization_rate", 0.1, ["mine.regularization_rate:", "0.1", "0 with the regularization none"]),
    ("seeds", 0, ["mine.seeds:", "0", "an integer ≥ 1"]),
    ("seeds", [1, 1], ["mine.seeds:", "1 is given twice"]),
    ("title", "two\nlines", ["mine.title:", "text on one line"]),
]


@pytest.mark.parametrize(("key", "value", "named"), WRONG, ids=[f"{k}={v!r}"[:60] for k, v, _ in WRONG])
def test_a_wrong_value_is_named_in_one_line(key: str, value: Any, named: list[str]) -> None:
    text = message({"mine": {"data_set": "xor", key: value}})
    assert text.startswith("playground.mine")
    assert "\n" not in text
    assert len(text) < 450
    for part in named:
        assert part in text


@pytest.mark.parametrize(
    ("own", "named"),
    [
        (["xor"], ["playground:", "['xor']", "a mapping of networks by name"]),
        ({"../up": {"data_set": "xor"}}, ["playground:", "'../up'", "a letter followed by"]),
        ({"a": {"data_set": "xor"}, "A": {"data_set": "xor"}}, ["playground:", "'A'", "differs from 'a'"]),
        ({"mine": {}}, ["playground.mine.data_set:", "missing"]),
        ({"mine": "xor"}, ["playground.mine:", "'xor'", "a mapping with the keys of a network"]),
    ],
)
def test_wrong_at_the_top(own: Any, named: list[str]) -> None:
    text = message(own)
    assert "\n" not in text
    for part in named:
        assert part in text


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(declaration.NETWORK.fields)), value=ANYTHING)
def test_any_value_anywhere_loads_or_is_refused_in_one_line(key: str, value: Any) -> None:
    try:
        networks({"mine": {"data_set": "xor", key: value}})
    except ConfigError as error:
        text = str(error)
    else:
        text = "playground.mine loads"
    assert text.startswith("playground.mine")
    assert len(text.splitlines()) == 1
