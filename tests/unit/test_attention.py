"""Attention on known features: its scores split exactly, what superposition forces, and the planted rule."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas import schedules
from superposition_atlas.attention import cell_tables, pivot, sequences
from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.attention.heads import AttentionModels, attend, initial_attention_weights
from superposition_atlas.attention.train_attention import train_attention
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError, TrainingError
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.storage.attention_files import read_attention, write_attention
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import write_tensors
from superposition_atlas.toy_model import ToyModels
from superposition_atlas.training.train_toy_models import random_dictionaries, train

SMALL = settings(max_examples=20)
SEEDS = st.integers(0, 10**6)


def dictionaries(n_features: int, n_hidden: int, seeds: range, probability: float = 0.3) -> ToyModels:
    schedule = schedules.explicit(np.ones(n_features), np.full(n_features, probability))
    return random_dictionaries(schedule, n_hidden, seeds)


def untrained(models: ToyModels, n_heads: int, n_keys: int = 4) -> AttentionModels:
    weights = initial_attention_weights(models.seeds, n_heads, models.n_hidden, models.n_features)
    return AttentionModels(
        **weights,
        loss=np.zeros(len(models)),
        seeds=models.seeds,
        settings=AttentionSettings(n_heads=n_heads, n_keys=n_keys),
    )


def tokens_of(models: ToyModels, n_sequences: int = 16, n_keys: int = 4) -> tuple[np.ndarray, np.ndarray]:
    x = sequences.sample_tokens(models, 0, n_sequences, n_keys, Purpose.EVALUATION)
    return x, sequences.hidden(models, x)


def rough_saes(models: ToyModels, n_latents: int) -> SAEs:
    """SAEs that leave much over."""
    return train_saes(models, n_latents=n_latents, steps=30, batch_size=32, engine="torch")


def changed(attention: AttentionModels, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray) -> AttentionModels:
    return replace(attention, W_Q=W_Q, W_K=W_K, W_V=W_V)


# --- the split is exact ------------------------------------------------------------------------------------


@SMALL
@given(st.integers(2, 7), st.integers(1, 6), st.integers(1, 3), SEEDS)
def test_cells_and_error_add_up_to_the_raw_scores(
    n_features: int, n_hidden: int, n_heads: int, seed: int
) -> None:
    models = dictionaries(n_features, n_hidden, range(seed, seed + 2))
    attention = untrained(models, n_heads)
    x, h = tokens_of(models)
    raw = attention.scores(h)
    saes = rough_saes(models, n_features + 1)
    for dictionary in (pivot.true_dictionary(models, x), pivot.sae_dictionary(models, saes, h)):
        B = pivot.score_weights(attention, dictionary.directions)
        one_by_one = sum(
            dictionary.query_activity[:, None, :, None, i]
            * dictionary.key_activity[:, None, :, :, j]
            * B[:, :, None, None, i, j]
            for i in range(n_features)
            for j in range(n_features)
        )
        np.testing.assert_allclose(pivot.cell_sums(attention, dictionary), one_by_one, atol=1e-9)
        error = pivot.score_errors(attention, dictionary, h)
        np.testing.assert_allclose(one_by_one + error, raw, atol=1e-5)
        if dictionary.name == "true":
            np.testing.assert_allclose(error, 0.0, atol=1e-5)


@SMALL
@given(SEEDS)
def test_output_effects_add_up_to_what_is_written(seed: int) -> None:
    models = dictionaries(6, 4, range(seed, seed + 2))
    attention = untrained(models, 2)
    x, h = tokens_of(models)
    weights = attend(attention.scores(h))
    dictionary = pivot.true_dictionary(models, x)
    effects = pivot.output_effects(attention, dictionary.directions)
    written = np.einsum("ihsk,iskf,ihof->iso", weights, dictionary.key_activity, effects)
    np.testing.assert_allclose(written, attention.written(weights, h), atol=1e-6)


def test_attention_is_a_softmax_with_an_empty_token() -> None:
    scores = np.array([[[[0.0, 2.0, -1.0]]], [[[900.0, 0.0, 0.0]]]])
    weights = attend(scores)
    terms = np.exp(np.append(scores[0, 0, 0], 0.0))
    np.testing.assert_allclose(weights[0, 0, 0], (terms / terms.sum())[:3])
    np.testing.assert_allclose(weights[1, 0, 0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(attend(np.full((1, 1, 1, 4), -900.0)), 0.0)


# --- invariances -------------------------------------------------------------------------------------------


@SMALL
@given(SEEDS)
def test_tables_do_not_depend_on_the_rotation_of_the_hidden_space(seed: int) -> None:
    models = dictionaries(6, 4, range(seed, seed + 1))
    attention = untrained(models, 2)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    turned = replace(models, W=(rotation @ models.W).astype(np.float32))
    beside = changed(attention, *(getattr(attention, name) @ rotation.T for name in ("W_Q", "W_K", "W_V")))
    one, other = (
        cell_tables.measure(*pair, n_sequences=64).cells["true"]
        for pair in ((models, attention), (turned, beside))
    )
    for measure in ("mean_attention", "weight", "contribution", "pivot", "effect", "path"):
        np.testing.assert_allclose(getattr(one, measure), getattr(other, measure), atol=1e-4)


@SMALL
@given(SEEDS, st.floats(0.1, 10.0))
def test_contributions_and_effects_do_not_depend_on_how_long_directions_are(seed: int, scale: float) -> None:
    """A direction twice as long with activities half as large says the same."""
    models = dictionaries(5, 4, range(seed, seed + 1))
    attention = untrained(models, 2)
    x, h = tokens_of(models, n_sequences=64)
    true = pivot.true_dictionary(models, x)
    longer = replace(true, directions=scale * true.directions, activity=true.activity / scale)
    weights = attend(attention.scores(h))
    one, other = (cell_tables._cells(attention, own, weights) for own in (true, longer))
    for measure in ("mean_attention", "contribution", "pivot", "effect", "path"):
        np.testing.assert_allclose(getattr(one, measure), getattr(other, measure), rtol=1e-6, atol=1e-9)


def test_a_seed_does_not_depend_on_which_others_are_trained() -> None:
    models = dictionaries(6, 4, range(3))
    together = train_attention(models, n_heads=2, steps=20, batch_size=16)
    alone = train_attention(models.select(slice(2, 3)), n_heads=2, steps=20, batch_size=16)
    for name in ("W_Q", "W_K", "W_V", "W_O"):
        np.testing.assert_allclose(getattr(together, name)[2:], getattr(alone, name), atol=1e-4)


def test_rules_are_permutations_of_the_seed_alone() -> None:
    rule = sequences.planted_rule([3, 8], 9)
    for maps in (rule.key_of, rule.output_of):
        assert (np.sort(maps, axis=1) == np.arange(9)).all()
    assert not np.array_equal(rule.key_of[0], rule.key_of[1])
    assert np.array_equal(sequences.planted_rule([8], 9).key_of[0], rule.key_of[1])


def test_targets_are_what_the_rule_says() -> None:
    models = dictionaries(4, 3, range(2), probability=0.5)
    x, _ = tokens_of(models, n_sequences=30)
    rule = sequences.planted_rule(models.seeds, 4)
    y = sequences.targets(x, rule)
    for instance, sequence, query in np.ndindex(2, 30, 4):
        keys = x[instance, sequence, :-1, rule.key_of[instance, query]]
        wanted = keys.max() if x[instance, sequence, -1, query] > 0 else 0.0
        assert y[instance, sequence, rule.output_of[instance, query]] == wanted


# --- what superposition forces -----------------------------------------------------------------------------


def antipodal_pairs(n_pairs: int, n_alone: int) -> np.ndarray:
    """Features 0 … n_pairs - 1 are opposite to the next n_pairs; the others have a dimension of their own."""
    eye = np.eye(n_pairs + n_alone)
    return np.concatenate([eye[:, :n_pairs], -eye[:, :n_pairs], eye[:, n_pairs:]], axis=1)[None]


@SMALL
@given(st.integers(1, 4), st.integers(0, 3), SEEDS)
def test_tied_cells_are_equal_in_every_head_whatever_the_weights(
    n_pairs: int, n_alone: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    W = antipodal_pairs(n_pairs, n_alone)
    n_features = W.shape[2]
    key_of = rng.permutation(n_features)[None]
    ties, partner = pivot.forced_ties(W, key_of)[0], pivot.antipodes(W)[0]
    B = W[0].T @ rng.normal(size=(W.shape[1], W.shape[1])) @ W[0]
    for query, tie in enumerate(ties):
        if tie >= 0:
            assert B[query, tie] == pytest.approx(B[partner[query], key_of[0, partner[query]]])
            assert tie != key_of[0, query]
    # Of two antipodal features that are both tied, one head gets at most one right.
    right = B.argmax(axis=1) == key_of[0]
    for query, other in enumerate(partner):
        if other >= 0 and ties[query] >= 0 and ties[other] >= 0:
            assert not (right[query] and right[other])


def test_no_antipodes_no_ties() -> None:
    W = np.eye(5)[None]
    assert (pivot.antipodes(W) == -1).all()
    assert (pivot.forced_ties(W, np.array([[1, 2, 3, 4, 0]])) == -1).all()
    # A rule that goes with the pairs ties nothing either.
    assert (pivot.forced_ties(antipodal_pairs(2, 0), np.array([[0, 1, 2, 3]])) == -1).all()


# --- reading off -------------------------------------------------------------------------------------------


def by_hand(models: ToyModels, rule: sequences.Rule, strength: float) -> AttentionModels:
    """One head that follows the rule, for features that are orthogonal."""
    n = models.n_features
    D = models.W.astype(np.float64)
    looks, writes = np.zeros((2, len(models), n, n))
    for instance in range(len(models)):
        looks[instance, np.arange(n), rule.key_of[instance]] = strength
        writes[instance, rule.output_of[instance], rule.key_of[instance]] = 1.0
    # score = (D Dᵀ q) · (looks … k): with orthonormal columns Dᵀ h are the features themselves.
    return AttentionModels(
        W_Q=(looks.swapaxes(1, 2) @ D.swapaxes(1, 2))[:, None] * np.sqrt(n),
        W_K=D.swapaxes(1, 2)[:, None],
        W_V=D.swapaxes(1, 2)[:, None],
        W_O=writes[:, None],
        loss=np.zeros(len(models)),
        seeds=models.seeds,
        settings=AttentionSettings(n_heads=1),
    )


def orthogonal(n: int, seeds: range, probability: np.ndarray | float) -> ToyModels:
    models = dictionaries(n, n, seeds)
    W = np.stack([np.linalg.qr(own)[0] for own in models.W]).astype(np.float32)
    p = np.broadcast_to(probability, models.probability.shape).astype(np.float64)
    return replace(models, W=W, probability=p)


def test_the_rule_is_read_off_a_head_that_follows_it() -> None:
    models = orthogonal(6, range(3), 0.2)
    rule = sequences.planted_rule(models.seeds, 6)
    measured = cell_tables.measure(models, by_hand(models, rule, 40.0), n_sequences=512)
    reading = cell_tables.read_off(measured.cells["true"])
    for found in (reading.key, reading.key_by_score, reading.key_by_attention):
        np.testing.assert_array_equal(found, rule.key_of)
    np.testing.assert_array_equal(reading.output, rule.output_of)
    assert (reading.head == 0).all()
    blind = cell_tables.measure(models, by_hand(models, rule, 0.0), n_sequences=512)
    assert (blind.loss > measured.loss + 0.2).all()
    rows = cell_tables.rule_table(measured)
    assert rows["read"].all()
    np.testing.assert_allclose(rows.groupby("seed")["pivot_share"].sum(), 1.0, atol=1e-6)
    assert (rows["attention"] > 2 / (rows["n_keys"] + 1)).all()


def test_nothing_is_read_off_where_nothing_is_written_or_looked_for() -> None:
    models = orthogonal(5, range(2), 0.3)
    rule = sequences.planted_rule(models.seeds, 5)
    attention = by_hand(models, rule, 10.0)
    silent = replace(attention, W_O=np.zeros_like(attention.W_O))
    cells = cell_tables.measure(models, silent, n_sequences=64).cells["true"]
    assert (cell_tables.read_off(cells).key == -1).all()
    blind = replace(attention, W_Q=np.zeros_like(attention.W_Q))
    reading = cell_tables.read_off(cell_tables.measure(models, blind, n_sequences=64).cells["true"])
    assert (reading.key == -1).all()
    assert (reading.key_by_score == -1).all()


def test_features_that_never_occur_have_no_attention_and_no_contribution() -> None:
    probability = np.array([0.3, 0.3, 0.3, 1e-9])
    models = orthogonal(4, range(2), probability)
    attention = by_hand(models, sequences.planted_rule(models.seeds, 4), 10.0)
    cells = cell_tables.measure(models, attention, n_sequences=64).cells["true"]
    assert np.isnan(cells.mean_attention[..., 3]).all()
    assert np.isfinite(cells.mean_attention[..., :3, :3]).all()
    assert (cells.contribution[..., 3] == 0).all()
    assert (cells.n_pairs[:, 3] == 0).all()


def test_latents_are_matched_with_features_one_to_one() -> None:
    W = np.eye(3)[None]
    W_dec = np.array([[[0.0, 0.0, 2.0], [0.6, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    latent, cosine = pivot.matched(W, W_dec)
    assert latent.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(cosine, [[1.0, 0.8, 1.0]])


def test_the_true_dictionary_as_an_sae_gives_the_true_tables() -> None:
    models = orthogonal(5, range(2), 0.3)
    n = models.n_features
    template = rough_saes(models, n)
    order = np.array([3, 1, 4, 0, 2])
    parameters = {
        "W_enc": models.W[:, :, order],
        "W_dec": models.W.swapaxes(1, 2)[:, order],
        "b_enc": np.full((2, n), -1e-6, dtype=np.float32),  # or rounding would make latents fire
        "b_dec": np.zeros((2, n), dtype=np.float32),
    }
    saes = replace(template, parameters=parameters)
    attention = by_hand(models, sequences.planted_rule(models.seeds, n), 10.0)
    measured = cell_tables.measure(models, attention, saes, n_sequences=256)
    table = cell_tables.attention_model_table(measured).query("dictionary == 'sae'")
    for agreement in ("agreement", "attention_agreement", "output_agreement", "same_key"):
        np.testing.assert_allclose(table[agreement], 1.0, atol=1e-4)
    assert (table["error_share"] < 1e-8).all()
    assert (cell_tables.attention_model_table(measured)["max_deviation"] < 1e-5).all()


# --- training ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> tuple[ToyModels, dict[int, AttentionModels]]:
    """The configuration's `uniform`, four seeds of it."""
    schedule = schedules.explicit(np.ones(12), np.full(12, np.geomspace(0.2, 0.02, 12).mean()))
    models = train(schedule, 8, range(4), steps=2000, batch_size=512, learning_rate=0.003, threads=1)
    return models, {n_heads: train_attention(models, n_heads=n_heads) for n_heads in (1, 4)}


def test_four_heads_learn_the_rule_and_the_table_shows_it(
    trained: tuple[ToyModels, dict[int, AttentionModels]],
) -> None:
    models, layers = trained
    table = cell_tables.attention_model_table(cell_tables.measure(models, layers[4]))
    assert (table["n_read"] >= 11).all()
    assert (table["n_read"] == 12).sum() >= 3
    assert (table["loss"] < 0.6).all()
    assert (table["max_deviation"] < 1e-5).all()


def test_one_head_can_not_tell_antipodal_features_apart(
    trained: tuple[ToyModels, dict[int, AttentionModels]],
) -> None:
    models, layers = trained
    few, many = (cell_tables.rule_table(cell_tables.measure(models, layers[n])) for n in (1, 4))
    tied = (few["tied_key"] >= 0).to_numpy()
    assert tied.sum() >= 8
    assert few.loc[tied, "read"].mean() < 0.9
    assert many.loc[tied, "read"].mean() > 0.95
    partner = pivot.antipodes(models.W)
    ties = pivot.forced_ties(models.W, sequences.planted_rule(models.seeds, 12).key_of)
    right = few["read_by_score"].to_numpy().reshape(len(models), -1)
    for instance, query in np.argwhere((partner >= 0) & (ties >= 0)):
        other = partner[instance, query]
        if ties[instance, other] >= 0:
            assert not (right[instance, query] and right[instance, other])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_heads": 0}, "n_heads is 0: must be at least 1"),
        ({"n_keys": 1.5}, "n_keys is 1.5: must be an integer"),
        ({"learning_rate": -1}, "learning_rate is -1: must be a finite number above 0"),
        ({"steps": 3, "learning_rate": 1e30}, "no longer finite: lower learning_rate"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train_attention(dictionaries(4, 3, range(1)), **{"steps": 2, "batch_size": 8, **wrong})  # type: ignore[arg-type]


def test_centred_toy_models_are_refused() -> None:
    models = dictionaries(4, 3, range(1))
    centred = replace(models, settings=replace(models.settings, centred_inputs=True))
    with pytest.raises(TrainingError, match="centred_inputs is True"):
        train_attention(centred, steps=2)


# --- on disk -----------------------------------------------------------------------------------------------


def test_attention_comes_back_as_it_was_written(tmp_path: Path) -> None:
    attention = untrained(dictionaries(5, 3, range(2)), 2)
    path = tmp_path / "heads.safetensors"
    write_attention(attention, path, {"spec": 1}, "code")
    back = read_attention(path)
    assert back.settings == attention.settings
    np.testing.assert_array_equal(back.scores(np.ones((2, 3, 5, 3))), attention.scores(np.ones((2, 3, 5, 3))))
    write_tensors({"W": np.zeros(3)}, path, provenance_of({}, "code", settings={}))
    with pytest.raises(ArtefactError, match=r"heads\.safetensors: holds no attention"):
        read_attention(path)


def test_missing_weights_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("cells", "outputs", "rules", "models")
    outputs = [f"--output-{name}={tmp_path / name}.parquet" for name in names]
    assert main(["pivot-tables", '--heads={"mine": [1]}', f"--folder={tmp_path}", *outputs]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'mine' / 'toy_models.safetensors'}: no such file")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    """Of numpy's, of torch's and of the engines' threads; Snakemake sets them by --cores."""
    few: dict[str, object] = {"steps": 3, "batch_size": 16}
    setting = {"n_features": 6, "n_hidden": 4, "probability": [0.3] * 6, "seeds": [1, 2**63], "heads": [2]}
    trained = few | {"engine": "torch"}  # which has nothing to compile
    setting |= {"toy_model": trained, "sae": trained | {"n_latents": 6}, "training": few}
    spec = {"mine": setting}
    for n_threads in ("1", "2"):
        command = ["attention", "--spec", json.dumps(spec), "--threads", n_threads, "--folder", n_threads]
        done = subprocess.run(
            [sys.executable, "-m", "superposition_atlas", *command],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": n_threads, "OPENBLAS_NUM_THREADS": n_threads},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    names = [path.relative_to(tmp_path / "1") for path in sorted((tmp_path / "1").rglob("*.safetensors"))]
    assert len(names) == 3
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
