"""Maps in a configuration: what loads, what a finer grid shares with a coarser one, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from superposition_atlas.config import Map, laid_over, load, read
from superposition_atlas.errors import ConfigError
from superposition_atlas.maps.points import points_of
from superposition_atlas.toy_model import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]
TALK = read(ROOT / "config" / "config.yaml")

EXPERIMENTS = {"least": {"n_features": 3, "n_hidden": 2, "cases": {"only": {}}}}
GRID = """
n_features: 5
n_hidden: 2
points: {kind: grid, mean_density: [0.1, 0.3], steepness: [1, 9]}
"""


def raw(**changes: Any) -> dict[str, Any]:
    """A configuration with one map, changed at dotted keys written with __ (points__steepness)."""
    described: dict[str, Any] = yaml.safe_load(GRID)
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        at = described
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return {"experiments": EXPERIMENTS, "maps": {"small": described}}


def map_of(**changes: Any) -> Map:
    return load(raw(**changes)).maps["small"]


def keys_of(map_: Map) -> set[str]:
    return {point.key for point in points_of(map_)}


# --- what loads --------------------------------------------------------------------------------------------


def test_defaults() -> None:
    assert load({"experiments": EXPERIMENTS}).maps == {}
    small = map_of()
    assert (small.name, small.title, small.n_features, small.n_hidden) == ("small", "small", 5, 2)
    assert small.seeds == tuple(range(8))
    assert small.variants == {"standard": TrainingSettings()}
    assert small.n_starts == 12
    assert small.shards == 1
    assert small.points == {
        "kind": "grid",
        "family": ["geometric"],
        "mean_density": [0.1, 0.3],
        "steepness": [1.0, 9.0],
        "importance_ratio": [0.9],
        "order": ["aligned"],
    }


def test_seeds_are_a_number_a_list_or_none() -> None:
    assert map_of(seeds=2).seeds == (0, 1)
    assert map_of(seeds=[5, 3]).seeds == (5, 3)
    assert map_of(seeds=0).seeds == ()


def test_maps_of_more_features_than_are_solved_are_cut_by_their_training() -> None:
    assert map_of(n_features=600, n_hidden=10).shards >= 1


def test_an_empty_map_is_left_out() -> None:
    assert load(raw() | {"maps": {"small": None}}).maps == {}


def test_points_that_name_their_kind_replace_others() -> None:
    over = {"maps": {"small": {"points": {"kind": "random", "count": 3}}}}
    assert load(laid_over(raw(), over)).maps["small"].points == {"kind": "random", "count": 3, "seed": 0}
    merged = load(laid_over(raw(), {"maps": {"small": {"points": {"steepness": [2]}}}})).maps["small"]
    assert (merged.points["steepness"], merged.points["mean_density"]) == ([2.0], [0.1, 0.3])


def test_variants_say_what_differs_from_training() -> None:
    small = map_of(
        training={"steps": 300, "bias": "zero", "learning_rate": 1},
        variants={"same": {}, "longer": {"steps": 900}, "free": {"bias": "trained", "centred_inputs": True}},
    )
    shared = TrainingSettings(steps=300, bias="zero", learning_rate=1.0)
    assert small.variants == {
        "same": shared,
        "longer": replace(shared, steps=900),
        "free": replace(shared, bias="trained", centred_inputs=True),
    }
    assert list(small.variants) == ["same", "longer", "free"]
    # A key that a variant writes may be the default itself: it counts all the same.
    assert map_of(training={"steps": 300}, variants={"a": {"steps": 10000}}).variants["a"].steps == 10000


@pytest.mark.parametrize("variants", [{}, None, {"a": None}])
def test_without_variants_there_is_the_standard_one(variants: Any) -> None:
    small = map_of(training={"steps": 300}, variants=variants)
    assert small.variants == {"standard": TrainingSettings(steps=300)}


def test_variants_are_laid_over_one_by_one() -> None:
    base = raw(variants={"a": {"steps": 10}, "b": {"steps": 20, "bias": "zero"}})
    over = {"maps": {"small": {"variants": {"a": None, "b": {"steps": 30}, "c": {}}}}}
    variants = load(laid_over(base, over)).maps["small"].variants
    assert variants == {"b": TrainingSettings(steps=30, bias="zero"), "c": TrainingSettings()}


def test_what_no_variant_keeps_of_training_is_not_held_against_it() -> None:
    # 500 steps of warm-up would not fit the 100 of training; all variants have more.
    small = map_of(training={"steps": 100, "warmup_steps": 500}, variants={"long": {"steps": 1000}})
    assert small.variants == {"long": TrainingSettings(steps=1000, warmup_steps=500)}


@pytest.mark.parametrize("n_starts", [1, 10_000])
def test_numbers_of_starts(n_starts: int) -> None:
    assert map_of(n_starts=n_starts).n_starts == n_starts


def test_a_range_is_a_list_written_short() -> None:
    small = map_of(
        points__mean_density={"from": 0.1, "to": 0.9, "count": 5},
        points__steepness={"from": 1, "to": 100, "count": 5, "scale": "log"},
    )
    assert small.points["mean_density"] == [0.1, 0.3, 0.5, 0.7, 0.9]
    assert small.points["steepness"] == pytest.approx([1, 10**0.5, 10, 10**1.5, 100], rel=1e-11)


@given(
    ends=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    steep=st.floats(1.1, 200),
    count=st.integers(2, 5),
    factor=st.integers(2, 4),
    scale=st.sampled_from(["linear", "log"]),
)
def test_a_finer_grid_has_the_points_of_the_coarser_one(
    ends: tuple[float, float], steep: float, count: int, factor: int, scale: str
) -> None:
    assume(ends[0] != ends[1])

    def with_counts(number: int) -> Map:
        return map_of(
            points__mean_density={"from": ends[0], "to": ends[1], "count": number, "scale": scale},
            points__steepness={"from": 1, "to": steep, "count": number, "scale": scale},
            points__family=["geometric", "linear"],
            points__order=["aligned", "reversed", 3],
        )

    coarse, fine = with_counts(count), with_counts(factor * (count - 1) + 1)
    for axis in ("mean_density", "steepness"):
        assert coarse.points[axis] == fine.points[axis][::factor]
    assert keys_of(coarse) <= keys_of(fine)


# --- the configurations that come with it ------------------------------------------------------------------


def test_the_talks_schedules_lie_on_the_atlas() -> None:
    config = load(TALK)
    points = points_of(config.maps["atlas"])
    for experiment, names in {
        "talk": ["case1", "case2", "case3", "post4"],
        "talk_linear": ["case1", "case2", "case3", "post4"],
    }.items():
        for name in names:
            case = config.experiments[experiment].cases[name]
            assert any(
                np.allclose(point.probability, case.probability[0], rtol=1e-11)
                and np.allclose(point.importance, case.importance[0], rtol=1e-11)
                for point in points
            ), (experiment, name)
    assert config.maps["atlas"].variants == {"standard": config.experiments["talk"].cases["case1"].training}


def test_the_fine_atlas_has_the_points_of_the_small_one_and_20_000_toy_models() -> None:
    small = load(TALK).maps["atlas"]
    fine = load(laid_over(TALK, read(ROOT / "config" / "atlas.yaml"))).maps["atlas"]
    assert keys_of(small) < keys_of(fine)
    assert small.variants == fine.variants
    assert 100 <= len(keys_of(small)) <= 130
    assert 20_000 <= len(keys_of(fine)) * len(fine.seeds) <= 22_000


def test_the_smoke_test_has_the_same_maps() -> None:
    smoke = load(laid_over(TALK, read(ROOT / "config" / "smoke.yaml")))
    assert smoke.maps.keys() - {"norms"} == load(TALK).maps.keys()  # which config.yaml leaves to norms.yaml
    for described in smoke.maps.values():
        assert "smoke test" in described.title
        steps = sum(training.steps for training in described.variants.values())
        assert steps * len(described.seeds) * len(points_of(described)) < 1e5


# --- what is refused ---------------------------------------------------------------------------------------

POINTS = "maps.small.points"
VARIANTS = "maps.small.variants"
MANY = {"from": 0.01, "to": 0.02, "count": 2000}
PERTURBATION = {"kind": "perturbation", "density": 0.1, "feature": 0, "varied": [0.5]}

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"n_feature": 5}, ["maps.small.n_feature:", "unknown key", "did you mean n_features?"]),
    ({"n_features": 1}, ["maps.small.n_features:", "1", "an integer ≥ 2"]),
    ({"n_hidden": None}, ["maps.small.n_hidden:", "missing", "an integer ≥ 1"]),
    ({"points": None}, ["maps.small.points:", "missing", "a mapping with the key kind"]),
    (
        {"points__mean_density": MANY, "points__steepness": MANY | {"from": 1, "to": 9}},
        ["maps.small.points:", "points", "at most 2000000"],
    ),
    ({"seeds": -1}, ["maps.small.seeds:", "-1", "an integer ≥ 0"]),
    ({"seeds": [1, 1]}, ["maps.small.seeds:", "1 is given twice"]),
    ({"shards": 0}, ["maps.small.shards:", "0", "an integer ≥ 1"]),
    ({"title": "a\nb"}, ["maps.small.title:", "text on one line"]),
    ({"training": {"lr": 1}}, ["maps.small.training.lr:", "unknown key", "learning_rate"]),
    ({"training": {"warmup_steps": 10000}}, ["maps.small.training.warmup_steps:", "10000", "the steps"]),
    ({"training": {"bias": [0.1]}}, ["maps.small.training.bias:", "a list of 5 numbers"]),
    ({"training": {"record_steps": [0]}}, ["maps.small.training.record_steps:", "[0]", "[]"]),
    ({"variants": {"a": {"lr": 1}}}, [f"{VARIANTS}.a.lr:", "unknown key", "learning_rate"]),
    ({"variants": {"a": {"steps": -1}}}, [f"{VARIANTS}.a.steps:", "-1", "an integer ≥ 0"]),
    ({"variants": {"a": 3}}, [f"{VARIANTS}.a:", "3", "a mapping with the keys of training"]),
    ({"variants": ["a"]}, [f"{VARIANTS}:", "['a']", "a mapping of training settings by name"]),
    ({"variants": {"../a": {}}}, [f"{VARIANTS}:", "'../a'", "a letter followed by"]),
    ({"variants": {"a": {}, "A": {}}}, [f"{VARIANTS}:", "'A'", "differs from 'a'"]),
    ({"variants": {"a": {"record_steps": [0]}}}, [f"{VARIANTS}.a.record_steps:", "[0]", "[] (maps keep no"]),
    # The key is named where it stands.
    (
        {"training": {"record_steps": [0]}, "variants": {"a": {}}},
        ["maps.small.training.record_steps:", "[0]", "[]"],
    ),
    (
        {"training": {"warmup_steps": 500}, "variants": {"a": {"steps": 100}}},
        ["maps.small.training.warmup_steps:", "500", "< 100, the steps"],
    ),
    (
        {"variants": {"a": {}, "b": {"bias": [0.1]}}},
        [f"{VARIANTS}.b.bias:", "[0.1]", "a list of 5 numbers"],
    ),
    ({"n_starts": 0}, ["maps.small.n_starts:", "0", "an integer ≥ 1 and ≤ 10000"]),
    ({"n_starts": 10_001}, ["maps.small.n_starts:", "10001", "an integer ≥ 1 and ≤ 10000"]),
    ({"n_starts": 2.5}, ["maps.small.n_starts:", "2.5", "an integer"]),
    ({"n_start": 2}, ["maps.small.n_start:", "unknown key", "did you mean n_starts?"]),
    ({"points": {"steepness": [1]}}, [f"{POINTS}.kind:", "missing", "grid, perturbation, phases or random"]),
    ({"points__kind": "net"}, [f"{POINTS}.kind:", "'net'", "grid, perturbation, phases or random"]),
    ({"points__steepnes": [1]}, [f"{POINTS}.steepnes:", "unknown key", "did you mean steepness?"]),
    ({"points__count": 3}, [f"{POINTS}.count:", "unknown key", "mean_density"]),
    ({"points__steepness": [0.5]}, [f"{POINTS}.steepness[0]:", "0.5", "a number ≥ 1"]),
    ({"points__steepness": 3}, [f"{POINTS}.steepness:", "3", "a list of distinct numbers ≥ 1", "from, to"]),
    ({"points__steepness": []}, [f"{POINTS}.steepness:", "[]", "a list"]),
    ({"points__steepness": [2, 2]}, [f"{POINTS}.steepness:", "2 is given twice"]),
    ({"points__mean_density": [0.1, 1.5]}, [f"{POINTS}.mean_density[1]:", "1.5", "> 0 and ≤ 1"]),
    ({"points__mean_density": [0]}, [f"{POINTS}.mean_density[0]:", "0", "> 0 and ≤ 1"]),
    ({"points__mean_density": {"from": 0.1}}, [f"{POINTS}.mean_density.", "missing"]),
    (
        {"points__mean_density": {"from": 0.1, "to": 2, "count": 3}},
        [f"{POINTS}.mean_density.to:", "2", "> 0 and ≤ 1"],
    ),
    (
        {"points__mean_density": {"from": 0.1, "to": 0.5, "count": 1}},
        [f"{POINTS}.mean_density.count:", "1", "an integer ≥ 2"],
    ),
    (
        {"points__mean_density": {"from": 0.1, "to": 0.1, "count": 2}},
        [f"{POINTS}.mean_density.to:", "0.1", "other than 0.1"],
    ),
    (
        {"points__mean_density": {"from": 0.1, "to": 0.5, "count": 3, "scale": "linaer"}},
        [f"{POINTS}.mean_density.scale:", "'linaer'", "linear or log", "did you mean linear?"],
    ),
    (
        {"points__steepness": {"from": 0.5, "to": 5, "count": 3}},
        [f"{POINTS}.steepness.from:", "0.5", "a number ≥ 1"],
    ),
    ({"points__family": ["zipf"]}, [f"{POINTS}.family[0]:", "'zipf'", "geometric or linear"]),
    ({"points__family": "linear"}, [f"{POINTS}.family:", "'linear'", "a list of geometric and linear"]),
    ({"points__order": ["sideways"]}, [f"{POINTS}.order[0]:", "'sideways'", "aligned or reversed"]),
    ({"training": {"learning_rate": 1e308}}, ["maps.small.training.learning_rate: got 1e+308,", "1e+36"]),
    ({"variants": {"a": {"init_scale": 1e308}}}, ["maps.small.variants.a.init_scale: got 1e+308,"]),
    ({"points__order": [-1]}, [f"{POINTS}.order[0]:", "-1", "an integer ≥ 0"]),
    ({"points__importance_ratio": [1.1]}, [f"{POINTS}.importance_ratio[0]:", "1.1", "> 0 and ≤ 1"]),
    ({"points__first": [0.5]}, [f"{POINTS}:", "first", "either mean_density and steepness, or first and"]),
    ({"points": {"kind": "grid"}}, [f"{POINTS}:", "neither", "either mean_density and steepness"]),
    ({"points": {"kind": "random"}}, [f"{POINTS}.count:", "missing", "an integer ≥ 1"]),
    ({"points": {"kind": "random", "count": 0}}, [f"{POINTS}.count:", "0", "an integer ≥ 1"]),
    ({"points": PERTURBATION | {"feature": 5}}, [f"{POINTS}.feature:", "5", "< 5, the number of features"]),
    ({"points": PERTURBATION | {"density": 0}}, [f"{POINTS}.density:", "0", "a number > 0"]),
    ({"points": PERTURBATION | {"varied": [2]}}, [f"{POINTS}.varied[0]:", "2", "> 0 and ≤ 1"]),
    (
        {"points__mean_density": [0.9], "points__steepness": [9]},
        [f"{POINTS}:", "no schedule", "probability"],
    ),
]


@pytest.mark.parametrize(("changes", "named"), WRONG, ids=[str(changes)[:60] for changes, _ in WRONG])
def test_a_wrong_value_is_named_in_one_line(changes: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        points_of(map_of(**changes))
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 450
    for part in named:
        assert part in text


def test_names_of_maps_are_names_of_files() -> None:
    described = raw()["maps"]["small"]
    for maps, part in (
        ({"../up": described}, "a letter followed by"),
        ({"a": described, "A": described}, "differs from 'a'"),
    ):
        with pytest.raises(ConfigError, match=part):
            load({"experiments": EXPERIMENTS, "maps": maps})
