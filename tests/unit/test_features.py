"""The geometry of toy models: known polyhedra, identities for any weights, and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.metrics import features
from superposition_atlas.metrics.recovery import Evaluation, evaluate
from superposition_atlas.metrics.sae_history import history_table
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.toy_model import ToyModels, TrainingSettings


def polygon(n_corners: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n_corners) / n_corners
    return np.stack([np.cos(angle), np.sin(angle)])


def square_antiprism() -> np.ndarray:
    """Eight points on the sphere, the minimum of Σ (Ŵ_i · Ŵ_j)² being reached at height 1/√3."""
    height = 3**-0.5
    radius = (1 - height**2) ** 0.5
    angle = np.pi / 4 * np.arange(8)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height * (-1.0) ** np.arange(8)])


SHAPES = {
    "dedicated": (np.eye(3), 1.0),
    "digon": (np.array([[1.0, -1.0]]), 1 / 2),
    "triangle": (polygon(3), 2 / 3),
    "tetrahedron": (np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).T.astype(float), 3 / 4),
    "square": (polygon(4), 1 / 2),
    "pentagon": (polygon(5), 2 / 5),
    "square antiprism": (square_antiprism(), 3 / 8),
}

WEIGHTS = st.builds(
    lambda seed, shape, scale: np.random.default_rng(seed).normal(size=shape) * scale,
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 8)),
    st.sampled_from([1e-3, 0.3, 1.0, 100.0]),
)


def rotation(n_hidden: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n_hidden, n_hidden)))[0]


def toy_models(W: np.ndarray, probability: np.ndarray | None = None) -> ToyModels:
    n_instances, _, n_features = W.shape
    rng = np.random.default_rng(5)
    return ToyModels(
        W=W.astype(np.float32),
        b=rng.normal(size=(n_instances, n_features)).astype(np.float32),
        loss=rng.uniform(size=n_instances),
        seeds=np.arange(n_instances) + 7,
        importance=rng.uniform(size=(n_instances, n_features)),
        probability=np.full((n_instances, n_features), 0.1) if probability is None else probability,
        settings=TrainingSettings(),
        engine="by hand",
    )


# --- dimensionality ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_dimensionality_of_known_shapes(name: str, scale: float) -> None:
    W, expected = SHAPES[name]
    np.testing.assert_allclose(features.dimensionality(scale * W[None]), expected)


def test_dimensionality_of_an_unequal_pair_by_its_formula() -> None:
    # D_1 = a²/(a² + b²) for an antipodal pair of lengths a and b.
    np.testing.assert_allclose(features.dimensionality(np.array([[[2.0, -1.0]]])), [[0.8, 0.2]])


def test_shapes_in_orthogonal_subspaces_do_not_touch() -> None:
    W = np.zeros((3, 6))
    W[:2, :5], W[2, 5] = polygon(5), 1.0
    np.testing.assert_allclose(features.dimensionality(W[None])[0], [0.4] * 5 + [1.0])


@given(WEIGHTS)
def test_dimensionalities_lie_between_0_and_1_and_share_the_hidden_dimensions(W: np.ndarray) -> None:
    D = features.dimensionality(W)
    assert np.all((D >= 0) & (D <= 1 + 1e-12))
    assert np.all(D.sum(axis=1) <= W.shape[1] + 1e-9)


@given(WEIGHTS, st.integers(0, 2**32 - 1), st.floats(0.1, 10.0))
def test_rotation_and_scale(W: np.ndarray, seed: int, scale: float) -> None:
    turned = rotation(W.shape[1], seed) @ W
    for measure, power in (
        (features.norms, 1),
        (features.dimensionality, 0),
        (features.interference, 2),
        (features.overlaps, 2),
    ):
        size = np.abs(measure(W)).max()
        np.testing.assert_allclose(measure(turned), measure(W), rtol=1e-9, atol=1e-10 * size)
        scaled = measure(scale * W)
        np.testing.assert_allclose(scaled, scale**power * measure(W), rtol=1e-9, atol=1e-10 * size)


def test_features_without_weights_have_no_dimensionality_and_disturb_nobody() -> None:
    W = np.zeros((1, 2, 3))
    W[0, :, 0] = [1.0, 0.0]
    np.testing.assert_array_equal(features.dimensionality(W), [[1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(features.interference(W), 0.0)
    np.testing.assert_array_equal(features.norms(W), [[1.0, 0.0, 0.0]])


# --- interference ------------------------------------------------------------------------------------------


@given(WEIGHTS)
def test_interference_by_brute_force(W: np.ndarray) -> None:
    weight = np.random.default_rng(3).uniform(size=(len(W), W.shape[2]))
    plain, weighted = features.interference(W), features.interference(W, weight)
    for instance, columns in enumerate(W.swapaxes(1, 2)):
        for i, own in enumerate(columns):
            direction = own / np.linalg.norm(own)
            others = [j for j in range(len(columns)) if j != i]
            squares = {j: float(direction @ columns[j]) ** 2 for j in others}
            assert plain[instance, i] == pytest.approx(sum(squares.values()), rel=1e-9, abs=1e-24)
            expected = sum(squares[j] * weight[instance, j] for j in others)
            assert weighted[instance, i] == pytest.approx(expected, rel=1e-9, abs=1e-24)


@given(WEIGHTS)
def test_interference_and_dimensionality_are_two_faces_of_one_sum(W: np.ndarray) -> None:
    squared = features.norms(W) ** 2
    np.testing.assert_allclose(features.dimensionality(W), squared / (squared + features.interference(W)))


def test_interference_of_a_pentagon() -> None:
    # Σ_j cos² over the whole pentagon is 5/2, of which 1 is the feature itself.
    np.testing.assert_allclose(features.interference(polygon(5)[None]), 1.5)


# --- thresholds --------------------------------------------------------------------------------------------


def test_represented_is_strictly_longer_than_the_threshold() -> None:
    W = np.array([[[0.5, np.nextafter(0.5, 1), 0.49, -0.6]]])
    np.testing.assert_array_equal(features.represented(W), [[False, True, False, True]])
    np.testing.assert_array_equal(features.represented(W, norm=0.55), [[False, False, False, True]])


def test_dedicated_needs_length_and_a_dimension_of_ones_own() -> None:
    W = np.zeros((1, 3, 4))
    W[0, 0, :2] = [1.0, -1.0]  # a pair
    W[0, 1, 2] = 1.0  # alone
    W[0, 2, 3] = 0.4  # alone, but too short
    np.testing.assert_array_equal(features.dedicated(W), [[False, False, True, False]])
    np.testing.assert_array_equal(features.dedicated(W, norm=0.3), [[False, False, True, True]])
    np.testing.assert_array_equal(features.dedicated(W, threshold=0.4), [[True, True, True, False]])


def test_dedicated_is_strictly_above_its_threshold() -> None:
    W = polygon(4)[None]  # D = 1/2
    D = features.dimensionality(W)
    assert not features.dedicated(W, threshold=D.max()).any()
    assert features.dedicated(W, threshold=np.nextafter(D.min(), 0)).all()


def test_the_authors_rule_depends_on_the_rotation_and_ours_does_not() -> None:
    along_an_axis = np.array([[[0.4], [0.0]]])
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    turned = turn @ along_an_axis
    assert features.l1_norms(along_an_axis).item() == pytest.approx(0.4)
    assert features.l1_norms(turned).item() == pytest.approx(0.4 * 2**0.5)
    assert not features.represented(along_an_axis).any()
    assert not features.represented(turned).any()
    counts = [features.model_table(toy_models(W)).loc[0] for W in (along_an_axis, turned)]
    assert [row["n_represented_l1"] for row in counts] == [0, 1]
    assert [row["n_represented"] for row in counts] == [0, 0]


# --- tables ------------------------------------------------------------------------------------------------


def test_model_table_counts_what_the_rules_say() -> None:
    W = np.zeros((2, 2, 5))
    W[0] = polygon(5)
    W[1, :, :2] = 0.9 * np.eye(2)
    models = toy_models(W, np.full((2, 5), 0.1) * np.array([[1.0], [3.0]]))
    table = features.model_table(models)
    assert table["seed"].tolist() == [7, 8]
    np.testing.assert_array_equal(table["loss"], models.loss)
    np.testing.assert_allclose(table["frobenius_norm"], [5**0.5, (2 * 0.81) ** 0.5], rtol=1e-6)
    assert table["n_represented"].tolist() == [5, 2]
    assert table["n_represented_l1"].tolist() == [5, 2]
    assert table["n_dedicated"].tolist() == [0, 2]
    np.testing.assert_allclose(table["mean_probability"], [0.1, 0.3])


def test_feature_table_has_every_feature_of_every_model_in_its_row() -> None:
    rng = np.random.default_rng(11)
    models = toy_models(rng.normal(size=(3, 2, 5)), rng.uniform(0.1, 1, size=(3, 5)))
    table = features.feature_table(models)
    W = models.W.astype(np.float64)
    weighted = features.interference(W, models.probability)
    assert len(table) == 15
    for row in table.to_dict("records"):
        k, i = models.seeds.tolist().index(row["seed"]), row["feature"]
        assert row["importance"] == models.importance[k, i]
        assert row["probability"] == models.probability[k, i]
        assert row["bias"] == models.b[k, i]
        assert row["norm"] == pytest.approx(np.linalg.norm(W[k, :, i]))
        assert row["dimensionality"] == features.dimensionality(W)[k, i]
        assert row["polysemanticity"] ** 2 == pytest.approx(row["interference"])
        assert row["net_interference"] == weighted[k, i]
        assert row["net_interference"] <= row["interference"]
        assert row["represented"] == (row["norm"] > 0.5)
        assert row["dedicated"] == (row["norm"] > 0.5 and row["dimensionality"] > 0.9)
        np.testing.assert_array_equal(row["weights"], models.W[k, :, i])


def test_tables_of_some_models_are_those_rows_of_the_table_of_all() -> None:
    models = toy_models(np.random.default_rng(12).normal(size=(4, 2, 5)))
    for table_of in (features.model_table, features.feature_table):
        whole, part = table_of(models), table_of(models.select(slice(1, 3)))
        chosen = whole[whole["seed"].isin(part["seed"])].reset_index(drop=True)
        assert chosen.drop(columns="weights", errors="ignore").equals(
            part.drop(columns="weights", errors="ignore")
        )


# --- history of an SAE -------------------------------------------------------------------------------------


def sae_with_history(n_records: int) -> SAEs:
    rng = np.random.default_rng(13)
    shapes = {"W_enc": (2, 3, 4), "W_dec": (2, 4, 3), "b_enc": (2, 4), "b_dec": (2, 3)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    history = {
        name: rng.normal(size=(n_records, *shape)).astype(np.float32) for name, shape in shapes.items()
    }
    return SAEs(
        parameters=weights,
        history=history,
        seeds=np.array([4, 9]),
        toy_model=np.arange(2),
        sparsity_coefficient=np.full(2, 0.2),
        k=np.ones(2, dtype=np.int64),
        settings=SAESettings(n_latents=4),
        engine="by hand",
        recorded_steps=np.arange(n_records) * 100,
        resampling_steps=np.zeros(0, dtype=np.int64),
        resampled=np.zeros((0, 2, 4), dtype=bool),
    )


def evaluated(saes: SAEs) -> Evaluation:
    """On toy models drawn by chance."""
    rng = np.random.default_rng(17)
    return evaluate(toy_models(rng.normal(size=(2, 3, 5))), saes, n_samples=64)


def test_history_says_which_latents_were_dead_and_which_resampled() -> None:
    saes = sae_with_history(3)
    saes.history["b_enc"][1, 0, 2] = -100.0
    resampled = np.zeros((3, 2, 4), dtype=bool)
    resampled[0, 0, 1] = resampled[1, 1, 2] = resampled[2, 1, 3] = True
    # Before the record at 100; at 100, whose record holds the state before; after the last record.
    events = np.array([99, 100, 250])
    table = history_table(evaluated(replace(saes, resampling_steps=events, resampled=resampled)))
    there = table[table["resampled"]]
    assert there[["seed", "step", "latent"]].to_numpy().tolist() == [[4, 100, 1], [9, 200, 2]]
    dead = table[table["dead"]]
    assert [4, 100, 2] in dead[["seed", "step", "latent"]].to_numpy().tolist()
    assert len(dead) < len(table)


def test_history_has_a_row_for_every_recorded_step_and_latent() -> None:
    saes = sae_with_history(3)
    table = history_table(evaluated(saes))
    assert len(table) == 3 * 2 * 4
    assert not table.duplicated(["seed", "step", "latent"]).any()
    for row in table.to_dict("records"):
        r, k, j = row["step"] // 100, [4, 9].index(row["seed"]), row["latent"]
        direction = saes.history["W_dec"][r, k, j]
        np.testing.assert_allclose(row["decoder"], direction / np.linalg.norm(direction), rtol=1e-5)
        np.testing.assert_array_equal(row["encoder"], saes.history["W_enc"][r, k, :, j])
        assert row["b_enc"] == saes.history["b_enc"][r, k, j]


def test_history_of_a_zero_decoder_is_zero_and_of_no_record_is_empty() -> None:
    saes = sae_with_history(1)
    zero = replace(saes, history=dict(saes.history, W_dec=np.zeros_like(saes.history["W_dec"])))
    assert all(not np.any(decoder) for decoder in history_table(evaluated(zero))["decoder"])
    assert len(history_table(evaluated(sae_with_history(0)))) == 0
