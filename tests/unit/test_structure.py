"""Features that depend on one another: probabilities are kept, joint ones are those of the intervals."""

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.errors import ArgumentError
from superposition_atlas.joined_models import joined
from superposition_atlas.metrics.features import feature_table, overlaps
from superposition_atlas.sae.architectures.pca import principal_directions
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.sampling.structure import ALL, SHARED, intervals_of, joint_probability, none_active
from superposition_atlas.schedules import Schedule, as_schedule
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.training.problem import Problem
from superposition_atlas.training.torch_engine import DeviceStream
from superposition_atlas.training.train_toy_models import random_dictionaries, train
from superposition_atlas.training.trained_before import train_new

from tests.unit.structure_samples import FIVE, ends, five, random_groups, random_schedule

QUICK = {"steps": 100, "batch_size": 250, "progress": False}


def words_of(number, seed, step, n_positions, purpose):
    """The words of one number by the definition of the stream."""
    counter = np.zeros((-(-n_positions // 4), 4), np.uint32)
    counter[:, 0] = np.arange(len(counter))
    counter[:, 1:] = number, step, purpose
    key = np.array([seed % 2**32, seed // 2**32], np.uint32)
    return stream.philox4x32(counter, key).reshape(-1)[:n_positions]


def by_definition(schedule, seed, step, n_positions, magnitudes="uniform"):
    """x of independent features and others, feature by feature, in Python's integers."""
    x = np.zeros((n_positions, schedule.n_features), np.float32)
    for i, (number, start) in enumerate(schedule.structure.tolist()):
        count = max(round(schedule.probability[i] * ALL), 1)
        own = words_of(i, seed, step, n_positions, Purpose.INPUTS)
        deciding = words_of(number, seed, step, n_positions, Purpose.INPUTS).tolist()
        is_active = np.array([start <= word < start + count for word in deciding])
        scale = np.float32(1 / ALL if number >= SHARED else 1 / count)
        u = own.astype(np.float32) * scale + np.float32(0 if magnitudes == "uniform" else scale / 2)
        x[is_active, i] = MAGNITUDES[magnitudes].quantile(u[is_active], np)
    return x


# --- the law ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_samples_are_the_definition(seed):
    schedule = random_schedule(seed)
    if schedule.structure is None:
        schedule = five()
    magnitudes = "exponential" if seed % 4 == 0 else "uniform"
    drawn = sample(seed, 7, 101, schedule.probability, Purpose.INPUTS, magnitudes, schedule.structure)[0]
    expected = by_definition(schedule, seed, 7, 101, magnitudes)
    np.testing.assert_allclose(drawn, expected, rtol=0 if magnitudes == "uniform" else 2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_probabilities_and_joint_ones_are_those_of_the_intervals(seed):
    schedule, n = random_schedule(100 + seed), 2**17
    active = sample(seed, 0, n, schedule.probability, structure=schedule.structure)[0] > 0
    found = active.T.astype(float) @ active / n
    expected = joint_probability(schedule.probability, schedule.structure)
    error = np.sqrt(expected * (1 - expected) / n) + 2.0**-31
    assert np.all(np.abs(found - expected) <= 4 * error)


def test_magnitudes_are_uniform_and_independent_of_what_else_is_active():
    p = np.array([0.5, 0.4, 0.3])
    x = sample(3, 0, 2**17, p, structure=[{"form": "together", "features": [0, 1, 2]}])[0]
    all_active = x[x[:, 2] > 0]
    assert np.all(all_active > 0)
    error = 4 / np.sqrt(12 * len(all_active))
    np.testing.assert_allclose(all_active.mean(axis=0), 0.5, atol=error)
    np.testing.assert_allclose(np.corrcoef(all_active.T), np.eye(3), atol=4 / np.sqrt(len(all_active)))
    only_first = x[(x[:, 0] > 0) & (x[:, 1] == 0), 0]
    np.testing.assert_allclose(only_first.mean(), 0.5, atol=4 / np.sqrt(12 * len(only_first)))


@given(seed=st.integers(0, 10**6))
def test_joint_probabilities_are_overlaps(seed):
    random = np.random.default_rng(seed)
    p = np.exp(random.uniform(np.log(1e-3), 0.0, int(random.integers(2, 9))))
    groups = random_groups(random, p)
    if intervals_of(groups, p) is None:
        return
    interval, joint = ends(groups, p), joint_probability(p, intervals_of(groups, p))
    group_of = {feature: number for number, group in enumerate(groups) for feature in group["features"]}
    for i in range(len(p)):
        for j in range(len(p)):
            (a, b), (c, d) = interval[i], interval[j]
            expected = p[i] * p[j] if group_of[i] != group_of[j] else max(min(b, d) - max(a, c), 0.0)
            assert joint[i, j] == pytest.approx(p[i] if i == j else expected, abs=2.0**-32)
    np.testing.assert_allclose(np.diag(joint), p, atol=2.0**-32)


@given(seed=st.integers(0, 10**6))
def test_forms_keep_what_they_promise(seed):
    random = np.random.default_rng(seed)
    p = np.sort(random.dirichlet(np.ones(5)))[::-1] * random.uniform(0.3, 1.0)
    together, exclusive = (
        joint_probability(p, intervals_of([{"form": form, "features": list(range(5))}], p))
        for form in ("together", "exclusive")
    )
    np.testing.assert_allclose(together, np.minimum.outer(p, p), atol=2.0**-31)
    np.testing.assert_allclose(exclusive, np.diag(p), atol=2.0**-29)
    children = p[1:] * 0.9 * p[0] / p[1:].sum()
    p = np.array([p[0], *children, children[0] / 2])
    tree = {"form": "tree", "features": [5, 0, 1, 2, 3, 4], "parents": [1, -1, 0, 0, 0, 0]}
    joint = joint_probability(p, intervals_of([tree], p))
    np.testing.assert_allclose(joint[0], p, atol=2.0**-31)  # each only with the root
    np.testing.assert_allclose(joint[1, 5], p[5], atol=2.0**-31)  # a grandchild with its parent
    np.testing.assert_allclose(joint[np.ix_([2, 3, 4], [1, 5])], 0.0, atol=2.0**-30)


@given(n=st.integers(2, 60))
def test_exclusive_features_may_fill_all_there_is(n):
    p = np.full(n, 1.0 / n)
    structure = intervals_of([{"form": "exclusive", "features": list(range(n))}], p)
    assert none_active(p[None], structure[None])[0] < n * 2.0**-32
    assert joint_probability(p, structure)[~np.eye(n, dtype=bool)].max() <= n * 2.0**-32


@pytest.mark.parametrize("seed", range(6))
def test_the_probability_of_nothing_is_that_of_the_samples(seed):
    schedule, n = random_schedule(300 + seed), 2**15
    structure = schedule.structure if schedule.structure is not None else five().structure
    p = schedule.probability if schedule.structure is not None else five().probability
    empty = (sample(seed, 0, n, p, structure=structure)[0] == 0).all(axis=1).mean()
    expected = none_active(p[None], structure[None])[0]
    assert abs(empty - expected) <= 4 * np.sqrt(expected * (1 - expected) / n) + 1e-9


# --- independent features stay what they are ----------------------------------------------------------------


@pytest.mark.parametrize("groups", [None, [], [{"form": "together", "features": [2]}]])
def test_without_groups_nothing_changes(groups):
    p = np.array([0.6, 0.5, 0.3])
    assert intervals_of(groups, p) is None
    np.testing.assert_array_equal(sample(1, 0, 50, p, structure=groups), sample(1, 0, 50, p))
    assert Schedule(np.ones(3), p).with_structure(groups) == Schedule(np.ones(3), p)


def test_features_in_no_group_keep_their_samples():
    schedule = five()
    with_groups = sample(1, 0, 500, schedule.probability, structure=schedule.structure)
    np.testing.assert_array_equal(with_groups[..., 2], sample(1, 0, 500, schedule.probability)[..., 2])


def test_bits_of_independent_features_do_not_depend_on_their_neighbours():
    plain = Schedule(five().importance, five().probability)
    both = joined([train(schedule, 2, [3], engine="fused", **QUICK) for schedule in (plain, five())])
    together = train(both, 2, [3, 3], engine="fused", **QUICK)
    np.testing.assert_array_equal(together.W[1], both.W[1])
    np.testing.assert_allclose(together.W[0], both.W[0], atol=1e-6)


# --- engines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("magnitudes", ["uniform", "lognormal"])
def test_a_device_draws_the_same_samples(magnitudes):
    schedule = five(3)
    settings = sa.TrainingSettings(magnitudes=magnitudes)
    problem = Problem(
        np.array([4, 2**63, 9], np.uint64),
        np.ones((3, 5)),
        schedule.probability,
        2,
        settings,
        schedule.structure,
    )
    drawn = DeviceStream(problem, torch.device("cpu")).sample(11, 77, Purpose.INPUTS).numpy()
    expected = sample(
        problem.seeds, 11, 77, schedule.probability, Purpose.INPUTS, magnitudes, schedule.structure
    )
    np.testing.assert_allclose(drawn, expected, rtol=2e-5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"magnitudes": "exponential", "centred_inputs": True}],
)
def test_fused_training_is_the_reference(settings):
    fused, reference = (
        train(five(2), 2, [5, 6], engine=engine, record_steps=[100], **QUICK, **settings)
        for engine in ("fused", "torch")
    )
    np.testing.assert_allclose(fused.W, reference.W, atol=2e-5)
    np.testing.assert_allclose(fused.b, reference.b, atol=2e-5)
    np.testing.assert_allclose(fused.history.feature_loss, reference.history.feature_loss, rtol=1e-4)
    assert (
        np.abs(fused.W - train(Schedule(five().importance, five(2).probability), 2, [5, 6], **QUICK).W).max()
        > 1e-3
    )


def test_wide_rare_features_are_trained_as_by_the_reference():
    n = 24
    pairs = [{"form": "together", "features": [i, i + 1]} for i in range(0, n - 3, 2)]
    schedule = Schedule(np.ones(n), np.linspace(0.01, 0.06, n), pairs)
    fused, reference = (train(schedule, 9, [1], engine=engine, **QUICK) for engine in ("fused", "torch"))
    np.testing.assert_allclose(fused.W, reference.W, atol=2e-5)


def test_fused_saes_are_the_reference():
    on = random_dictionaries(five(2), 2, 2)
    settings = {"n_latents": 5, "steps": 40, "batch_size": 270}
    fused, reference = (sa.train_saes(on, engine=engine, **settings) for engine in ("fused", "torch"))
    assert fused.engine == "fused"
    np.testing.assert_allclose(fused.W_enc, reference.W_enc, atol=2e-5)
    independent = sa.train_saes(random_dictionaries(five(2).with_structure(None), 2, 2), **settings)
    assert np.abs(fused.W_enc - independent.W_enc).max() > 1e-4


# --- what is made of them -----------------------------------------------------------------------------------


def test_pca_knows_the_covariance():
    on = random_dictionaries(five(), 3, 1)
    h = on.encode(on.sample(0, 2**16))[0].astype(float)
    values, directions = np.linalg.eigh(np.cov(h.T))
    found = sa.train_saes(on, architecture="pca", n_latents=6).W_dec[0, ::2]
    assert np.min(np.diff(values)) > 0.01  # else directions are a matter of chance
    np.testing.assert_allclose(np.abs(np.diag(found @ directions[:, ::-1])), 1.0, atol=1e-3)
    without = principal_directions(on.W[0].astype(float), np.ones(5))
    assert np.abs(np.abs(without) - np.abs(found)).max() > 0.01


def test_net_interference_counts_what_is_active_at_the_same_time():
    groups = [{"form": "exclusive", "features": [0, 1]}, {"form": "together", "features": [2, 3]}]
    schedule = Schedule(np.ones(4), np.array([0.3, 0.3, 0.2, 0.1]), groups)
    on = random_dictionaries(schedule, 2, 1)
    squares = overlaps(on.W.astype(float))[0]
    found = feature_table(on)["net_interference"].to_numpy()
    assert found[0] == pytest.approx(0.2 * squares[0, 2] + 0.1 * squares[0, 3])
    assert found[2] == pytest.approx(
        0.3 * squares[2, 0] + 0.3 * squares[2, 1] + 0.5 * squares[2, 3], abs=1e-8
    )
    assert found[3] == pytest.approx(0.3 * squares[3, 0] + 0.3 * squares[3, 1] + squares[3, 2], abs=1e-8)


def test_toy_models_keep_their_structure(tmp_path):
    models = train(five(), 2, 3, steps=0, progress=False)
    write_models(models, tmp_path / "models.safetensors", {}, "")
    again = read_models(tmp_path / "models.safetensors")
    np.testing.assert_array_equal(again.structure, models.structure)
    np.testing.assert_array_equal(again.sample(2, 30), models.sample(2, 30))
    assert again.select([1]).structure.shape == (1, 5, 2)
    assert as_schedule(again) == five()
    alone = train(Schedule(five().importance, five().probability), 2, 1, steps=0, progress=False)
    both = joined([alone, again])
    np.testing.assert_array_equal(both.sample(0, 9)[:1], alone.sample(0, 9))
    write_models(alone, tmp_path / "alone.safetensors", {}, "")
    assert read_models(tmp_path / "alone.safetensors").structure is None


def test_what_was_trained_before_is_told_apart_by_its_structure(tmp_path):
    schedule, settings = five(2), sa.TrainingSettings(steps=3, batch_size=8)
    rows = np.broadcast_to(schedule.importance, (2, 5)), schedule.probability
    seeds = np.array([1, 2], np.uint64)

    def models(structure):
        return train_new(*rows, 2, seeds, settings, structure, folder=tmp_path, engine="torch").W

    first, plain = models(schedule.structure), models(None)
    assert np.abs(first - plain).max() > 0
    np.testing.assert_array_equal(models(schedule.structure), first)
    np.testing.assert_array_equal(models(None), plain)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        ([{"form": "sometimes", "features": [0]}], ["structure[0].form", "'sometimes'", "exclusive"]),
        ([{"form": "together"}], ["structure[0].features is missing"]),
        ([{"form": "together", "features": [0, 5]}], ["structure[0].features", "5", "at most 4"]),
        ([{"form": "together", "features": [0, 0]}], ["structure[0].features", "distinct"]),
        ([{"form": "together", "features": [0], "starts": [0]}], ["structure[0].starts", "left out"]),
        (
            [{"form": "together", "features": [0, 1]}, {"form": "exclusive", "features": [1, 2]}],
            ["structure[1].features", "[1, 2]", "structure[0] has feature 1"],
        ),
        (
            [{"form": "exclusive", "features": [0, 1]}],
            ["structure[0]", "features 0, 1", "at most 1", "sum to 1.1"],
        ),
        (
            [{"form": "tree", "features": [3, 1, 2], "parents": [-1, 3, 3]}],
            ["structure[0]", "features 1, 2", "at most 0.2", "parent 3", "sum to 0.8"],
        ),
        (
            [{"form": "tree", "features": [3, 4], "parents": [4, 3]}],
            ["structure[0].parents", "[4, 3]", "its own ancestor"],
        ),
        ([{"form": "tree", "features": [3, 4], "parents": [-1, 2]}], ["parent of structure[0]", "2"]),
        ([{"form": "tree", "features": [3, 4], "parents": [-1]}], ["structure[0].parents", "2 features"]),
        (
            [{"form": "intervals", "features": [0, 1], "starts": [0.5, 0.0]}],
            ["structure[0].starts", "0.5", "at most 1 - p = 0.4 for feature 0"],
        ),
        ([{"form": "intervals", "features": [0, 1], "starts": [0.5]}], ["structure[0].starts", "2 numbers"]),
        ([7], ["structure[0]", "7", "a mapping"]),
        (7, ["structure", "7"]),
        (np.zeros((4, 2), np.uint32), ["structure", "as many features"]),
    ],
)
def test_impossible_structures_are_refused_in_one_line(groups, named):
    with pytest.raises(ArgumentError) as refusal:
        five().with_structure(groups)
    message = str(refusal.value)
    assert "\n" not in message
    for part in named:
        assert part in message


def test_what_is_about_independent_features_says_so():
    with pytest.raises(ArgumentError, match="independent"):
        sa.predict(five(), n_hidden=2)


def test_a_structure_is_shown():
    assert "2 groups of dependent features" in repr(five())
    assert five() != Schedule(five().importance, five().probability)
    assert len(FIVE) == 2
