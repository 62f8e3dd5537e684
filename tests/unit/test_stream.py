"""The stream: the published generator, the law of a sample, and that only its place decides it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.stream import Purpose

# Random123 1.14, tests/kat_vectors: counter, key, output.
ZEROS, ONES = "00000000", "ffffffff"
PI = ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0")
KNOWN_ANSWERS = [
    (7, " ".join([ZEROS] * 4), " ".join([ZEROS] * 2), "5f6fb709 0d893f64 4f121f81 4f730a48"),
    (7, " ".join([ONES] * 4), " ".join([ONES] * 2), "5207ddc2 45165e59 4d8ee751 8c52f662"),
    (7, *PI, "4dfccaba 190a87f0 c47362ba b6b5242a"),
    (10, " ".join([ZEROS] * 4), " ".join([ZEROS] * 2), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (10, " ".join([ONES] * 4), " ".join([ONES] * 2), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (10, *PI, "d16cfe09 94fdcceb 5001e420 24126ea1"),
]

seeds = st.integers(0, 2**64 - 1)
probabilities = st.floats(0.001, 1.0)


def hexadecimal(text):
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32)


def sample_by_definition(seeds, step, batch_size, probability, purpose=Purpose.INPUTS):
    threshold = stream.thresholds(np.atleast_2d(probability))[:, None, :]
    words = stream.words(seeds, step, batch_size, threshold.shape[-1], purpose)
    return np.where(words <= threshold, words.astype(np.float32) * stream.scales(threshold), np.float32(0))


@pytest.mark.parametrize(("rounds", "counter", "key", "output"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(rounds, counter, key, output):
    words = stream.philox4x32(hexadecimal(counter), hexadecimal(key), rounds=rounds)
    np.testing.assert_array_equal(words, hexadecimal(output))


@given(seed=seeds, step=st.integers(0, 2**32 - 1), position=st.integers(0, 30), feature=st.integers(0, 6))
def test_a_word_is_philox_of_where_it_stands(seed, step, position, feature):
    counter = np.array([position // 4, feature, step, Purpose.SAE_INPUTS], dtype=np.uint32)
    key = np.array([seed % 2**32, seed // 2**32], dtype=np.uint32)
    word = stream.words([seed], step, 31, 7, Purpose.SAE_INPUTS)[0, position, feature]
    assert word == stream.philox4x32(counter, key)[position % 4]


@given(
    seed_list=st.lists(seeds, min_size=1, max_size=3),
    step=st.integers(0, 2**32 - 1),
    batch_size=st.integers(1, 700),
    probability=st.lists(probabilities, min_size=1, max_size=6),
    purpose=st.sampled_from(Purpose),
)
def test_compiled_samples_equal_their_definition(seed_list, step, batch_size, probability, purpose):
    arguments = (seed_list, step, batch_size, np.array(probability), purpose)
    drawn = sample(*arguments)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn, sample_by_definition(*arguments))


def test_every_instance_may_have_its_own_probability():
    probability = np.array([[0.1, 1.0], [0.5, 0.01]])
    both = sample([3, 4], 0, 1000, probability)
    for row, seed in enumerate([3, 4]):
        np.testing.assert_array_equal(both[row], sample([seed], 0, 1000, probability[row])[0])


def test_a_single_seed_is_one_instance():
    import superposition_atlas as sa

    np.testing.assert_array_equal(
        sa.sample(7, 3, 16, np.array([0.2, 0.8])), sample([7], 3, 16, np.array([0.2, 0.8]))
    )


@given(seed=seeds, step=st.integers(0, 10**6))
def test_a_sample_depends_neither_on_batch_size_nor_on_other_features_or_instances(seed, step):
    probability = np.array([0.5, 0.2, 0.9, 0.4])
    large = sample([17, seed], step, 64, probability)[1]
    small = sample([seed], step, 9, probability[:2])[0]
    np.testing.assert_array_equal(large[:9, :2], small)


@pytest.mark.parametrize("p", [0.002, 0.05, 0.5, 0.9])
def test_the_law_of_a_sample(p):
    x = sample(range(4), 5, 100_000, np.full(3, p)).ravel().astype(float)
    active = x[x > 0]
    deviation = np.sqrt(p * (1 - p) / x.size)
    assert abs(active.size / x.size - p) < 5 * deviation
    assert stats.kstest(active, "uniform").pvalue > 1e-4
    assert x.max() <= 1.0


def test_probability_1_leaves_nothing_out():
    assert stream.thresholds(np.array([1.0]))[0] == 2**32 - 1
    assert (sample([0], 0, 200_000, np.ones(2)) > 0).all()


def test_features_positions_steps_seeds_and_purposes_are_unrelated():
    words = [
        stream.uniform([1], 0, 50_000, 2, Purpose.INPUTS)[0, :, 0],
        stream.uniform([1], 0, 50_000, 2, Purpose.INPUTS)[0, :, 1],
        np.roll(stream.uniform([1], 0, 50_000, 2, Purpose.INPUTS)[0, :, 0], 1),
        stream.uniform([1], 1, 50_000, 2, Purpose.INPUTS)[0, :, 0],
        stream.uniform([2], 0, 50_000, 2, Purpose.INPUTS)[0, :, 0],
        stream.uniform([1 + 2**32], 0, 50_000, 2, Purpose.INPUTS)[0, :, 0],
        stream.uniform([1], 0, 50_000, 2, Purpose.SAE_INPUTS)[0, :, 0],
    ]
    correlation = np.corrcoef(words) - np.eye(len(words))
    assert np.abs(correlation).max() < 5 / np.sqrt(50_000)


def test_a_probability_out_of_range_is_an_error():
    for p in (0.0, -0.1, 1.0001, np.nan):
        with pytest.raises(ValueError, match="probability"):
            sample([0], 0, 4, np.array([0.5, p]))


def test_uniform_and_normal_numbers():
    uniform = stream.uniform([0], 0, 50_000, 3, Purpose.EVALUATION)
    assert uniform.min() > 0
    assert uniform.max() < 1
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 1e-4
    normal = stream.standard_normal([0], 0, 50_000, 3, Purpose.INITIAL_WEIGHTS)
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-4


@given(
    seed_list=st.lists(seeds, min_size=1, max_size=3),
    step=st.integers(0, 2**32 - 1),
    n_positions=st.integers(1, 40),
    n_features=st.integers(1, 5),
)
def test_the_words_that_torch_computes_on_a_device_are_the_streams(seed_list, step, n_positions, n_features):
    from superposition_atlas.training.torch_engine import words

    key = torch.tensor([[seed % 2**32, seed // 2**32] for seed in seed_list])
    numbers = torch.arange(n_features)[None]
    on_device = words(key, step, n_positions, numbers, Purpose.INPUTS)
    expected = stream.words(seed_list, step, n_positions, n_features, Purpose.INPUTS)
    np.testing.assert_array_equal(on_device.numpy(), expected.astype(np.int64))
