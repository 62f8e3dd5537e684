"""Norms over schedules: the largest of several draws, the comparison with published norms, its figures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from scipy import stats
from superposition_atlas.cli.main import main
from superposition_atlas.config import laid_over, load, read
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.draw import frobenius_norms_band, frobenius_norms_map
from superposition_atlas.figures.parts import style
from superposition_atlas.maps.norms import NON_UNIFORM, case_norm_table, case_of, density_of, schedule_table
from superposition_atlas.maps.points import make_points, points_of
from superposition_atlas.metrics.features import dedicated, represented
from superposition_atlas.metrics.maxima import largest_quantile
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of

ROOT = Path(__file__).resolve().parents[2]
NORMS = laid_over(read(ROOT / "config" / "config.yaml"), read(ROOT / "config" / "norms.yaml"))
PUBLISHED = pd.DataFrame(
    {
        "case": ["uniform", *NON_UNIFORM],
        "published_norm": [7.5, 5.0, 6.5, 5.5, 6.0],
        "n_instances": [1, 8, 8, 8, 8],
    }
)


# --- the largest of several draws --------------------------------------------------------------------------


@pytest.mark.parametrize("n_seen", [2, 3, 8, 50])
@pytest.mark.parametrize("share", [0.025, 0.5, 0.975])
def test_one_draw_is_students_prediction(n_seen: int, share: float) -> None:
    expected = stats.t.ppf(share, n_seen - 1) * np.sqrt(1 + 1 / n_seen)
    assert largest_quantile(share, 1, n_seen, n_seen - 1) == pytest.approx(expected, rel=0.01, abs=0.01)


@settings(max_examples=25)
@given(
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    drawn=st.integers(1, 20),
    seen=st.integers(1, 20),
    dof=st.integers(1, 100),
)
def test_quantiles_ascend_with_share_and_draws(
    shares: tuple[float, float], drawn: int, seen: int, dof: int
) -> None:
    low, high = sorted(shares)
    assume(high - low > 0.01)
    assert largest_quantile(low, drawn, seen, dof) < largest_quantile(high, drawn, seen, dof)
    assert largest_quantile(low, drawn, seen, dof) < largest_quantile(low, drawn + 1, seen, dof)


@pytest.mark.parametrize(("n_seen", "n_groups"), [(2, 1), (3, 1), (8, 1), (2, 30)])
def test_the_largest_of_new_draws_lies_in_the_interval_as_often_as_it_says(
    n_seen: int, n_groups: int
) -> None:
    random, n_trials = np.random.default_rng(5), 20_000
    seen = random.normal(5.0, 0.1, (n_trials, n_groups, n_seen))
    sd = np.sqrt(seen.var(axis=2, ddof=1).mean(axis=1))
    largest = random.normal(5.0, 0.1, (n_trials, 8)).max(axis=1)
    standardised = (largest - seen[:, 0].mean(axis=1)) / sd
    dof = n_groups * (n_seen - 1)
    for share in (0.025, 0.5, 0.975):
        below = np.mean(standardised <= largest_quantile(share, 8, n_seen, dof))
        # Four standard errors, and the error of the integration.
        assert below == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n_trials) + 0.003)


@pytest.mark.parametrize(
    "arguments", [(0.5, 0, 8, 7), (0.5, 8, 0, 7), (0.5, 8, 8, 0), (0.0, 8, 8, 7), (1.0, 8, 8, 7)]
)
def test_what_has_no_quantile_is_refused(arguments: tuple[float, int, int, int]) -> None:
    with pytest.raises(ValueError, match="there is no quantile"):
        largest_quantile(*arguments)


# --- cases -------------------------------------------------------------------------------------------------

GRID = {
    "kind": "grid",
    "family": ["geometric", "linear"],
    "first": [1.0, 0.6],
    "last": [0.1, 0.02],
    "importance_ratio": [1.0, 0.9],
    "order": ["aligned", "reversed", 3, 4],
}


def test_the_case_is_known_by_the_schedule() -> None:
    of_order = {"aligned": "case1", "reversed": "case2", "3": "case3", "4": "case3"}
    points = make_points(8, 3, GRID)
    assert len(points) == 2 * 2 * 2 * (1 + 4)
    for point in points:
        equal = point.coordinates["importance_ratio"] == 1
        expected = "post4" if equal else of_order[str(point.coordinates["order"])]
        assert case_of(point.importance, point.probability) == expected
    for point in make_points(8, 3, {**UNIFORM, "importance_ratio": [1.0, 0.9]}):
        assert case_of(point.importance, point.probability) == "uniform"


UNIFORM = {
    "kind": "grid",
    "family": ["geometric", "linear"],
    "mean_density": [0.4, 0.1, 0.02],
    "steepness": [1.0],
    "importance_ratio": [0.9],
    "order": ["aligned"],
}


def frame(*described: dict[str, Any]) -> pd.DataFrame:
    points = [point for one in described for point in make_points(8, 3, one)]
    columns = [
        {
            "key": point.key,
            "importance": point.importance,
            "probability": point.probability,
            **point.coordinates,
        }
        for point in points
    ]
    return pd.DataFrame(columns)


def models_at(points: pd.DataFrame, seeds: int, norm: Any = None, **columns: Any) -> pd.DataFrame:
    """Toy models whose norms are given by a function of key and seed, or drawn at random."""
    random = np.random.default_rng(0)
    rows = [
        {
            "key": key,
            "variant": "standard",
            "seed": seed,
            "frobenius_norm": norm(key, seed) if norm else random.normal(6.0, 0.1),
            "n_represented": 5,
            "n_dedicated": 1,
            "densest_dropped": False,
            **columns,
        }
        for key in points["key"].unique()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


# --- the table of cases ------------------------------------------------------------------------------------


def test_a_row_has_the_norms_of_its_toy_models() -> None:
    points = frame(GRID, UNIFORM)
    models = models_at(points, 4)
    table = case_norm_table(points, models, PUBLISHED)
    counts = table["case"].value_counts().to_dict()
    assert counts == {**dict.fromkeys(NON_UNIFORM, 2 * 2 * 2), "uniform": 3}
    by_key = models.groupby("key")["frobenius_norm"]
    described = points.drop_duplicates("key").set_index("key")
    for row in table.to_dict("records"):
        keys = [
            key
            for key, point in described.iterrows()
            if case_of(point["importance"], point["probability"]) == row["case"]
            and (row["family"] == "uniform" or point["family"] == row["family"])
            and np.isclose(point["probability"].max(), row["first"])
            and np.isclose(point["probability"].min(), row["last"])
            and point["importance_ratio"] == row["importance_ratio"]
        ]
        assert len(keys) == (2 if row["case"] == "case3" else 1)  # both random orders
        norms = np.concatenate([by_key.get_group(key).to_numpy() for key in keys])
        assert row["n_models"] == len(norms) == 4 * len(keys)
        assert row["norm_mean"] == pytest.approx(norms.mean())
        assert row["norm_max"] == norms.max()
        assert row["largest_low"] < row["largest"] < row["largest_high"]
        assert row["difference"] == pytest.approx(row["largest"] - row["published_norm"])


def test_the_spread_is_pooled_over_the_schedules_of_a_case() -> None:
    points = frame(GRID)
    models = models_at(points, 3)
    table = case_norm_table(points, models, PUBLISHED)
    for _, of_case in table.groupby("case"):
        dof = of_case["n_models"] - 1
        expected = np.sqrt((dof * of_case["norm_sd"] ** 2).sum() / dof.sum())
        assert of_case["spread"].to_numpy() == pytest.approx(expected)
        assert set(of_case["spread_dof"]) == {dof.sum()}


def test_a_toy_model_in_two_maps_counts_once() -> None:
    points, near = frame(GRID), frame({**GRID, "first": [1.0], "last": [0.02]})
    models = models_at(points, 2)
    more = models_at(near, 4, norm=lambda key, seed: 6.0 + seed)
    both = pd.concat([models, more], ignore_index=True)
    table = case_norm_table(pd.concat([points, near], ignore_index=True), both, PUBLISHED)
    is_near = (table["first"] == 1.0) & (table["last"] == 0.02)
    n_models = table["n_models"] / np.where(table["case"] == "case3", 2, 1)
    assert set(n_models[is_near]) == {4}
    assert set(n_models[~is_near]) == {2}


@settings(max_examples=10)
@given(shift=st.floats(-3, 3), factor=st.floats(0.1, 10))
def test_other_units_move_the_interval_with_the_norms(shift: float, factor: float) -> None:
    points = frame({**GRID, "family": ["geometric"], "first": [1.0]})
    models = models_at(points, 3)
    moved = models.assign(frobenius_norm=shift + factor * models["frobenius_norm"])
    one, other = (case_norm_table(points, each, PUBLISHED) for each in (models, moved))
    for name in ("norm_mean", "norm_max", "largest_low", "largest", "largest_high"):
        np.testing.assert_allclose(other[name], shift + factor * one[name], rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(offset=st.floats(-0.6, 0.6))
def test_a_published_norm_is_met_if_it_lies_in_the_interval_to_its_last_digit(offset: float) -> None:
    points = frame({**GRID, "family": ["geometric"], "first": [1.0], "last": [0.1]})
    models = models_at(points, 7)
    published = PUBLISHED.assign(published_norm=6.2 + offset)
    for row in case_norm_table(points, models, published).to_dict("records"):
        norm = row["published_norm"]
        beyond = max(row["largest_low"] - norm, norm - row["largest_high"])
        assume(abs(beyond - 0.005) > 1e-9)
        assert row["within"] == (beyond < 0.005)


def test_the_true_schedule_is_met_as_often_as_the_confidence_says() -> None:
    """Norms drawn for 400 schedules, and the published one from each schedule's own distribution."""
    random = np.random.default_rng(3)
    points = frame(
        {
            **GRID,
            "family": ["geometric"],
            "first": np.linspace(0.5, 1.0, 20).tolist(),
            "last": np.linspace(0.01, 0.1, 20).tolist(),
            "importance_ratio": [0.9],
            "order": ["aligned"],
        }
    )
    models = models_at(points, 3, norm=lambda key, seed: random.normal(5.0, 0.1))
    table = case_norm_table(points, models, PUBLISHED)
    drawn = random.normal(5.0, 0.1, (len(table), 8)).max(axis=1)
    met = (drawn >= table["largest_low"]) & (drawn <= table["largest_high"])
    assert len(table) == 400
    assert met.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 400))


@pytest.mark.parametrize(("seeds", "first"), [(1, [1.0, 0.6]), (2, [1.0])])
def test_too_few_seeds_say_nothing_of_the_spread(seeds: int, first: list[float]) -> None:
    points = frame({**GRID, "first": first, "order": ["aligned", "reversed", 3]}, UNIFORM)
    table = case_norm_table(points, models_at(points, seeds), PUBLISHED)
    assert table["within"].isna().all()
    assert table[["largest_low", "largest", "largest_high", "uniform_norm"]].isna().all(axis=None)
    schedules = schedule_table(table)
    assert set(schedules["n_compared"]) == set(schedules["n_within"]) == {0}
    assert set(schedules["farthest_case"]) == {""}


def test_uniform_sparsity_of_equal_density_is_interpolated() -> None:
    """Norms on a straight line in log p come out on that line, and none beyond its ends."""
    points = frame({**GRID, "first": [0.9, 0.3, 0.015], "last": [0.1, 0.05, 0.01]}, UNIFORM)
    density = {row["key"]: row["probability"].mean() for row in points.to_dict("records")}
    models = models_at(points, 4, norm=lambda key, seed: 5 - np.log(density[key]) + 0.1 * (-1) ** seed)
    table = case_norm_table(points, models, PUBLISHED)
    rows = table[table["importance_ratio"] == 0.9]
    inside = rows["mean_density"].between(0.02, 0.4)
    assert inside.any()
    assert not inside.all()
    assert rows.loc[~inside, "uniform_norm"].isna().all()
    # The same line for all cases, and so the same spread: what is above the mean is the same as well.
    expected = rows.loc[inside & (rows["case"] != "uniform"), ["uniform_norm", "mean_density"]]
    above = expected["uniform_norm"] - (5 - np.log(expected["mean_density"]))
    assert np.ptp(above) < 1e-9
    assert 0.0 < above.iloc[0] < 1.0
    assert table.loc[(table["importance_ratio"] == 1.0), "uniform_norm"].isna().all()


@given(
    densities=st.lists(st.floats(0.01, 1), min_size=2, max_size=6, unique=True),
    start=st.floats(4, 9),
    falls=st.lists(st.floats(0.05, 1), min_size=6, max_size=6),
    part=st.floats(0.01, 0.99),
)
def test_the_density_of_a_norm_gives_that_norm_back(
    densities: list[float], start: float, falls: list[float], part: float
) -> None:
    ascending = np.sort(densities)
    assume(np.all(np.diff(np.log(ascending)) > 1e-3))
    norms = start - np.cumsum(falls[: len(ascending)])
    norm = norms[-1] + part * (norms[0] - norms[-1])
    found = density_of(norm, ascending, norms)
    assert ascending[0] <= found <= ascending[-1] * (1 + 1e-12)
    assert np.interp(np.log(found), np.log(ascending), norms) == pytest.approx(norm, abs=1e-6)
    assert np.isnan(density_of(norms[0] + 0.1, ascending, norms))
    assert np.isnan(density_of(norms[-1] - 0.1, ascending, norms))


# --- the table of schedules --------------------------------------------------------------------------------


def test_a_schedule_has_its_four_cases_together() -> None:
    points = frame(GRID, UNIFORM)
    norms = case_norm_table(points, models_at(points, 4), PUBLISHED)
    table = schedule_table(norms)
    assert len(table) == 2 * 2 * 2
    for row in table.to_dict("records"):
        same = norms[
            (norms["family"] == row["family"])
            & (norms["first"] == row["first"])
            & (norms["last"] == row["last"])
        ].set_index("case")
        assert row["importance_ratio"] == 0.9
        differences = same["difference"].abs()
        assert row["largest_difference"] == differences.max()
        assert row["farthest_case"] == differences.idxmax()
        assert row["n_compared"] == 4
        assert row["n_within"] == same["within"].sum() == sum(row[f"{case}_within"] for case in NON_UNIFORM)
        assert all(row[case] == same.loc[case, "largest"] for case in NON_UNIFORM)
        assert row["fewest_models"] == 4


def test_a_planted_schedule_is_found() -> None:
    points = frame({**GRID, "importance_ratio": [1.0, 0.95, 0.9]})
    described = points.drop_duplicates("key").set_index("key")
    published = PUBLISHED.set_index("case")["published_norm"]
    random = np.random.default_rng(1)

    def norm(key: str, seed: int) -> float:
        point = described.loc[key]
        p, ratio = point["probability"], point["importance_ratio"]
        true = p.max() == 0.6 and np.isclose(p.min(), 0.02) and point["family"] == "linear"
        off = 0.0 if true and ratio in (0.9, 1.0) else 0.5
        return float(random.normal(published[case_of(point["importance"], p)] - 0.14 + off, 0.1))

    table = schedule_table(case_norm_table(points, models_at(points, 8, norm=norm), PUBLISHED))
    best = table.loc[table["largest_difference"].idxmin()]
    assert (best["family"], best["first"], best["last"], best["importance_ratio"]) == (
        "linear",
        0.6,
        0.02,
        0.9,
    )
    assert best["n_within"] == 4
    assert (table["n_within"] == 4).sum() == 1


@pytest.mark.parametrize(
    ("n_dedicated", "densest_dropped", "expected"), [(0, True, True), (1, True, False), (0, False, False)]
)
def test_the_pictures_are_those_of_case_2_and_the_posts_case_4(
    n_dedicated: int, densest_dropped: bool, expected: bool
) -> None:
    points = frame(GRID)
    models = models_at(points, 2, n_dedicated=n_dedicated, densest_dropped=densest_dropped)
    assert set(schedule_table(case_norm_table(points, models, PUBLISHED))["as_pictured"]) == {expected}


def test_a_schedule_without_constant_importance_has_three_cases() -> None:
    points = frame({**GRID, "importance_ratio": [0.9]})
    table = schedule_table(case_norm_table(points, models_at(points, 3), PUBLISHED))
    assert set(table["n_compared"]) == {3}
    assert table["post4"].isna().all()
    assert table["uniform_density"].isna().all()


def test_variants_are_kept_apart() -> None:
    points = frame(GRID)
    models = pd.concat([models_at(points, 2), models_at(points, 3).assign(variant="longer")])
    table = schedule_table(case_norm_table(points, models, PUBLISHED))
    assert table.groupby("variant")["fewest_models"].agg(set).to_dict() == {"standard": {2}, "longer": {3}}


def test_without_non_uniform_schedules_there_is_none() -> None:
    points = frame(UNIFORM)
    assert schedule_table(case_norm_table(points, models_at(points, 2), PUBLISHED)).empty


# --- configuration -----------------------------------------------------------------------------------------


def test_the_full_map_is_what_its_comments_say() -> None:
    maps = {described.name: described for described in load(NORMS).norm_maps}
    assert list(maps) == ["norms", "norms_linear", "norms_near", "norms_uniform", "norms_training"]
    keys = {name: {point.key for point in points_of(described)} for name, described in maps.items()}
    # What is near is trained with other seeds than the same points of the wide map: eight together.
    assert keys["norms_near"] < keys["norms"]
    assert sorted((*maps["norms_near"].seeds, *maps["norms"].seeds)) == list(range(8))
    assert keys["norms_training"] <= keys["norms"]
    assert not keys["norms_uniform"] & keys["norms"]
    number = sum(
        len(keys[name]) * len(described.seeds) * len(described.variants) for name, described in maps.items()
    )
    assert 1100 < number < 1200
    scales = {described.variants["standard"].init_scale for described in list(maps.values())[:-1]}
    assert scales == {load(NORMS).experiments["wide"].cases["case1"].training.init_scale}


def test_without_such_maps_nothing_is_compared() -> None:
    raw = {"experiments": NORMS["experiments"], "maps": {"atlas": NORMS["maps"]["atlas"]}}
    assert load(raw).norm_maps == []
    assert not [
        figure for figure in catalogue.figures(load(raw)) if figure.module.startswith("frobenius_norms_")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": {"kind": "random", "count": 3}}, "maps.other.points.kind: got 'random', allowed is grid"),
        ({"seeds": 0}, "maps.other.seeds: got 0, allowed is at least one seed"),
        ({"n_features": 9}, "maps.other.n_features: got 9, allowed is 80, as in maps.norms"),
        ({"n_hidden": 7}, "maps.other.n_hidden: got 7, allowed is 20, as in maps.norms"),
        (
            {"training": {"steps": 7}},
            "maps.other.variants: got 'standard', allowed is another name: in maps.norms",
        ),
        ({"compare_norms": 1}, "maps.other.compare_norms: got 1, allowed is true or false"),
    ],
)
def test_maps_that_do_not_go_together_are_refused_in_a_line(change: dict[str, Any], message: str) -> None:
    other = {**NORMS["maps"]["norms_near"], **change}
    raw = {"experiments": NORMS["experiments"], "maps": {"norms": NORMS["maps"]["norms"], "other": other}}
    with pytest.raises(ConfigError) as error:
        load(raw)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# --- the command, and figures of what it writes ------------------------------------------------------------

TRAINING = {"steps": 60, "batch_size": 32, "learning_rate": 0.02}
MADE = yaml.safe_load(
    """
    n_features: 8
    n_hidden: 3
    compare_norms: true
    seeds: 2
    shards: 2
    points:
      kind: grid
      family: [geometric, linear]
      mean_density: [0.1, 0.3]
      steepness: [1, 5, 20]
      importance_ratio: [1.0, 0.95, 0.9]
      order: [aligned, reversed, 3]
    """
)


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small map, really trained and measured by the commands."""
    folder = tmp_path_factory.mktemp("norms")
    raw = {"experiments": NORMS["experiments"], "maps": {"made": {**MADE, "training": TRAINING}}}
    described = load(raw).maps["made"]
    spec = {"n_features": 8, "n_hidden": 3, "points": described.points}
    variants = {name: training.as_dict() for name, training in described.variants.items()}
    parts: dict[str, list[Path]] = {"points": [], "weights": []}
    for shard in range(2):
        points, weights = (folder / f"{name}{shard}.parquet" for name in parts)
        which = ("--shards", 2)
        run("map-points", "--spec", json.dumps(spec), "--shard", shard, *which, "--output", points)
        run(
            *("map-weights", "--points", points, "--spec", json.dumps({"seeds": 2, "variants": variants})),
            *(*which, "--store", folder / "store", "--output", weights),
        )
        parts["points"].append(points)
        parts["weights"].append(weights)
    outputs = {name: folder / f"{name}.parquet" for name in ("models", "solutions", "summary", "features")}
    run(
        *("map-measures", "--points", *parts["points"], "--weights", *parts["weights"]),
        *("--output-models", outputs["models"], "--output-solutions", outputs["solutions"]),
        *("--output-points", outputs["summary"], "--output-features", outputs["features"]),
    )
    run(
        *("map-norms", "--points", *parts["points"], "--models", outputs["models"]),
        *("--published", ROOT / catalogue.PUBLISHED_NORMS),
        *("--output-points", folder / "norms.parquet", "--output-schedules", folder / "schedules.parquet"),
    )
    return folder


def test_the_command_measures_the_weights(made: Path) -> None:
    table = read_table(made / "norms.parquet")
    points = pd.concat([pd.read_parquet(made / f"points{shard}.parquet") for shard in range(2)])
    weights = pd.concat([pd.read_parquet(made / f"weights{shard}.parquet") for shard in range(2)])
    described = points.drop_duplicates("key").set_index("key")
    weights["case"] = [
        case_of(described.loc[key, "importance"], described.loc[key, "probability"]) for key in weights["key"]
    ]
    for case, of_case in weights.groupby("case"):
        W = np.stack(of_case["W"].to_list()).reshape(len(of_case), 3, 8).astype(float)
        rows = table[table["case"] == case]
        assert rows["n_models"].sum() == len(of_case)
        total = (rows["norm_mean"] * rows["n_models"]).sum()
        assert total == pytest.approx(np.linalg.norm(W, axis=(1, 2)).sum(), rel=1e-6)
        assert (rows["n_represented"] * rows["n_models"]).sum() == pytest.approx(represented(W).sum())
        assert (rows["n_dedicated"] * rows["n_models"]).sum() == pytest.approx(dedicated(W).sum())
    published = pd.read_csv(ROOT / catalogue.PUBLISHED_NORMS).set_index("case")["published_norm"]
    assert table.groupby("case")["published_norm"].first().to_dict() == published.to_dict()


def test_the_control_of_equal_density_is_there_for_every_schedule(made: Path) -> None:
    table = read_table(made / "norms.parquet")
    assert table["uniform_norm"].notna().all()
    # The densities of this map are those of its uniform points: nothing lies between.
    uniform = table[table["case"] == "uniform"]
    for row in table[table["case"] != "uniform"].to_dict("records"):
        same = uniform[
            np.isclose(uniform["mean_density"], row["mean_density"])
            & (uniform["importance_ratio"] == row["importance_ratio"])
        ]
        quantile = largest_quantile(0.5, 8, 2, int(same["spread_dof"].iloc[0]))
        expected = same["norm_mean"].iloc[0] + quantile * same["spread"].iloc[0]
        assert row["uniform_norm"] == pytest.approx(expected)


def test_a_table_of_published_norms_that_is_none_is_one_line(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "published.csv"
    outputs = ("--output-points", tmp_path / "a.parquet", "--output-schedules", tmp_path / "b.parquet")
    inputs = ("--points", made / "points0.parquet", "--models", made / "models.parquet")
    for text in (
        "case,published_norm\ncase1,4.98\n",
        "case,published_norm,n_instances\ncase1,many,8\n",
        None,
    ):
        if text is not None:
            wrong.write_text(text)
        path = wrong if text is not None else tmp_path / "missing.csv"
        arguments = ["map-norms", *inputs, "--published", path, *outputs]
        assert main([str(argument) for argument in arguments]) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith(f"error: {path}: ")
        assert "\n" not in said
    assert not (tmp_path / "a.parquet").exists()


@pytest.fixture(autouse=True)
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


def altered(made: Path, folder: Path, **columns: Any) -> Path:
    table = read_table(made / "schedules.parquet").assign(**columns)
    write_table(table, folder / "altered.parquet", provenance_of({}, "test"))
    return folder / "altered.parquet"


def test_the_map_frames_what_meets_all_four(made: Path, tmp_path: Path) -> None:
    table = read_table(made / "schedules.parquet")
    n_within = np.arange(len(table)) % 5
    path = altered(made, tmp_path, n_compared=4, n_within=n_within)
    figure = frobenius_norms_map.draw({"norm_schedules": path}, variant="standard")
    patches = [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]
    frames = [patch for patch in patches if not patch.get_fill()]
    assert len(frames) == (n_within == 4).sum() > 0
    assert len(patches) - len(frames) == len(table)
    digits = sorted(text.get_text() for axes in figure.axes for text in axes.texts if text.get_text())
    assert digits == sorted(map(str, n_within))


def test_the_map_marks_schedules_with_the_posts_pictures(made: Path, tmp_path: Path) -> None:
    n_rows = len(read_table(made / "schedules.parquet"))
    pictured = np.arange(n_rows) % 3 == 0
    path = altered(made, tmp_path, as_pictured=pictured)
    figure = frobenius_norms_map.draw({"norm_schedules": path}, variant="standard")
    assert sum(len(axes.lines) for axes in figure.axes) == pictured.sum()


def test_the_map_has_a_panel_for_each_family_and_importance(made: Path) -> None:
    table = read_table(made / "schedules.parquet")
    figure = frobenius_norms_map.draw({"norm_schedules": made / "schedules.parquet"}, variant="standard")
    panels = [axes for axes in figure.axes if any(isinstance(patch, Rectangle) for patch in axes.patches)]
    assert len(panels) == table.groupby(["family", "importance_ratio"]).ngroups == 2 * 2


def test_the_band_has_a_mark_for_every_schedule_and_each_published_norm(made: Path) -> None:
    paths = {"norms": made / "norms.parquet", "norm_schedules": made / "schedules.parquet"}
    (axes,) = frobenius_norms_band.draw(paths, variant="standard").axes[:1]
    table = read_table(made / "norms.parquet")
    drawn = np.concatenate([line.get_xdata() for line in axes.lines])
    for name in ("largest", "uniform_norm", "published_norm"):
        wanted = table.loc[(table["case"] != "uniform") | (name != "uniform_norm"), name]
        assert np.isin(np.round(wanted, 9), np.round(np.asarray(drawn, dtype=float), 9)).all(), name
    labels = [text.get_text() for text in axes.texts]
    assert labels == [f"{norm:.2f}" for norm in (4.98, 6.6, 5.75, 6.43, 7.55)]
