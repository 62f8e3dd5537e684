"""The exact loss: beside samples, beside exact fractions, and by what holds of any expected loss."""

from collections.abc import Callable

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.errors import AtlasError, TheoryError
from superposition_atlas.theory.exact_loss import LARGEST_N_FEATURES, fill_losses, memory_for, objective_of
from superposition_atlas.theory.moments import states
from superposition_atlas.theory.supports import frequent_states

from .theory_reference import Toy, plain_gradient, plain_loss, sampled_loss

PROBABILITIES = (1.0, 0.7, 0.3, 0.1, 0.01, 1e-4)
SIZES = ((1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (5, 3))


def draw(rng: np.random.Generator, n_features: int, n_hidden: int) -> Toy:
    """Anything: a fifth of the columns 0 or of norm 1e-6, biases of either sign, every density."""
    W = rng.normal(size=(n_hidden, n_features)) * rng.choice([0.3, 0.8, 1.5])
    kind = rng.choice(3, size=n_features, p=[0.8, 0.1, 0.1])
    norms = np.linalg.norm(W, axis=0)
    W *= np.choose(kind, [np.ones(n_features), np.zeros(n_features), 1e-6 / norms])
    b = rng.normal(size=n_features) * rng.choice([0.02, 0.3, 1.0])
    b[rng.random(n_features) < 0.1] = 0.0
    return Toy(W, b, rng.uniform(0.1, 1.0, n_features), rng.choice(PROBABILITIES, n_features))


def draw_of_any_size(rng: np.random.Generator) -> Toy:
    n_features = int(rng.integers(1, 9))
    return draw(rng, n_features, int(rng.integers(1, n_features + 1)))


TOYS = st.builds(
    lambda seed, size: draw(np.random.default_rng(seed), *size),
    st.integers(0, 2**32 - 1),
    st.sampled_from(SIZES),
)


def magnitude(toy: Toy) -> np.ndarray:
    """What rounding is a share of: I_i (p_i + an upper bound of E x'_i²)."""
    G = toy.W.T @ toy.W
    return toy.importance * (toy.probability + (np.abs(toy.b) + np.abs(G).sum(axis=0)) ** 2)


# --- samples -----------------------------------------------------------------------------------------------


def check_against_samples(n_draws: int, n_samples: int, seed: int) -> None:
    """Exact and sampled losses differ by chance alone.

    One value in 16,000 is 4 standard errors off by chance: of the sums of 500 draws one is in 3 % of all
    seeds, and of their 2,250 features one in 14 %. So single values may be off in the number that chance
    exceeds once in 1,000 seeds. The normal scores of the sums, independent from draw to draw, are tested
    together besides: their mean, which sees a bias of a fifth of a standard error in 500 draws, and their
    squares. Values without any spread must agree to rounding.
    """
    rng = np.random.default_rng(seed)
    scores, of_sums = [], []
    for _ in range(n_draws):
        toy = draw_of_any_size(rng)
        exact = sa.exact_loss(*toy.arguments)
        sampled = sampled_loss(toy, n_samples, rng)
        difference = np.append(exact, exact.sum()) - sampled.loss
        rounding = 1e-12 * np.append(magnitude(toy), magnitude(toy).sum())
        spread = sampled.standard_error > rounding
        assert np.all(np.abs(difference[~spread]) <= 10 * rounding[~spread])
        score = difference / np.where(spread, sampled.standard_error, np.inf)
        scores += score[:-1][spread[:-1]].tolist()
        of_sums += score[-1:][spread[-1:]].tolist()
    assert len(of_sums) > 0.9 * n_draws
    assert np.sum(np.abs(of_sums) > 4) <= (1 if n_draws > 25 else 0)
    assert np.sum(np.abs(scores) > 4) <= (2 if n_draws > 25 else 1)
    assert abs(np.mean(of_sums)) * len(of_sums) ** 0.5 < 3.3
    assert abs(np.mean(np.square(of_sums)) - 1) * (len(of_sums) / 2) ** 0.5 < 4


def test_samples_agree() -> None:
    check_against_samples(25, 100_000, seed=1)


@pytest.mark.slow
def test_a_million_samples_agree_for_each_of_500_draws() -> None:
    check_against_samples(500, 1_000_000, seed=2)


def test_autograd_over_samples_agrees_with_the_gradient() -> None:
    rng = np.random.default_rng(4)
    toy = draw(rng, 5, 2)
    toy.probability[:] = [1.0, 0.6, 0.3, 0.2, 0.1]
    schedule = [torch.tensor(values) for values in (toy.importance, toy.probability)]
    slopes = []
    for _ in range(100):
        W, b = (torch.tensor(values, requires_grad=True) for values in (toy.W, toy.b))
        x = torch.tensor(rng.random((5_000, 5)) * (rng.random((5_000, 5)) < toy.probability))
        (schedule[0] * (x - torch.relu(x @ W.T @ W + b)) ** 2).sum(dim=1).mean().backward()
        slopes.append(torch.cat([W.grad.ravel(), b.grad]).numpy())
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    np.testing.assert_array_equal(loss, sa.exact_loss(*toy.arguments))
    standard_error = np.std(slopes, axis=0, ddof=1) / 10
    difference = np.concatenate([dW.ravel(), db]) - np.mean(slopes, axis=0)
    assert np.count_nonzero(standard_error) >= 10
    assert np.all(np.abs(difference) <= 4 * standard_error)


# --- exact fractions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [1, 2, 3, 4])
def test_fractions_agree(n_features: int) -> None:
    rng = np.random.default_rng(n_features)
    for _ in range({1: 40, 2: 40, 3: 25, 4: 8}[n_features]):
        toy = draw(rng, n_features, int(rng.integers(1, n_features + 1)))
        # Numbers of few digits, so that fractions stay short; columns of 1e-6 keep theirs.
        W = np.where(np.abs(toy.W) < 1e-3, toy.W, np.round(toy.W * 64) / 64)
        toy = Toy(W, np.round(toy.b * 64) / 64, np.round(toy.importance * 16) / 16, toy.probability)
        exact = np.array(plain_loss(toy), dtype=float)
        np.testing.assert_allclose(sa.exact_loss(*toy.arguments), exact, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("coupling", [1e-3, 1e-6, 1e-9, 1e-12])
def test_small_couplings_cost_no_digit(coupling: float) -> None:
    # Columns nearly at right angles, and one that is nearly 0: the closed form divides by all of them.
    W = np.array([[1.0, coupling, 0.75, 0.0], [0.0, 0.875, -coupling, coupling]])
    toy = Toy(W, np.array([-0.125, 0.0, 0.0625, 0.25]), np.ones(4), np.array([0.5, 0.25, 1.0, 0.125]))
    exact = np.array(plain_loss(toy), dtype=float)
    np.testing.assert_allclose(sa.exact_loss(*toy.arguments), exact, rtol=1e-13)
    if coupling <= 1e-6:
        plainly = np.array(plain_loss(toy, float))
        assert np.max(np.abs(plainly - exact) / exact) > 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_gradient_in_fractions_agrees(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    n_features, n_hidden = [(2, 1), (3, 1), (3, 2)][seed % 3]
    toy = draw(rng, n_features, n_hidden)
    toy.probability[:] = rng.choice([1.0, 0.5, 0.125], n_features)
    toy.W[:, 0] = [0.0, 1e-6, 1.0][seed % 3] * toy.W[:, 0]
    toy.b[:] = np.round(toy.b * 64) / 64 + 1 / 128  # at b = 0 a column of 0 has no slope in b
    dW, db = plain_gradient(toy)
    _, ours_W, ours_b = sa.exact_gradient(*toy.arguments)
    np.testing.assert_allclose(ours_W, dW, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours_b, db, rtol=1e-10, atol=1e-14)


@settings(max_examples=40)
@given(TOYS, st.integers(0, 2**32 - 1))
def test_gradient_by_differences(toy: Toy, seed: int) -> None:
    """Along a random direction; where that crosses no kink, as at b = 0 and a column of 0, to 1e-6."""
    rng = np.random.default_rng(seed)
    b = np.where(np.abs(toy.b) < 1e-2, 0.05, toy.b)
    towards_W, towards_b = rng.normal(size=toy.W.shape), rng.normal(size=b.shape)
    h = 1e-5
    ends = [
        sa.exact_loss(toy.W + s * towards_W, b + s * towards_b, toy.importance, toy.probability).sum()
        for s in (h, -h)
    ]
    _, dW, db = sa.exact_gradient(toy.W, b, toy.importance, toy.probability)
    slope = (dW * towards_W).sum() + (db * towards_b).sum()
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-7 * magnitude(toy).sum())


def test_gradient_where_nothing_is_represented() -> None:
    importance, probability = np.array([1.0, 0.5, 0.25]), np.array([0.5, 1.0, 0.1])
    b = np.array([0.3, -0.2, 0.05])
    loss, dW, db = sa.exact_gradient(np.zeros((2, 3)), b, importance, probability)
    positive = np.maximum(b, 0.0)
    np.testing.assert_allclose(loss, importance * (probability / 3 - positive * probability + positive**2))
    np.testing.assert_array_equal(dW, 0.0)
    np.testing.assert_allclose(db, importance * np.where(b > 0, 2 * b - probability, 0.0), atol=1e-16)


def test_a_dead_output_has_no_slope_and_costs_the_mean_square() -> None:
    rng = np.random.default_rng(8)
    toy = draw(rng, 4, 2)
    toy.b[:] = -np.abs(toy.W.T @ toy.W).sum(axis=0) - 0.01
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    np.testing.assert_allclose(loss, toy.importance * toy.probability / 3, rtol=1e-15)
    np.testing.assert_array_equal(dW, 0.0)
    np.testing.assert_array_equal(db, 0.0)


# --- closed forms for any size -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [1, 3, 6, LARGEST_N_FEATURES])
def test_outputs_that_are_always_positive_are_linear(n_features: int) -> None:
    rng = np.random.default_rng(n_features)
    toy = draw(rng, n_features, 2)
    G = toy.W.T @ toy.W
    toy.b[:] = np.maximum(-G, 0.0).sum(axis=0) + rng.uniform(0.0, 0.5, n_features)
    mean, variance = toy.probability / 2, toy.probability / 3 - toy.probability**2 / 4
    M = np.eye(n_features) - G
    centre = M @ mean - toy.b
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    np.testing.assert_allclose(loss, toy.importance * (centre**2 + M**2 @ variance), rtol=1e-11, atol=1e-13)
    dG = -2 * toy.importance[:, None] * (centre[:, None] * mean + M * variance)
    scale = np.abs(dG).max()
    np.testing.assert_allclose(dW, toy.W @ (dG + dG.T), rtol=1e-11, atol=1e-12 * scale)
    np.testing.assert_allclose(db, -2 * toy.importance * centre, rtol=1e-11, atol=1e-12 * scale)


def test_orthogonal_parts_are_toy_models_of_their_own() -> None:
    rng = np.random.default_rng(12)
    parts = [draw(rng, 5, 2), draw(rng, 4, 2), draw(rng, 1, 1)]
    W = np.zeros((5, 10))
    W[:2, :5], W[2:4, 5:9], W[4:, 9:] = (part.W for part in parts)
    b, importance, probability = (np.concatenate([part.arguments[k] for part in parts]) for k in (1, 2, 3))
    # Turned, so that couplings between parts are of rounding's size and not 0.
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    loss, dW, db = sa.exact_gradient(turn @ W, b, importance, probability)
    each = [sa.exact_gradient(*part.arguments) for part in parts]
    np.testing.assert_allclose(loss, np.concatenate([of[0] for of in each]), rtol=1e-11)
    back = turn.T @ dW
    places = [(slice(2), slice(5)), (slice(2, 4), slice(5, 9)), (slice(4, 5), slice(9, 10))]
    for (rows, columns), of in zip(places, each, strict=True):
        np.testing.assert_allclose(back[rows, columns], of[1], atol=1e-13)
        np.testing.assert_allclose(db[columns], of[2], atol=1e-13)


# --- what holds of any -------------------------------------------------------------------------------------


@given(TOYS, st.integers(0, 2**32 - 1))
def test_rotation_of_the_hidden_space_changes_nothing(toy: Toy, seed: int) -> None:
    n_hidden = len(toy.W)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(n_hidden, n_hidden)))[0]
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    turned = sa.exact_gradient(turn @ toy.W, *toy.arguments[1:])
    scale = magnitude(toy).sum()
    np.testing.assert_allclose(turned[0], loss, rtol=1e-11, atol=1e-14 * scale)
    if not np.any((toy.b == 0.0) & (np.linalg.norm(toy.W, axis=0) == 0.0)):
        np.testing.assert_allclose(turn.T @ turned[1], dW, rtol=1e-9, atol=1e-13 * scale)
        np.testing.assert_allclose(turned[2], db, rtol=1e-9, atol=1e-13 * scale)


@given(TOYS, st.randoms(use_true_random=False))
def test_features_have_no_order(toy: Toy, random) -> None:
    order = list(range(len(toy.b)))
    random.shuffle(order)
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    moved = sa.exact_gradient(toy.W[:, order], toy.b[order], toy.importance[order], toy.probability[order])
    scale = magnitude(toy).sum()
    np.testing.assert_allclose(moved[0], loss[order], rtol=1e-11, atol=1e-14 * scale)
    np.testing.assert_allclose(moved[1], dW[:, order], rtol=1e-9, atol=1e-13 * scale)
    np.testing.assert_allclose(moved[2], db[order], rtol=1e-9, atol=1e-13 * scale)


@given(TOYS, st.floats(1e-3, 1e3))
def test_importance_is_a_factor(toy: Toy, factor: float) -> None:
    weights = np.arange(len(toy.b)) * factor  # the first is 0
    plain = sa.exact_loss(toy.W, toy.b, np.ones(len(toy.b)), toy.probability)
    np.testing.assert_allclose(sa.exact_loss(toy.W, toy.b, weights, toy.probability), weights * plain)
    whole = sa.exact_gradient(*toy.arguments)
    scaled = sa.exact_gradient(toy.W, toy.b, factor * toy.importance, toy.probability)
    for ours, expected in zip(scaled, whole, strict=True):
        np.testing.assert_allclose(ours, factor * expected, rtol=1e-9, atol=1e-14 * factor)


@given(TOYS)
def test_a_feature_that_is_never_active_is_not_there_for_the_others(toy: Toy) -> None:
    last = len(toy.b) - 1
    toy.probability[last] = 0.0
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    own = np.append(np.zeros(last), toy.importance[last])  # what its own output costs is left
    alone = sa.exact_gradient(toy.W, toy.b, own, toy.probability)
    assert alone[0][last] == loss[last]
    if last:
        rest = sa.exact_gradient(toy.W[:, :last], toy.b[:last], toy.importance[:last], toy.probability[:last])
        np.testing.assert_allclose(loss[:last], rest[0], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(dW[:, :last] - alone[1][:, :last], rest[1], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(db[:last], rest[2], rtol=1e-9, atol=1e-13)


@given(TOYS, st.data())
def test_losses_are_affine_in_each_probability(toy: Toy, data) -> None:
    """Hence continuous, down to p = 0 and up to p = 1."""
    j = data.draw(st.integers(0, len(toy.b) - 1))
    p = data.draw(st.one_of(st.floats(0.0, 1.0), st.sampled_from([1e-12, 1e-300])))
    losses = []
    for value in (0.0, 1.0, p):
        toy.probability[j] = value
        losses.append(sa.exact_loss(*toy.arguments))
    expected = (1 - p) * losses[0] + p * losses[1]
    np.testing.assert_allclose(losses[2], expected, rtol=1e-11, atol=1e-14 * magnitude(toy).sum())


@given(TOYS, st.floats(0.01, 100.0))
def test_losses_are_never_negative_and_continuous_in_W_and_b(toy: Toy, size: float) -> None:
    loss = sa.exact_loss(*toy.arguments)
    assert np.all(loss >= 0.0)
    rng = np.random.default_rng(0)
    near = Toy(
        toy.W + 1e-10 * size * rng.normal(size=toy.W.shape),
        toy.b + 1e-10 * size * rng.normal(size=toy.b.shape),
        toy.importance,
        toy.probability,
    )
    np.testing.assert_allclose(sa.exact_loss(*near.arguments), loss, atol=1e-8 * size * magnitude(toy).max())


# --- calls -------------------------------------------------------------------------------------------------


def test_instances_are_computed_each_for_itself() -> None:
    rng = np.random.default_rng(3)
    toys = [draw(rng, 4, 2) for _ in range(6)]
    W, b, importance, probability = (np.array([toy.arguments[k] for toy in toys]) for k in range(4))
    each = [sa.exact_gradient(*toy.arguments) for toy in toys]
    together = sa.exact_gradient(W, b, importance, probability)
    for of_all, of_one in zip(together, zip(*each, strict=True), strict=True):
        np.testing.assert_array_equal(of_all, np.array(of_one))
    shaped = sa.exact_loss(
        W.reshape(2, 3, 2, 4), b.reshape(2, 3, 4), importance.reshape(2, 3, 4), probability.reshape(2, 3, 4)
    )
    np.testing.assert_array_equal(shaped.reshape(6, 4), together[0])
    shared = sa.exact_loss(W, b, importance[0], probability[:1])
    for k in range(6):
        np.testing.assert_array_equal(shared[k], sa.exact_loss(W[k], b[k], importance[0], probability[0]))


def test_nothing_that_is_given_is_changed_and_float32_and_lists_are_taken() -> None:
    toy = draw(np.random.default_rng(5), 4, 2)
    before = [values.copy() for values in toy.arguments]
    sa.exact_gradient(*toy.arguments)
    for values, copy in zip(toy.arguments, before, strict=True):
        np.testing.assert_array_equal(values, copy)
    narrow = [values.astype(np.float32) for values in toy.arguments]
    loss = sa.exact_loss(*narrow)
    assert loss.dtype == np.float64
    np.testing.assert_array_equal(loss, sa.exact_loss(*(values.tolist() for values in narrow)))
    turned = np.asfortranarray(toy.W)
    np.testing.assert_array_equal(sa.exact_loss(turned, *toy.arguments[1:]), sa.exact_loss(*toy.arguments))


def test_no_instance_has_no_loss() -> None:
    assert sa.exact_loss(np.zeros((0, 2, 3)), np.zeros((0, 3)), np.ones(3), np.ones(3)).shape == (0, 3)


def test_the_search_is_given_the_same_numbers() -> None:
    toy = draw(np.random.default_rng(6), 5, 2)
    loss, dW, db = sa.exact_gradient(*toy.arguments)
    ours = objective_of(toy.importance, toy.probability)(toy.W, toy.b)
    assert ours[0] == loss.sum()
    np.testing.assert_array_equal(ours[1], dW)
    np.testing.assert_array_equal(ours[2], db)


@pytest.mark.parametrize("tolerance", [1e-9, 1e-5])
@pytest.mark.parametrize("seed", range(6))
def test_rare_supports_hold_no_more_of_the_loss_than_they_may(seed: int, tolerance: float) -> None:
    """Where no weight and no bias is above what it can be worth: an error in S is at most |S|."""
    rng = np.random.default_rng(seed)
    toy = draw(rng, 6, 2)
    toy.b[:] = -np.abs(toy.b)
    toy.W[:] *= 1 / np.linalg.norm(toy.W, axis=0).max()
    toy.probability[:] = 10 ** rng.uniform([-6, -6, -5, -3, -4, -1][seed], [-3, 0][seed % 2], 6)
    some = frequent_states(toy.importance, toy.probability, tolerance)
    losses = np.empty((2, 1, 6))
    for loss, steps in zip(losses, (states(6), some), strict=True):
        arrays = [values[None] for values in toy.arguments]
        gradient = np.empty_like(arrays[0]), np.empty_like(arrays[1])
        fill_losses(*arrays, steps, memory_for(steps, 6), False, loss, *gradient)
    nothing = toy.importance * (toy.probability / 3 - toy.probability**2 / 4)
    assert np.abs(losses[0] - losses[1]).sum() <= tolerance * nothing.sum() + 1e-15
    assert len(some.starts) <= len(states(6).starts)
    if seed == 0:
        assert len(some.starts) < len(states(6).starts) / 3


GOOD = {"W": np.eye(2), "b": np.zeros(2), "importance": np.ones(2), "probability": np.ones(2) / 2}


@pytest.mark.parametrize("function", [sa.exact_loss, sa.exact_gradient])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"W": np.zeros(2)}, "W has shape"),
        ({"W": np.zeros((2, 3))}, "W has shape"),
        ({"b": 0.0}, "b \\(\\)"),
        ({"W": np.zeros((3, 2, 2))}, "W has shape"),
        ({"W": np.zeros((0, 2))}, "hidden dimension"),
        ({"W": np.zeros((2, 0)), "b": np.zeros(0)}, "hidden dimension"),
        ({"W": np.full((2, 2), np.nan)}, "W\\[0, 0\\] is nan: must be finite"),
        ({"b": [0.0, np.inf]}, "b\\[1\\] is inf: must be finite"),
        ({"W": np.eye(2) * 1e200}, "1e\\+36"),
        ({"importance": np.ones(3)}, "importance has shape"),
        ({"importance": [1.0, -1e-9]}, "importance\\[1\\] is -1e-09: must be at least 0"),
        ({"importance": [1.0, np.nan]}, "importance\\[1\\] is nan"),
        ({"importance": [1.0, np.inf]}, "importance\\[1\\] is inf"),
        ({"probability": np.ones((2, 2))}, "probability has shape"),
        ({"probability": [0.5, 1.0 + 1e-9]}, "probability\\[1\\] is 1.000000001: must be in \\[0, 1\\]"),
        ({"probability": [0.5, np.nan]}, "probability\\[1\\] is nan"),
        ({"W": np.zeros((1, 11)), "b": np.zeros(11)}, "11 features has 3\\^11 terms"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(function, wrong: dict, message: str) -> None:
    with pytest.raises(TheoryError, match=message) as caught:
        function(**(GOOD | wrong))
    assert isinstance(caught.value, AtlasError)
    assert "\n" not in str(caught.value)


# --- trained toy models ------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [{}, {"bias": "zero"}, {"bias": "mean"}, {"centred_inputs": True}])
def test_trained_models_have_the_loss_that_training_saw(variant: dict) -> None:
    schedule = sa.schedules.geometric(n_features=5, first=1.0, last=0.05, importance=0.8)
    models = sa.train(
        schedule,
        n_hidden=2,
        seeds=range(6),
        steps=2000,
        batch_size=256,
        learning_rate=3e-3,
        learning_rate_schedule="linear",
        engine="fused",
        **variant,
    )
    b = models.b.astype(np.float64)
    if "centred_inputs" in variant:
        b -= np.einsum("khi,khj,j->ki", models.W, models.W, schedule.probability / 2, dtype=np.float64)
    exact = sa.exact_loss(models.W, b, schedule.importance, schedule.probability).mean(axis=1)
    x = models.sample(0, 50_000)
    errors = (schedule.importance * (x - models.reconstruct(x)) ** 2).mean(axis=2)
    spread = errors.std(axis=1)
    assert np.all(np.abs(errors.mean(axis=1) - exact) < 4 * spread / 50_000**0.5)
    # Training reports the mean over its last hundred batches, in which weights hardly move any more.
    assert np.all(np.abs(models.loss - exact) < 4 * spread / (100 * 256) ** 0.5 + 1e-3 * exact)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, np.array])
def test_one_kernel_serves_arrays_of_every_layout(kind: Callable[..., np.ndarray], shared: bool) -> None:
    toy = draw(np.random.default_rng(7), 3, 2)
    expected = sa.exact_loss(*toy.arguments)
    n_compiled = len(fill_losses.signatures)
    W, b, *schedule = (kind(np.broadcast_to(values, (4, *values.shape))) for values in toy.arguments)
    rows = (toy.importance, toy.probability[None]) if shared else schedule
    np.testing.assert_array_equal(sa.exact_loss(W, b, *rows), np.tile(expected, (4, 1)))
    assert len(fill_losses.signatures) == n_compiled
