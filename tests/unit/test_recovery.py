"""Recovery metrics: identities that hold for any SAE, and dictionaries whose score is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.metrics.recovery import (
    Evaluation,
    evaluate,
    latent_table,
    recovered_features,
    sae_table,
)
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.toy_model import ToyModels, TrainingSettings

N_SAMPLES = 2**12


def toy_models(W: np.ndarray, probability: float = 0.1) -> ToyModels:
    n_instances, _, n_features = W.shape
    return ToyModels(
        W=W.astype(np.float32),
        b=np.zeros((n_instances, n_features), dtype=np.float32),
        loss=np.zeros(n_instances),
        seeds=np.arange(n_instances),
        importance=np.ones((n_instances, n_features)),
        probability=np.full((n_instances, n_features), probability),
        settings=TrainingSettings(),
        engine="by hand",
    )


def polygon(n_features: int, length: float = 1.2, turn: float = 0.0) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n_features) / n_features + turn
    return length * np.stack([np.cos(angle), np.sin(angle)])[None]


def dictionary(
    W_dec: np.ndarray,
    W_enc: np.ndarray | None = None,
    b_enc: np.ndarray | None = None,
    b_dec: np.ndarray | None = None,
) -> SAEs:
    """SAEs by hand, decoder rows normalised; by default the encoder points where the decoder does."""
    n_instances, n_latents, n_hidden = W_dec.shape
    length = np.linalg.norm(W_dec, axis=2, keepdims=True)
    W_dec = np.divide(W_dec, length, out=np.zeros(W_dec.shape), where=length > 0).astype(np.float32)
    weights = {
        "W_enc": W_dec.swapaxes(1, 2).copy() if W_enc is None else W_enc.astype(np.float32),
        "W_dec": W_dec,
        "b_enc": np.zeros((n_instances, n_latents), np.float32)
        if b_enc is None
        else b_enc.astype(np.float32),
        "b_dec": np.zeros((n_instances, n_hidden), np.float32) if b_dec is None else b_dec.astype(np.float32),
    }
    return SAEs(
        parameters=weights,
        seeds=np.arange(n_instances),
        toy_model=np.arange(n_instances),
        sparsity_coefficient=np.full(n_instances, 0.2),
        k=np.ones(n_instances, dtype=np.int64),
        settings=SAESettings(n_latents=n_latents),
        engine="by hand",
        recorded_steps=np.zeros(0, dtype=np.int64),
        history={name: np.zeros((0, *array.shape), np.float32) for name, array in weights.items()},
        resampling_steps=np.zeros(0, dtype=np.int64),
        resampled=np.zeros((0, n_instances, n_latents), dtype=bool),
    )


def random_case(
    seed: int, n_instances: int = 3, n_features: int = 6, n_latents: int = 4
) -> tuple[ToyModels, SAEs]:
    rng = np.random.default_rng(seed)
    models = toy_models(rng.normal(size=(n_instances, 3, n_features)) * rng.uniform(0, 1, n_features), 0.3)
    saes = dictionary(
        rng.normal(size=(n_instances, n_latents, 3)),
        rng.normal(size=(n_instances, 3, n_latents)),
        rng.normal(size=(n_instances, n_latents)),
        rng.normal(size=(n_instances, 3)),
    )
    return models, saes


def only_row(models: ToyModels, saes: SAEs) -> dict:
    table = sae_table(evaluate(models, saes, N_SAMPLES))
    assert len(table) == 1
    return table.iloc[0].to_dict()


# --- dictionaries whose score is known ---------------------------------------------------------------------


def test_the_true_dictionary_scores_one_everywhere() -> None:
    W = polygon(5)
    row = only_row(toy_models(W), dictionary(W.swapaxes(1, 2)))
    for name in (
        "mmcs", "mmcs_alive", "mmcs_all", "mcc", "recall_represented", "recall_represented_alive",
        "recall_represented_08", "recall_represented_08_alive", "recall_all", "uniqueness",
        "uniqueness_represented",
    ):  # fmt: skip
        assert row[name] == pytest.approx(1.0, abs=1e-6), name
    assert row["dead_fraction"] == 0
    assert row["n_represented"] == 5


@pytest.mark.parametrize("turn", [0.0, 0.2, 0.5])
def test_a_turned_dictionary_is_off_by_its_angle(turn: float) -> None:
    models, saes = toy_models(polygon(5)), dictionary(polygon(5, turn=turn).swapaxes(1, 2))
    row = only_row(models, saes)
    for name in ("angle_median", "angle_90"):
        assert row[name] == pytest.approx(np.degrees(turn), abs=0.03), name
    assert recovered_features(evaluate(models, saes, 64))["angle"].median() == pytest.approx(
        row["angle_median"]
    )


def test_uniqueness_over_represented_features_does_not_count_spare_latents() -> None:
    """Four latents on two orthogonal features that are represented, two of them twice."""
    W = np.eye(2)[None]
    row = only_row(toy_models(W, 0.5), dictionary(np.repeat(W, 2, axis=1)))
    assert (row["uniqueness"], row["uniqueness_represented"]) == (0.5, 1.0)


def test_orthogonal_features_are_recovered_activity_and_all() -> None:
    W = np.eye(3)[None]
    evaluation = evaluate(toy_models(W, 0.2), dictionary(W), N_SAMPLES)
    row = sae_table(evaluation).iloc[0]
    assert row["fvu"] == pytest.approx(0.0, abs=1e-10)
    assert row["shrinkage"] == pytest.approx(1.0, abs=1e-6)
    assert row["l0"] == pytest.approx(0.6, abs=0.05)
    for table in (latent_table(evaluation), recovered_features(evaluation)):
        assert (table[["precision", "recall", "f1"]] == 1.0).all(axis=None)
    features = recovered_features(evaluation)
    assert features["recovered"].all()
    assert features["best_latent"].tolist() == [0, 1, 2]


def test_halved_encoder_shrinks_by_half() -> None:
    W = np.eye(2)[None]
    row = only_row(toy_models(W, 0.5), dictionary(W, W_enc=0.5 * W))
    assert row["shrinkage"] == pytest.approx(0.5, abs=1e-6)
    assert row["norm_ratio"] == pytest.approx(0.5, abs=1e-6)


def test_mean_prediction_has_an_fvu_of_one() -> None:
    # All latents silent and b_dec the mean activation: what is explained is exactly nothing.
    W = np.eye(2)[None]
    saes = dictionary(W, b_enc=np.full((1, 2), -9.0), b_dec=np.full((1, 2), 0.5 * 0.5))
    assert only_row(toy_models(W, 0.5), saes)["fvu"] == pytest.approx(1.0, abs=0.01)


def test_an_antipodal_latent_is_no_match() -> None:
    """With |cos| in place of cos one latent would recover both arms of a pair."""
    W = polygon(2)  # two antipodal features
    row = only_row(toy_models(W), dictionary(np.array([[[1.0, 0.0]]])))
    assert row["recall_represented"] == 0.5
    assert row["mmcs"] == pytest.approx(0.0, abs=1e-6)  # (1 + -1) / 2
    row = only_row(toy_models(W), dictionary(np.array([[[1.0, 0.0], [1.0, 0.1]]])))
    assert row["recall_represented"] == 0.5
    assert row["uniqueness"] == 0.5


def test_thresholds_are_strict_cosines() -> None:
    W = np.eye(2)[None, :, :1]  # one feature along the first axis
    for cosine, strict, lenient in ((0.95, 1.0, 1.0), (0.85, 0.0, 1.0), (0.75, 0.0, 0.0)):
        row = only_row(toy_models(W), dictionary(np.array([[[cosine, np.sqrt(1 - cosine**2)]]])))
        assert (row["recall_represented"], row["recall_represented_08"]) == (strict, lenient)
        assert row["mmcs"] == pytest.approx(cosine, abs=1e-6)


def test_what_is_not_represented_never_counts_as_recovered() -> None:
    W = polygon(4)
    W[0, :, 1] *= 0.1  # norm 0.12: there, but not represented
    W[0, :, 3] = 0.0
    evaluation = evaluate(toy_models(W), dictionary(polygon(4).swapaxes(1, 2)), N_SAMPLES)
    row = sae_table(evaluation).iloc[0]
    assert row["n_represented"] == 2
    assert row["recall_represented"] == 1.0
    assert row["recall_all"] == 0.5
    assert row["mmcs_all"] == pytest.approx(1.0, abs=1e-6)
    assert row["uniqueness"] == 0.5  # latents 1 and 3 fall to one of the two represented features
    features = recovered_features(evaluation)
    assert features["recovered"].tolist() == [True, False, True, False]
    assert features["best_cosine"].iloc[1] == pytest.approx(1.0, abs=1e-6)
    assert features["best_latent"].iloc[3] == -1
    assert features.iloc[3][["best_cosine", "precision", "recall", "f1"]].isna().all()
    assert set(latent_table(evaluation)["best_feature"]) == {0, 2}


def test_one_to_one_matching_is_stricter_than_the_best_match() -> None:
    W = np.eye(2)[None]
    near = np.array([[[1.0, 0.0], [1.0, 0.05]]])
    row = only_row(toy_models(W), dictionary(near))
    second = 0.05 / np.sqrt(1 + 0.05**2)
    assert row["mcc"] == pytest.approx((1.0 + second) / 2, abs=1e-6)
    assert row["uniqueness"] == 0.5


def test_a_collapsed_sae_is_recorded_as_such() -> None:
    W = polygon(5)
    saes = dictionary(W.swapaxes(1, 2), b_enc=np.full((1, 5), -100.0))
    evaluation = evaluate(toy_models(W), saes, N_SAMPLES)
    row = sae_table(evaluation).iloc[0]
    assert row["dead_fraction"] == 1.0
    assert row["l0"] == 0.0
    assert row["fvu"] >= 1.0
    assert row["shrinkage"] == 0.0
    assert row["recall_represented"] == 1.0, "the directions are there, if silent"
    assert row["recall_represented_alive"] == 0.0
    assert np.isnan(row["mmcs_alive"])
    latents = latent_table(evaluation)
    assert latents["dead"].all()
    assert latents["precision"].isna().all()  # it never fires: 0 / 0
    assert (latents["recall"] == 0).all()
    assert (latents["f1"] == 0).all()
    assert not recovered_features(evaluation)["recovered_alive"].any()


def test_nothing_represented_leaves_only_what_is_defined() -> None:
    evaluation = evaluate(toy_models(0.01 * polygon(3)), dictionary(polygon(3).swapaxes(1, 2)), N_SAMPLES)
    row = sae_table(evaluation).iloc[0]
    assert row["n_represented"] == 0
    assert row[["mmcs", "mcc", "recall_represented"]].isna().all()
    assert row["recall_all"] == 0.0
    assert row["uniqueness"] == 0.0
    assert (latent_table(evaluation)["best_feature"] == -1).all()


def test_a_toy_model_of_zeros_has_no_variance_to_explain() -> None:
    row = only_row(toy_models(np.zeros((1, 2, 3))), dictionary(polygon(3).swapaxes(1, 2)))
    assert np.isnan(row["fvu"])
    assert np.isnan(row["shrinkage"])
    assert np.isnan(row["norm_ratio"])
    assert np.isnan(row["mmcs_all"])


# --- identities for any SAE --------------------------------------------------------------------------------

INVARIANT = (
    "l0",
    "fvu",
    "mmcs",
    "mmcs_all",
    "mcc",
    "recall_represented",
    "uniqueness",
    "dead_fraction",
    "shrinkage",
)


def permuted(saes: SAEs, order: np.ndarray) -> SAEs:
    return with_parameters(
        saes, W_enc=saes.W_enc[:, :, order], W_dec=saes.W_dec[:, order], b_enc=saes.b_enc[:, order]
    )


def with_parameters(saes: SAEs, **changed: np.ndarray) -> SAEs:
    return replace(saes, parameters={**saes.parameters, **changed})


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), order=st.permutations(range(4)))
def test_the_order_of_latents_does_not_matter(seed: int, order: list[int]) -> None:
    models, saes = random_case(seed)
    one = evaluate(models, saes, 512)
    other = evaluate(models, permuted(saes, np.array(order)), 512)
    np.testing.assert_allclose(
        sae_table(one)[list(INVARIANT)], sae_table(other)[list(INVARIANT)], rtol=1e-5, atol=1e-6
    )
    best, permuted_best = (recovered_features(e)["best_latent"].to_numpy() for e in (one, other))
    np.testing.assert_array_equal(best, np.array(order)[permuted_best])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_rotating_the_hidden_space_does_not_matter(seed: int) -> None:
    models, saes = random_case(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(3, 3)))[0].astype(np.float32)
    turned = with_parameters(
        saes, W_enc=rotation @ saes.W_enc, W_dec=saes.W_dec @ rotation.T, b_dec=saes.b_dec @ rotation.T
    )
    one = sae_table(evaluate(models, saes, 512))
    other = sae_table(evaluate(replace(models, W=rotation @ models.W), turned, 512))
    # A pre-activation within rounding of 0 may switch.
    np.testing.assert_allclose(one[list(INVARIANT)], other[list(INVARIANT)], rtol=5e-3, atol=5e-3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_ranges_and_relations(seed: int) -> None:
    models, saes = random_case(seed)
    evaluation = evaluate(models, saes, 512)
    table, latents, features = sae_table(evaluation), latent_table(evaluation), recovered_features(evaluation)
    for name in ("recall_represented", "recall_all", "uniqueness", "dead_fraction", "recall_represented_08"):
        assert table[name].dropna().between(0, 1).all(), name
    assert (table["mcc"].dropna() <= 1 + 1e-9).all()
    assert (table["recall_all"] <= table["recall_represented"].fillna(1) + 1e-12).all()
    assert (table["recall_represented"].dropna() <= table["recall_represented_08"].dropna()).all()
    assert (table["recall_represented_alive"].dropna() <= table["recall_represented"].dropna()).all()
    np.testing.assert_allclose(latents.groupby("instance")["firing_frequency"].sum(), table["l0"])
    np.testing.assert_allclose(latents.groupby("instance")["dead"].mean(), table["dead_fraction"])
    np.testing.assert_allclose(features.groupby("instance")["recovered"].mean(), table["recall_all"])
    for rows in (latents, features):
        assert rows[["precision", "recall", "f1"]].stack().dropna().between(0, 1).all()
        harmonic = 2 / (1 / rows["precision"] + 1 / rows["recall"])
        both = (rows["precision"] > 0) & (rows["recall"] > 0)
        np.testing.assert_allclose(rows["f1"][both], harmonic[both])


def test_an_instance_scores_the_same_in_any_company() -> None:
    models, saes = random_case(5)
    whole = sae_table(evaluate(models, saes, 1024))
    names = ("W", "b", "loss", "seeds", "importance", "probability")
    own = replace(models, **{name: getattr(models, name)[1:2] for name in names})
    alone = replace(
        saes,
        parameters={name: array[1:2] for name, array in saes.parameters.items()},
        toy_model=np.zeros(1, dtype=np.int64),
        **{name: getattr(saes, name)[1:2] for name in ("seeds", "sparsity_coefficient", "k")},
        resampled=saes.resampled[:, 1:2],
    )
    part = sae_table(evaluate(own, alone, 1024))
    numbers = whole.select_dtypes("number").columns.drop("instance")
    np.testing.assert_array_equal(whole[numbers].iloc[[1]], part[numbers])


def test_tables_have_the_contracts_columns() -> None:
    models, saes = random_case(0)
    evaluation: Evaluation = evaluate(models, saes, 256)
    assert {
        "seed", "architecture", "sparsity_coefficient", "n_latents", "l0", "fvu", "mmcs",
        "recall_represented", "recall_all", "uniqueness", "dead_fraction",
    } <= set(sae_table(evaluation).columns)  # fmt: skip
    latents = latent_table(evaluation)
    assert len(latents) == 3 * 4
    assert len(recovered_features(evaluation)) == 3 * 6
    np.testing.assert_array_equal(np.stack(latents["decoder"]), saes.W_dec.reshape(-1, 3))
    np.testing.assert_array_equal(np.stack(latents["encoder"]), saes.W_enc.swapaxes(1, 2).reshape(-1, 3))


def test_saes_of_other_models_are_refused() -> None:
    saes = random_case(0)[1]
    with pytest.raises(
        ValueError,
        match="saes have n_hidden 3: must have 2, as the toy models",
    ):
        evaluate(toy_models(polygon(5)), saes)


def test_imported_saes_are_one_a_toy_model() -> None:
    """One SAE for many toy models gave one row, of the first, and said nothing."""
    schedule = sa.schedules.geometric(n_features=5, first=0.3, last=0.1)
    models = sa.random_dictionaries(schedule, n_hidden=2, seeds=3)
    source = {"W_enc": np.eye(2), "W_dec": np.eye(2)}
    each = sa.import_saes([source] * 3)
    assert evaluate(models, each, n_samples=16).fvu.shape == (3,)
    assert evaluate(models, each[1:], n_samples=16).fvu.shape == (2,)
    assert evaluate(models[:1], sa.import_saes(source), n_samples=16).fvu.shape == (1,)
    with pytest.raises(ValueError, match=r"saes are 1 imported for 3 toy models: .*\[source\] \* 3\) scores"):
        evaluate(models, sa.import_saes(source))
    with pytest.raises(ValueError, match=r"2 imported for 3 toy models: .*sa.evaluate\(models\[:2\], saes\)"):
        sa.evaluate(models, sa.import_saes([source] * 2))
    with pytest.raises(ValueError, match=r"5 imported for 3 toy models: must be one a toy model, in their"):
        sa.evaluate(models, sa.import_saes([source] * 5))
    with pytest.raises(ValueError, match=r"up to number 2, counted from 0: must be of models, which are 2$"):
        sa.evaluate(models[:2], each[1:])
