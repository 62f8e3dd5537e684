"""What a map's tables say of toy models beside the best solutions: against definitions and other ways."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.cli.main import main
from superposition_atlas.maps.comparison import is_covered, search_of, searches_of
from superposition_atlas.maps.measures import (
    QUESTIONS,
    Schedules,
    as_uncentred,
    excess_table,
    kept_names,
    looks,
    solution_table,
)
from superposition_atlas.maps.solutions import HELD_BIASES, solutions_of
from superposition_atlas.storage.map_files import MapPoints, distinct_points, read_point_frame, read_solutions
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.theory.exact_loss import exact_loss
from superposition_atlas.theory.limits import LARGEST_SOLVED
from superposition_atlas.toy_model import ToyModels, TrainingSettings

SETTINGS = TrainingSettings(steps=150, batch_size=128, learning_rate=0.01, init_scale=0.3)
VARIANTS = {
    "standard": SETTINGS,
    "zero": replace(SETTINGS, bias="zero"),
    "mean": replace(SETTINGS, bias="mean"),
    "centred": replace(SETTINGS, centred_inputs=True),
    "centred_zero": replace(SETTINGS, centred_inputs=True, bias="zero"),
    "numbers": replace(SETTINGS, bias=(0.1, 0.0, -0.1, 0.05)),
    "linear": replace(SETTINGS, output="linear"),
    "binary": replace(SETTINGS, magnitudes="binary"),
}
SEARCHES = {"standard": "trained", "zero": "zero", "mean": "mean", "centred": "trained"}
"""Of each variant; the others have none."""
COVERED = {*SEARCHES, "centred_zero", "numbers"}
N_SEEDS, SHARDS, N_STARTS = 3, 4, 8
TABLES = ("models", "solutions", "points", "features")
GRID = {
    "kind": "grid",
    "family": ["geometric", "linear"],
    "mean_density": [0.2],
    "steepness": [1.0, 4.0],
    "importance_ratio": [0.9],
    "order": ["aligned", "reversed"],
}


# --- what can be compared ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "training"), VARIANTS.items())
def test_each_way_of_training_has_its_search_or_none(name: str, training: TrainingSettings) -> None:
    assert search_of(training.as_dict()) == SEARCHES.get(name, "")
    assert is_covered(training.as_dict()) == (name in COVERED)
    assert set(searches_of([training.as_dict()])) == {"trained", SEARCHES.get(name, "trained")}


def test_all_searches_of_several_ways_are_known() -> None:
    assert searches_of([]) == ["trained"]
    assert searches_of(training.as_dict() for training in VARIANTS.values()) == sorted(HELD_BIASES)


# --- features that are alike -------------------------------------------------------------------------------


@st.composite
def schedules_and_kept(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    n_features = draw(st.integers(1, 12))
    values = st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=n_features, max_size=n_features)
    importance, probability = np.array([draw(values)]), np.array([draw(values)])
    flags = draw(st.lists(st.booleans(), min_size=n_features, max_size=n_features))
    return importance, probability, np.array([flags]), np.random.default_rng(draw(st.integers(0, 99)))


def by_kind(importance: np.ndarray, probability: np.ndarray, kept: np.ndarray) -> dict[Any, int]:
    pairs = list(zip(importance[0], probability[0], strict=True))
    return {pair: sum(k for p, k in zip(pairs, kept[0], strict=True) if p == pair) for pair in pairs}


@given(schedules_and_kept())
def test_kept_kinds_are_counts_of_like_features(drawn: Any) -> None:
    importance, probability, kept, _ = drawn
    schedules = Schedules(importance, probability)
    counts = schedules.kept_kinds(kept)[0]
    assert counts.sum() == kept.sum()
    pairs = list(zip(importance[0], probability[0], strict=True))
    for feature, pair in enumerate(pairs):
        expected = by_kind(importance, probability, kept)[pair] if pairs.index(pair) == feature else 0
        assert counts[feature] == expected


@given(schedules_and_kept())
def test_exchanging_like_features_changes_no_name_and_others_do(drawn: Any) -> None:
    importance, probability, kept, generator = drawn
    schedules = Schedules(importance, probability)
    n_features = kept.shape[1]
    W = np.where(kept, 1.0, 0.1)[:, None, :]
    (name,) = kept_names(W, schedules)
    order = np.arange(n_features)
    for kind in np.unique(schedules.kinds()[0]):
        alike = np.flatnonzero(schedules.kinds()[0] == kind)
        order[alike] = generator.permutation(alike)
    assert kept_names(W[:, :, order], schedules) == [name]
    anyhow = generator.permutation(n_features)
    moved = kept[:, anyhow]
    same = by_kind(importance, probability, moved) == by_kind(importance, probability, kept)
    assert (kept_names(W[:, :, anyhow], schedules) == [name]) == same


@given(schedules_and_kept(), st.floats(0, 6))
def test_looks_know_neither_rotations_nor_which_like_feature_is_which(drawn: Any, angle: float) -> None:
    importance, probability, kept, generator = drawn
    schedules = Schedules(importance, probability)
    W = generator.normal(size=(1, 2, kept.shape[1])) * np.where(kept, 1.0, 0.1)[:, None, :]
    order = np.arange(kept.shape[1])
    for kind in np.unique(schedules.kinds()[0]):
        alike = np.flatnonzero(schedules.kinds()[0] == kind)
        order[alike] = generator.permutation(alike)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one, other = looks(W, schedules), looks(rotation @ W[:, :, order], schedules)
    for name in one:
        np.testing.assert_allclose(one[name].astype(float), other[name].astype(float), atol=1e-9)


def test_questions_are_answered_as_the_observations_ask_them() -> None:
    schedules = Schedules(np.array([[1.0, 0.9, 0.8]]), np.array([[0.1, 0.5, 0.9]]))
    # Feature 0 has a dimension of its own, 1 has the other, 2 is dropped.
    W = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.1]]])
    answers = {name: bool(looks(W, schedules)[name][0]) for name in QUESTIONS}
    assert answers == {
        "not_all_represented": True,
        "none_dedicated": False,
        "top_dedicated": True,
        "densest_dropped": True,
    }
    # 0 and 1 are an antipodal pair, 2 has the other dimension.
    W = np.array([[[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]])
    answers = {name: bool(looks(W, schedules)[name][0]) for name in QUESTIONS}
    assert answers == {
        "not_all_represented": False,
        "none_dedicated": False,
        "top_dedicated": False,
        "densest_dropped": False,
    }


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [1, 2, 0]])
def test_questions_do_not_depend_on_which_of_equals_comes_first(order: list[int]) -> None:
    # One has a dimension of its own, one is dropped, one is a part of the other dimension.
    W = np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.6]]])[:, :, order]
    equal = Schedules(np.ones((1, 3)), np.full((1, 3), 0.5))
    found = looks(W, equal)
    assert found["top_dedicated"].tolist() == [True]
    assert found["densest_dropped"].tolist() == [False]
    assert looks(0.1 * W, equal)["densest_dropped"].tolist() == [False], "no rarer one is represented"


# --- a map, made by the commands ---------------------------------------------------------------------------


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def parts(folder: Path, table: str) -> list[Path]:
    return sorted((folder / table).rglob("*.parquet"))


def make(folder: Path, spec: dict[str, Any], variants: dict[str, TrainingSettings], solve: bool) -> None:
    training = {
        "seeds": N_SEEDS,
        "variants": {name: settings.as_dict() for name, settings in variants.items()},
    }
    for shard in range(SHARDS):
        points, weights, solutions = (
            folder / table / f"shard={shard}" / "part.parquet" for table in ("points", "weights", "solutions")
        )
        which = ("--shards", SHARDS)
        run("map-points", "--spec", json.dumps(spec), "--shard", shard, *which, "--output", points)
        run(
            *("map-weights", "--points", points, "--spec", json.dumps(training), *which),
            *("--store", folder / "store" / "weights", "--output", weights),
        )
        if solve:
            run(
                *(
                    "map-solutions",
                    "--points",
                    points,
                    "--weights",
                    weights,
                    "--biases",
                    *sorted(HELD_BIASES),
                ),
                *("--n-starts", N_STARTS, *which),
                *("--store", folder / "store" / "solutions", "--output", solutions),
            )


Tables = dict[str, pd.DataFrame]


def measured(folder: Path, *kinds: str) -> Tables:
    """The tables of a map, from its points and what else is given."""
    outputs = {name: folder / f"{name}_{'_'.join(kinds)}.parquet" for name in TABLES}
    run(
        *("map-measures", "--points", *parts(folder, "points")),
        *("--weights", *(parts(folder, "weights") if "weights" in kinds else [])),
        *("--solutions", *(parts(folder, "solutions") if "solutions" in kinds else [])),
        *(part for name, path in outputs.items() for part in (f"--output-{name}", path)),
    )
    return {name: read_table(path) for name, path in outputs.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, {"n_features": 4, "n_hidden": 2, "points": GRID}, VARIANTS, solve=True)
    return folder


@pytest.fixture(scope="module")
def tables(made: Path) -> Tables:
    return measured(made, "weights", "solutions")


@pytest.fixture(scope="module")
def points(made: Path) -> pd.DataFrame:
    return pd.concat([read_point_frame(path) for path in parts(made, "points")], ignore_index=True)


@pytest.fixture(scope="module")
def weights(made: Path) -> pd.DataFrame:
    return pd.concat([read_table(path) for path in parts(made, "weights")], ignore_index=True)


def test_a_shard_of_the_map_is_empty(made: Path) -> None:
    counts = [len(read_table(path)) for path in parts(made, "points")]
    assert min(counts) == 0 < max(counts), "else the tests below do not see how empty shards are read"


def test_every_toy_model_has_a_row(tables: Tables, weights: pd.DataFrame) -> None:
    names = ["key", "variant", "seed"]
    pd.testing.assert_frame_equal(
        tables["models"][[*names, "loss"]].sort_values(names, ignore_index=True),
        weights[[*names, "loss"]].sort_values(names, ignore_index=True),
        check_dtype=False,
    )
    assert tables["models"]["variant"].unique().tolist() == list(VARIANTS)


def test_exact_losses_are_those_of_many_samples(
    tables: Tables, weights: pd.DataFrame, points: pd.DataFrame
) -> None:
    schedules = points.drop_duplicates("key").set_index("key")
    n_samples = 100_000
    for name, settings in VARIANTS.items():
        rows = tables["models"][tables["models"]["variant"] == name].reset_index(drop=True)
        if name not in COVERED:
            assert rows[["exact_loss", "best_loss", "excess_loss", "relative_excess"]].isna().all(axis=None)
            assert rows["keeps_best"].isna().all()
            continue
        trained = rows[["key", "variant", "seed"]].merge(weights, how="left")
        importance, probability = (
            np.stack(schedules.loc[trained["key"], column].to_list())
            for column in ("importance", "probability")
        )
        models = ToyModels(
            W=np.stack(trained["W"].to_list()).reshape(-1, 2, 4),
            b=np.stack(trained["b"].to_list()),
            loss=trained["loss"].to_numpy(),
            seeds=trained["seed"].to_numpy(),
            importance=importance,
            probability=probability,
            settings=settings,
            engine="fused",
        ).select(slice(0, 4))
        x = models.sample(0, n_samples).astype(np.float64)
        losses = (importance[:4, None] * (x - models.reconstruct(x)) ** 2).mean(axis=2)
        error = losses.std(axis=1) / np.sqrt(n_samples)
        assert np.all(np.abs(losses.mean(axis=1) - rows["exact_loss"][:4]) < 5 * error + 1e-6), name
        # Nothing found here is better than the search; some come close.
        if name in SEARCHES:
            assert (rows["excess_loss"] >= -1e-9).all(), name
            assert rows["relative_excess"].min() < 0.05, name


def test_each_is_compared_with_its_own_search(tables: Tables) -> None:
    models, solutions = tables["models"], tables["solutions"]
    minima = solutions[solutions["kind"] == "minimum"]
    best = minima.groupby(["key", "bias"])["loss"].min()
    for name in VARIANTS:
        rows = models[models["variant"] == name]
        assert (rows["bias"] == SEARCHES.get(name, "")).all()
        if name in SEARCHES:
            expected = [best[key, SEARCHES[name]] for key in rows["key"]]
            np.testing.assert_array_equal(rows["best_loss"], expected)
            answers = minima[minima["is_best"] & (minima["bias"] == SEARCHES[name])].groupby("key")["kept"]
            kept = {key: set(values) for key, values in answers}
            assert rows["keeps_best"].tolist() == [
                own in kept[key] for key, own in zip(rows["key"], rows["kept"], strict=True)
            ]
    # Held biases cost something: else the searches could be exchanged and nothing above would notice.
    assert (best[:, "zero"] > best[:, "trained"] * 1.001).any()


def test_excess_is_over_the_best_and_relative_to_nothing(tables: Tables, points: pd.DataFrame) -> None:
    models = tables["models"]
    compared = models[models["bias"] != ""]
    np.testing.assert_allclose(compared["excess_loss"], compared["exact_loss"] - compared["best_loss"])
    schedules = points.drop_duplicates("key").set_index("key")
    for row in compared.to_dict("records"):
        importance, p = schedules.loc[row["key"], ["importance", "probability"]]
        nothing = np.mean(importance * (p / 3 - p**2 / 4))
        assert row["relative_excess"] == pytest.approx(row["excess_loss"] / nothing)


def test_solutions_say_what_is_best(tables: Tables) -> None:
    solutions = tables["solutions"]
    assert not {"W", "b"} & set(solutions)
    minima, foretold = (solutions[(solutions["kind"] == "minimum") == is_one] for is_one in (True, False))
    assert not foretold["is_best"].any()
    assert foretold["share_of_starts"].isna().all()
    for _, rows in minima.groupby(["key", "bias"]):
        lowest = rows["loss"].min()
        assert rows.loc[rows["is_best"], "loss"].max() <= lowest * (1 + 2e-5)
        assert rows.loc[~rows["is_best"], "loss"].min(skipna=True) > lowest or rows["is_best"].all()
        assert rows["share_of_starts"].sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def solved_points(points: pd.DataFrame) -> MapPoints:
    return distinct_points(points, n_hidden=2)


def as_models(found: pd.DataFrame, points: MapPoints, order: Any = slice(None)) -> pd.DataFrame:
    """Best solutions with free biases, as if they were trained: features in another order."""
    best = found[(found["kind"] == "minimum") & (found["bias"] == "trained") & (found["rank"] == 0)]
    W = np.stack(best["W"].to_list()).reshape(len(best), 2, -1)[:, :, order]
    b = np.stack(best["b"].to_list())[:, order]
    schedules = Schedules.at(points, best["key"])
    all_W = np.stack(found["W"].to_list()).reshape(len(found), 2, -1)
    solved = solution_table(found, all_W, Schedules.at(points, found["key"]))
    names = pd.DataFrame({"key": best["key"].to_numpy()})
    return excess_table(names, W, b, schedules, [SETTINGS.as_dict()] * len(best), solved)


def test_the_best_solution_itself_is_the_best(made: Path, solved_points: MapPoints) -> None:
    found, _ = read_solutions(parts(made, "solutions"), 2, 4)
    table = as_models(found, solved_points)
    assert len(table) == len(solved_points)
    assert table["keeps_best"].all()
    np.testing.assert_allclose(table["excess_loss"], 0, atol=1e-12)


def test_like_features_may_be_exchanged_and_others_not() -> None:
    # Two kinds: 0 and 2 are alike, 1 and 3 are. One dimension less than there are features of interest.
    importance, probability = np.array([[1.0, 0.3, 1.0, 0.3]]), np.array([[0.3, 0.9, 0.3, 0.9]])
    points = MapPoints(["0" * 16], importance, probability, n_hidden=2)
    found = solutions_of(points, [0], ["trained"], 8)
    for order in ([0, 1, 2, 3], [2, 1, 0, 3], [0, 3, 2, 1], [2, 3, 0, 1]):
        table = as_models(found, points, order)
        assert table["keeps_best"].all(), order
        assert abs(table["excess_loss"][0]) < 1e-12
    other = as_models(found, points, [1, 0, 3, 2])
    assert not other["keeps_best"].any()
    assert other["relative_excess"][0] > 0.01


def test_where_nothing_need_be_lost_rounding_does_not_decide_what_is_best() -> None:
    # As many dimensions as features: in any rotation each has one of its own. The last shares one.
    angles = np.linspace(0.1, 3, 8)
    turned = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    W = np.concatenate([np.moveaxis(turned, 2, 0), [[[1.0, -1.0], [0.0, 0.0]]]])
    schedules = Schedules(np.tile([1.0, 0.9], (9, 1)), np.tile([0.3, 0.2], (9, 1)))
    nearly = 1 - 1e-6 * np.arange(9)[:, None, None]  # as far as a descent comes
    losses = exact_loss(W * nearly, np.zeros((9, 2)), schedules.importance, schedules.probability).mean(
        axis=1
    )
    assert losses[7] > 10 * losses[1]
    about = {"key": "0", "kind": "minimum", "bias": "trained", "n_starts": 1, "W": None, "b": None}
    found = pd.DataFrame({"rank": range(9), "loss": losses}).assign(**about)
    solved = solution_table(found, W * nearly, schedules)
    assert solved["is_best"].tolist() == [True] * 8 + [False]


def test_centred_inputs_come_to_the_same_as_another_bias() -> None:
    generator = np.random.default_rng(0)
    W, b = generator.normal(size=(3, 2, 4)), generator.normal(size=(3, 4))
    probability = generator.uniform(size=(3, 4))
    x = generator.uniform(size=(3, 7, 4))
    trainings = [SETTINGS, VARIANTS["centred"], replace(VARIANTS["binary"], centred_inputs=True)]
    shifted = as_uncentred(b, W, probability, [training.as_dict() for training in trainings])
    means = np.stack([np.zeros(4), probability[1] / 2, probability[2]])  # of what each takes off
    expected = np.einsum("kmi,kmj,ksj->ksi", W, W, x - means[:, None]) + b[:, None]
    np.testing.assert_allclose(np.einsum("kmi,kmj,ksj->ksi", W, W, x) + shifted[:, None], expected)
    np.testing.assert_array_equal(shifted[0], b[0])


# --- the summary -------------------------------------------------------------------------------------------


def test_each_point_has_a_row_for_each_variant(tables: Tables, points: pd.DataFrame) -> None:
    summary = tables["points"]
    coordinates = ["key", "family", "mean_density", "steepness", "importance_ratio", "order"]
    assert points.duplicated("key").any()  # uniform schedules are the same in every family
    assert not points.duplicated(coordinates).any()
    assert not summary.duplicated([*coordinates, "variant"]).any()
    expected = points[coordinates].merge(pd.DataFrame({"variant": list(VARIANTS)}), how="cross")
    pd.testing.assert_frame_equal(
        summary[[*coordinates, "variant"]].sort_values([*coordinates, "variant"], ignore_index=True),
        expected.sort_values([*coordinates, "variant"], ignore_index=True),
        check_dtype=False,
    )
    # What stands at several coordinates is the same there.
    plain = summary.drop(columns=coordinates[1:]).drop_duplicates()
    assert len(plain) == points["key"].nunique() * len(VARIANTS)


def test_the_summary_is_of_the_seeds(tables: Tables) -> None:
    models = tables["models"]
    for row in tables["points"].to_dict("records"):
        own = models[(models["key"] == row["key"]) & (models["variant"] == row["variant"])]
        assert row["n_seeds"] == len(own) == N_SEEDS
        assert row["bias"] == own["bias"].iloc[0]
        for name in ("n_represented", "n_dedicated", "frobenius_norm", *QUESTIONS):
            assert row[name] == pytest.approx(own[name].mean())
        assert row["max_frobenius_norm"] == own["frobenius_norm"].max()
        if row["variant"] not in SEARCHES:
            assert pd.isna([row["keeps_best"], row["median_excess"], row["best_loss"]]).all()
            assert pd.isna([row["frugal_keeps_best"], row["agrees"], row["best_kept"]]).all()
            continue
        lowest = own.loc[own["exact_loss"].idxmin()]
        assert row["keeps_best"] == pytest.approx(own["keeps_best"].astype(float).mean())
        assert row["median_excess"] == own["relative_excess"].median()
        assert row["least_excess"] == lowest["relative_excess"]
        assert row["frugal_keeps_best"] == lowest["keeps_best"]
        assert row["frugal_n_represented"] == lowest["n_represented"]
        assert row["best_loss"] == lowest["best_loss"]


def test_the_summary_is_of_the_search(tables: Tables) -> None:
    solutions = tables["solutions"]
    predictions = solutions[solutions["kind"] != "minimum"].set_index(["key", "kind"])
    for row in tables["points"].drop_duplicates(["key", "bias"]).to_dict("records"):
        if not row["bias"]:
            continue
        minima = solutions[
            (solutions["key"] == row["key"])
            & (solutions["bias"] == row["bias"])
            & (solutions["kind"] == "minimum")
        ]
        best = minima[minima["rank"] == 0].iloc[0]
        assert row["n_minima"] == len(minima)
        assert row["starts_at_best"] == pytest.approx(minima.loc[minima["is_best"], "share_of_starts"].sum())
        for name in ("loss", "kept", "frobenius_norm", "n_represented", "n_dedicated", *QUESTIONS):
            assert row[f"best_{name}"] == best[name]
        answers = set(minima.loc[minima["is_best"], "kept"])
        for kind, prefix, agrees in (
            ("predicted", "predicted", "agrees"),
            ("matching", "matching", "matching_agrees"),
        ):
            if row["bias"] != "trained":  # nothing is predicted of held biases
                assert pd.isna([row[f"{prefix}_loss"], row[f"{prefix}_structure"], row[agrees]]).all()
                continue
            prediction = predictions.loc[(row["key"], kind)]
            assert row[f"{prefix}_loss"] == prediction["loss"]
            assert row[f"{prefix}_structure"] == prediction["structure"]
            assert row[agrees] == (prediction["kept"] in answers)


def test_the_variance_is_the_loss_of_representing_nothing(tables: Tables, points: pd.DataFrame) -> None:
    schedules = points.drop_duplicates("key").set_index("key")
    for row in tables["points"].to_dict("records"):
        importance, p = schedules.loc[row["key"], ["importance", "probability"]]
        assert row["variance"] == pytest.approx(np.sum(importance * (p / 3 - p**2 / 4)))


# --- what may be missing -----------------------------------------------------------------------------------


def test_without_toy_models_the_schedules_are_summed_up(
    made: Path, tables: Tables, points: pd.DataFrame
) -> None:
    alone = measured(made, "solutions")
    pd.testing.assert_frame_equal(alone["solutions"], tables["solutions"])
    assert len(alone["models"]) == 0
    assert alone["models"].columns.tolist() == tables["models"].columns.tolist()
    summary = alone["points"]
    assert len(summary) == len(points) * len(HELD_BIASES)
    assert not {"variant", "n_seeds", "keeps_best"} & set(summary)
    shared = ["key", "family", "order", "importance_ratio", "bias", "best_loss", "best_kept", "n_minima"]
    compared = tables["points"][tables["points"]["variant"].isin(["standard", "zero", "mean"])]
    pd.testing.assert_frame_equal(
        summary[shared].sort_values(shared, ignore_index=True),
        compared[shared].sort_values(shared, ignore_index=True),
        check_dtype=False,
    )


def test_without_solutions_the_toy_models_are_measured(made: Path, tables: Tables) -> None:
    alone = measured(made, "weights")
    assert len(alone["solutions"]) == 0
    assert alone["solutions"].columns.tolist() == tables["solutions"].columns.tolist()
    unknown = ["exact_loss", "best_loss", "excess_loss", "relative_excess", "keeps_best"]
    models = alone["models"]
    assert models.columns.tolist() == tables["models"].columns.tolist()
    assert models[unknown].isna().all(axis=None)
    pd.testing.assert_frame_equal(models.drop(columns=unknown), tables["models"].drop(columns=unknown))
    summary = alone["points"]
    assert len(summary) == len(tables["points"])
    assert not [name for name in summary if name.startswith(("best_", "predicted_", "matching_"))]
    assert summary[["keeps_best", "median_excess", "frugal_n_represented"]].isna().all(axis=None)
    np.testing.assert_array_equal(summary["n_represented"], tables["points"]["n_represented"])


def test_schedules_of_many_features_are_not_solved(tmp_path: Path) -> None:
    points = GRID | {"family": ["geometric"], "order": ["aligned"], "steepness": [1.0, 3.0]}
    n_features = LARGEST_SOLVED + 3  # beyond what an exact loss covers, too
    variants = {"standard": SETTINGS, "zero": VARIANTS["zero"]}
    make(tmp_path, {"n_features": n_features, "n_hidden": 3, "points": points}, variants, solve=False)
    found = measured(tmp_path, "weights")
    assert len(found["models"]) == 2 * N_SEEDS * len(found["points"].drop_duplicates("key"))
    assert found["models"]["exact_loss"].isna().all()
    assert found["models"]["keeps_best"].isna().all()
    assert (found["models"]["n_represented"] <= n_features).all()
    # A count may have two digits: names are told apart by spaces then.
    assert (found["models"]["kept"].str.count(" ") == n_features - 1).all()


def test_other_tables_are_named(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [f"--output-{name}={tmp_path / name}" for name in TABLES]
    for wrong, said in (
        ({"points": "weights"}, "holds no points of a map"),
        ({"weights": "solutions"}, "has no column 'variant'"),
        ({"solutions": "weights"}, "has no column 'kind'"),
    ):
        given_as = {"points": "points", "weights": "weights", "solutions": "solutions"} | wrong
        arguments = [part for name, table in given_as.items() for part in (f"--{name}", *parts(made, table))]
        assert main(["map-measures", *map(str, arguments), *outputs]) == 1
        assert said in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
