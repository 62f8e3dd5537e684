"""SAE architectures: losses by hand, gradients, what is chosen, what must not matter, what training does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.architecture import Objective, TrainingData
from superposition_atlas.sae.architectures.registry import by_name, names
from superposition_atlas.sae.architectures.selection import largest, numpy_largest
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.sae.forward import encode, reconstruct
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import ToyModels, TrainingSettings

TRAINED = ("relu", "gated", "jumprelu", "topk", "batch_topk", "matryoshka", "frozen")
CHOOSING = ("topk", "batch_topk", "matryoshka")
BASELINES = ("random", "frozen", "pca")


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tensors are tiny here: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def toy_models(W: np.ndarray, probability: np.ndarray, seeds: np.ndarray, **settings: Any) -> ToyModels:
    n_instances, _, n_features = W.shape
    return ToyModels(
        W=W.astype(np.float32),
        b=np.zeros((n_instances, n_features), dtype=np.float32),
        loss=np.zeros(n_instances),
        seeds=seeds,
        importance=np.ones((n_instances, n_features)),
        probability=np.broadcast_to(probability, (n_instances, n_features)).astype(np.float64),
        settings=TrainingSettings(**settings),
        engine="by hand",
    )


def pentagons(n_instances: int) -> ToyModels:
    """As trained at uniform sparsity, p = 0.025; their length is Chen et al.'s."""
    angle = 2 * np.pi * np.arange(5) / 5
    W = 1.17046 * np.stack([np.cos(angle), np.sin(angle)])
    return toy_models(np.repeat(W[None], n_instances, axis=0), np.full(5, 0.025), np.arange(n_instances))


def random_models(n_instances: int, n_features: int, n_hidden: int, **settings: Any) -> ToyModels:
    rng = np.random.default_rng(n_instances)
    W = rng.normal(size=(n_instances, n_hidden, n_features))
    probability = rng.uniform(0.05, 1.0, size=(n_instances, n_features))
    return toy_models(W, probability, rng.integers(0, 2**63, size=n_instances), **settings)


def data_of(models: ToyModels) -> TrainingData:
    levels = np.zeros(len(models)), np.ones(len(models), dtype=np.int64)
    return TrainingData(models.W, models.probability, models.seeds, *levels, models.settings)


# --- losses and gradients, in float64 ----------------------------------------------------------------------

LAMBDA = (0.3, 0.7)
K = (1, 2)
DEAD = ((False,) * 5, (True, False, True, True, False))
OWN: dict[str, dict[str, Any]] = {
    "jumprelu": {"bandwidth": 0.4},
    "topk": {"auxiliary_coefficient": 0.25},
    "batch_topk": {"auxiliary_coefficient": 0.25},
    "matryoshka": {"auxiliary_coefficient": 0.25, "prefixes": (1, 4)},
}


def settings_of(name: str, **more: Any) -> SAESettings:
    return SAESettings(**({"n_latents": 5, "architecture": name} | OWN.get(name, {}) | more))


def random_case(name: str, seed: int = 0, n_hidden: int = 4) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = by_name(name).shapes(n_hidden, 5)
    parameters = {part: rng.normal(size=(2, *shape)) for part, shape in shapes.items()}
    return parameters, rng.normal(size=(2, 9, n_hidden))


def objective(settings: SAESettings) -> Objective:
    return Objective(settings, torch.tensor(LAMBDA, dtype=torch.float64), torch.tensor(K), torch.tensor(DEAD))


def loss_and_gradient(
    name: str, parameters: dict[str, np.ndarray], h: np.ndarray, settings: SAESettings
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    tensors = {part: torch.tensor(array, requires_grad=True) for part, array in parameters.items()}
    loss, activations = by_name(name).loss(tensors, torch.tensor(h), objective(settings))
    trained = [part for part in tensors if part in by_name(name).trained]
    gradients = torch.autograd.grad(loss.sum(), [tensors[part] for part in trained]) if trained else ()
    return (
        loss.detach().numpy(),
        activations.detach().numpy(),
        {part: gradient.numpy() for part, gradient in zip(trained, gradients, strict=True)},
    )


def parts_by_hand(p: dict[str, np.ndarray], instance: int, h: np.ndarray) -> tuple[Any, ...]:
    own = {part: array[instance] for part, array in p.items()}
    unit = [row / np.linalg.norm(row) for row in own["W_dec"]]
    projection = [[(x - own["b_dec"]) @ own["W_enc"][:, j] for j in range(5)] for x in h[instance]]
    pi = [[s + own["b_enc"][j] for j, s in enumerate(row)] for row in projection]
    return own, unit, projection, pi


def chosen_by_hand(name: str, pi: list[list[float]], k: int) -> list[list[bool]]:
    """Python sorts are stable: of equals, the first comes first."""
    if name == "topk":
        order = [sorted(range(5), key=lambda j, row=row: -row[j])[:k] for row in pi]
        return [[j in best for j in range(5)] for best in order]
    flat = [max(0.0, value) for row in pi for value in row]
    best = set(sorted(range(len(flat)), key=lambda place: -flat[place])[: k * len(pi)])
    return [[5 * i + j in best for j in range(5)] for i in range(len(pi))]


def loss_by_hand(
    name: str,
    p: dict[str, np.ndarray],
    h: np.ndarray,
    settings: SAESettings,
    held: dict[str, np.ndarray] | None = None,
) -> list[float]:
    """Sample by sample. `held` are the parameters of all that a gradient does not flow through."""
    held = p if held is None else held
    losses = []
    for instance in (0, 1):
        own, unit, projection, pi = parts_by_hand(p, instance, h)
        held_own, held_unit, _, held_pi = parts_by_hand(held, instance, h)
        lam, k, dead = LAMBDA[instance], K[instance], DEAD[instance]
        chosen = chosen_by_hand(name, held_pi, k) if name in CHOOSING else None
        total = 0.0
        for i, x in enumerate(h[instance]):
            penalty = extra = 0.0
            if name == "gated":
                gate = pi[i]
                magnitude = [np.exp(own["r_mag"][j]) * projection[i][j] + own["b_mag"][j] for j in range(5)]
                a = [max(0.0, magnitude[j]) if held_pi[i][j] > 0 else 0.0 for j in range(5)]
                penalty = lam * sum(max(0.0, g) for g in gate)
                by_gate = sum(max(0.0, gate[j]) * held_unit[j] for j in range(5)) + held_own["b_dec"]
                extra = ((by_gate - x) ** 2).mean()
            elif name == "jumprelu":
                fires = [held_pi[i][j] > np.exp(held_own["log_threshold"][j]) for j in range(5)]
                a = [pi[i][j] if fires[j] else 0.0 for j in range(5)]
                penalty = lam * sum(fires)
            elif chosen is not None:
                a = [max(0.0, pi[i][j]) if chosen[i][j] else 0.0 for j in range(5)]
                held_a = [max(0.0, held_pi[i][j]) if chosen[i][j] else 0.0 for j in range(5)]
                if any(dead):
                    e = x - sum(held_a[j] * held_unit[j] for j in range(5)) - held_own["b_dec"]
                    candidates = [j for j in range(5) if dead[j]]
                    best = sorted(candidates, key=lambda j, row=held_pi[i]: -row[j])[: max(1, len(x) // 2)]
                    back = sum(max(0.0, pi[i][j]) * unit[j] for j in best)
                    extra = settings.auxiliary_coefficient * ((back - e) ** 2).mean()
            else:
                a = [max(0.0, value) for value in pi[i]]
                penalty = lam * sum(a)
            for g in (*settings.prefixes, 5):
                total += ((sum(a[j] * unit[j] for j in range(g)) + own["b_dec"] - x) ** 2).mean()
            total += penalty + extra
        losses.append(total / len(h[instance]))
    return losses


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_formula(name: str, seed: int) -> None:
    parameters, h = random_case(name, seed)
    settings = settings_of(name)
    loss, activations, _ = loss_and_gradient(name, parameters, h, settings)
    # Adding 1e-8 to a row's norm is all the difference.
    np.testing.assert_allclose(loss, loss_by_hand(name, parameters, h, settings), rtol=1e-6)
    assert (activations >= 0).all()
    if name not in ("batch_topk", "matryoshka"):
        np.testing.assert_allclose(activations, by_name(name).encode(parameters, h, np.array(K)), rtol=1e-12)


@pytest.mark.parametrize("name", TRAINED)
def test_gradient_is_that_of_the_formula(name: str) -> None:
    """Central differences, with all that has no gradient held; the thresholds of jumprelu stand below."""
    parameters, h = random_case(name, seed=5)
    settings = settings_of(name)
    _, _, gradient = loss_and_gradient(name, parameters, h, settings)
    step = 1e-6
    for part in by_name(name).trained - {"log_threshold"}:
        expected = np.zeros_like(parameters[part])
        for place in np.ndindex(*expected.shape):
            losses = []
            for sign in (1, -1):
                moved = parameters | {part: parameters[part].copy()}
                moved[part][place] += sign * step
                losses.append(sum(loss_by_hand(name, moved, h, settings, held=parameters)))
            expected[place] = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(gradient[part], expected, atol=1e-6, err_msg=part)


def test_thresholds_of_jumprelu_learn_through_the_rectangle() -> None:
    parameters, h = random_case("jumprelu", seed=1)
    settings = settings_of("jumprelu", bandwidth=2.0)
    _, activations, gradient = loss_and_gradient("jumprelu", parameters, h, settings)
    expected = np.zeros_like(gradient["log_threshold"])
    for instance in (0, 1):
        own, unit, _, pi = parts_by_hand(parameters, instance, h)
        for i, x in enumerate(h[instance]):
            residual = sum(a * d for a, d in zip(activations[instance, i], unit, strict=True))
            slope = 2.0 * (residual + own["b_dec"] - x) / len(x)
            for j in range(5):
                threshold = np.exp(own["log_threshold"][j])
                if abs(pi[i][j] - threshold) < 1.0:
                    per_threshold = -(threshold * (slope @ unit[j]) + LAMBDA[instance]) / 2.0
                    expected[instance, j] += threshold * per_threshold / len(h[instance])
    assert np.count_nonzero(expected) >= 5, "the case must have samples within the window"
    np.testing.assert_allclose(gradient["log_threshold"], expected, rtol=1e-6, atol=1e-12)


def test_the_penalty_of_jumprelu_is_smoothed_by_a_rectangle() -> None:
    """Its slope in θ is the difference of L0 itself at θ ± ε/2, divided by ε."""
    parameters, h = random_case("jumprelu", seed=2)
    bandwidth = 0.8
    slopes = {}
    for weight in (0.0, 1.0):
        tensors = {part: torch.tensor(array, requires_grad=True) for part, array in parameters.items()}
        chosen = replace(
            objective(settings_of("jumprelu", bandwidth=bandwidth)),
            sparsity_coefficient=torch.full((2,), weight, dtype=torch.float64),
        )
        loss, _ = by_name("jumprelu").loss(tensors, torch.tensor(h), chosen)
        slopes[weight] = torch.autograd.grad(loss.sum(), tensors["log_threshold"])[0].numpy()
    threshold = np.exp(parameters["log_threshold"])
    pi = by_name("relu").encode(parameters | {"b_enc": parameters["b_enc"] + 100}, h, np.ones(2)) - 100
    above, below = ((pi > (threshold + sign * bandwidth / 2)[:, None, :]).mean(axis=1) for sign in (1, -1))
    assert (above != below).any()
    np.testing.assert_allclose(slopes[1.0] - slopes[0.0], threshold * (above - below) / bandwidth, atol=1e-12)


def test_the_estimate_for_jumprelu_is_the_slope_of_the_expected_loss() -> None:
    """In the mean over many samples and a narrow window: what makes the estimate right."""
    rng = np.random.default_rng(0)
    parameters, _ = random_case("jumprelu", seed=3)
    parameters["log_threshold"] = np.log(rng.uniform(0.5, 1.0, size=(2, 5)))
    h = rng.normal(size=(2, 60_000, 4))
    settings = settings_of("jumprelu", bandwidth=0.05)
    _, _, gradient = loss_and_gradient("jumprelu", parameters, h, settings)
    for j in range(5):
        losses = []
        for sign in (1, -1):
            moved = parameters["log_threshold"].copy()
            moved[:, j] += sign * 0.025 / np.exp(moved[:, j])
            losses.append(
                loss_and_gradient("jumprelu", parameters | {"log_threshold": moved}, h, settings)[0]
            )
        slope = (losses[0] - losses[1]) / 0.05 * np.exp(parameters["log_threshold"][:, j])
        np.testing.assert_allclose(gradient["log_threshold"][:, j], slope, rtol=0.1, atol=2e-3)


# --- what is chosen ----------------------------------------------------------------------------------------


def test_largest_are_exactly_as_many_and_of_equals_the_first() -> None:
    values = np.array([[[3.0, 1.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0], [-1.0, -3.0, -2.0, -1.0]]])
    expected = [[[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]]]
    assert largest(torch.tensor(values), torch.tensor([[[2]]])).int().tolist() == expected
    assert numpy_largest(values, np.array([2])).astype(int).tolist() == expected


def hidden(models: ToyModels, batch_size: int = 4096) -> np.ndarray:
    return data_of(models).hidden(0, batch_size, stream.Purpose.EVALUATION)


def activations_in_training(saes: SAEs, h: np.ndarray) -> np.ndarray:
    tensors = {name: torch.tensor(array) for name, array in saes.parameters.items()}
    chosen = Objective(
        saes.settings,
        torch.tensor(saes.sparsity_coefficient, dtype=torch.float32),
        torch.tensor(saes.k),
        torch.zeros(len(saes), saes.n_latents, dtype=torch.bool),
    )
    return by_name(saes.settings.architecture).loss(tensors, torch.tensor(h), chosen)[1].numpy()


def test_topk_has_k_active_latents_where_enough_are_positive() -> None:
    models = random_models(3, 8, 4)
    saes = train_saes(models, architecture="topk", n_latents=8, k=(1, 3), steps=100, batch_size=128)
    h = hidden(models)[np.tile(range(3), 2)]
    active = (activations_in_training(saes, h) > 0).sum(axis=-1)
    positive = (by_name("relu").encode(saes.parameters, h, saes.k) > 0).sum(axis=-1)
    k = saes.k[:, None]
    np.testing.assert_array_equal(active, np.minimum(positive, k))
    assert (positive >= k).any(axis=1).all()


@pytest.mark.parametrize("name", ["batch_topk", "matryoshka"])
def test_batch_topk_has_k_active_latents_on_average(name: str) -> None:
    models = random_models(3, 8, 4)
    saes = train_saes(models, architecture=name, n_latents=8, k=(1, 3), steps=1200, batch_size=128)
    h = hidden(models)[np.tile(range(3), 2)]
    active = (activations_in_training(saes, h) > 0).sum(axis=(1, 2))
    np.testing.assert_array_equal(active, saes.k * h.shape[1])
    by_threshold = (encode(saes, h) > 0).sum(axis=-1)
    np.testing.assert_allclose(by_threshold.mean(axis=1), saes.k, rtol=0.1)
    assert (by_threshold.std(axis=1) > 0.1).all(), "a sample may have more or fewer"
    trained = np.where(encode(saes, h) > 0, activations_in_training(saes, h), 0.0)
    np.testing.assert_allclose(trained[trained > 0], encode(saes, h)[trained > 0], rtol=1e-5)


def test_no_more_than_is_positive_is_chosen_from_a_batch() -> None:
    parameters, h = random_case("batch_topk")
    parameters["b_enc"][:] = -100.0
    parameters["b_enc"][:, 0] = 100.0
    _, activations, _ = loss_and_gradient("batch_topk", parameters, h, settings_of("batch_topk"))
    assert ((activations > 0).sum(axis=(1, 2)) == h.shape[1]).all()


def test_matryoshka_without_prefixes_is_batch_topk() -> None:
    models = random_models(3, 8, 4)
    chosen = {"n_latents": 8, "k": 2, "steps": 120, "batch_size": 64, "dead_window": 20}
    one, other = (train_saes(models, architecture=name, **chosen) for name in ("matryoshka", "batch_topk"))
    for name in one.parameters:
        np.testing.assert_array_equal(one.parameters[name], other.parameters[name])
    nested = train_saes(models, architecture="matryoshka", prefixes=(2, 5), **chosen)
    assert not np.array_equal(nested.W_dec, other.W_dec)


def test_dead_latents_come_back_to_reconstruct_the_error() -> None:
    """k = 1 of 8 latents on dense inputs leaves many without a turn; AuxK gives them a gradient."""
    models = random_models(4, 8, 4)
    chosen = {"architecture": "topk", "n_latents": 8, "steps": 800, "batch_size": 64, "dead_window": 50}
    alive = {
        coefficient: (
            activations_in_training(
                train_saes(models, auxiliary_coefficient=coefficient, **chosen), hidden(models)
            )
            > 0
        ).any(axis=1)
        for coefficient in (0.0, 1.0)
    }
    assert alive[1.0].sum() > alive[0.0].sum()


# --- baselines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASELINES)
def test_decoders_of_baselines_never_change(name: str) -> None:
    models = random_models(3, 8, 4)
    saes = train_saes(models, architecture=name, n_latents=8, steps=60, batch_size=64, record_steps=[0, 60])
    np.testing.assert_array_equal(saes.history["W_dec"][0], saes.W_dec)
    for part in ("W_enc", "b_enc", "b_dec"):
        moved = not np.array_equal(saes.history[part][0], saes.parameters[part])
        assert moved == (name == "frozen")
    np.testing.assert_allclose(np.linalg.norm(saes.W_dec, axis=-1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(saes.history["W_enc"][0], saes.W_dec.swapaxes(1, 2))


def test_frozen_has_the_decoder_of_random_and_reconstructs_better() -> None:
    models = random_models(3, 8, 4)
    chosen = {"n_latents": 8, "steps": 1500, "batch_size": 64, "sparsity_coefficient": 0.01}
    random, frozen = (train_saes(models, architecture=name, **chosen) for name in ("random", "frozen"))
    np.testing.assert_array_equal(random.W_dec, frozen.W_dec)
    h = hidden(models)
    error = {
        saes.settings.architecture: ((reconstruct(saes, encode(saes, h)) - h) ** 2).mean(axis=(1, 2))
        for saes in (random, frozen)
    }
    assert (error["frozen"] < error["random"]).all()


def test_directions_of_random_are_uniform_on_the_sphere() -> None:
    rows = train_saes(random_models(400, 3, 3), architecture="random", n_latents=5, steps=1).W_dec
    assert np.abs(rows.mean(axis=(0, 1))).max() < 0.06  # five standard errors
    # Archimedes: a coordinate on the 2-sphere is uniform in [-1, 1].
    np.testing.assert_allclose(np.quantile(rows, np.linspace(0, 1, 9)), np.linspace(-1, 1, 9), atol=0.06)


@pytest.mark.parametrize(
    "settings", [{}, {"centred_inputs": True}, {"magnitudes": "lognormal"}], ids=["plain", "centred", "tails"]
)
def test_pca_is_that_of_a_million_samples(settings: dict[str, Any]) -> None:
    models = random_models(1, 7, 3, **settings)
    saes = train_saes(models, architecture="pca", n_latents=8, steps=1)
    h = hidden(models, 1_000_000)[0].astype(np.float64)
    variance, directions = np.linalg.eigh(np.cov(h.T))
    cosine = np.abs(np.sum(saes.W_dec[0, :6:2] * directions.T[::-1], axis=1))
    np.testing.assert_allclose(cosine, 1.0, atol=1e-4)
    np.testing.assert_array_equal(saes.W_dec[0, 1:6:2], -saes.W_dec[0, :6:2])
    assert not saes.W_dec[0, 6:].any()
    standard_error = np.sqrt(np.trace(np.cov(h.T)) / len(h))
    np.testing.assert_allclose(saes.b_dec[0], h.mean(axis=0), atol=5 * standard_error)
    assert np.var((h - h.mean(axis=0)) @ saes.W_dec[0, 0]) == pytest.approx(variance[-1], rel=1e-3)


@pytest.mark.parametrize("n_latents", [6, 7])
def test_pca_with_both_signs_of_all_directions_is_exact(n_latents: int) -> None:
    models = random_models(2, 7, 3)
    saes = train_saes(models, architecture="pca", n_latents=n_latents, steps=1)
    h = hidden(models, 500)
    np.testing.assert_allclose(reconstruct(saes, encode(saes, h)), h, atol=1e-5)
    half = train_saes(models, architecture="pca", n_latents=4, steps=1)
    np.testing.assert_array_equal(half.W_dec, saes.W_dec[:, :4])


# --- what must not matter ----------------------------------------------------------------------------------

LEVELS: dict[str, dict[str, Any]] = {
    "relu": {"sparsity_coefficient": (0.05, 0.5)},
    "gated": {"sparsity_coefficient": (0.05, 0.5)},
    "jumprelu": {"sparsity_coefficient": (0.05, 0.5)},
    "topk": {"k": (1, 2)},
    "batch_topk": {"k": (1, 2)},
    "matryoshka": {"k": (1, 2), "prefixes": (1, 2)},
    "random": {},
    "frozen": {"sparsity_coefficient": (0.05, 0.5)},
    "pca": {},
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("n_features", "n_hidden", "n_latents"), [(5, 2, 5), (3, 1, 3), (21, 11, 17)])
def test_same_bits_however_saes_are_batched(
    name: str, n_features: int, n_hidden: int, n_latents: int
) -> None:
    models = random_models(5, n_features, n_hidden)
    chosen: dict[str, Any] = {
        "architecture": name, "n_latents": n_latents, "steps": 12, "batch_size": 70, "dead_window": 4
    }  # fmt: skip
    together = train_saes(models, **chosen, **LEVELS[name], engine="torch")
    order = [4, 2, 0]
    several = {setting: levels for setting, levels in LEVELS[name].items() if setting != "prefixes"}
    own = {setting: levels for setting, levels in LEVELS[name].items() if setting == "prefixes"}
    for setting, levels in several.items() or {"sparsity_coefficient": (0.2,)}.items():
        for i, level in enumerate(levels):
            apart = train_saes(models.select(order), **chosen, **own, **{setting: level}, engine="torch")
            alone = train_saes(models.select([2]), **chosen, **own, **{setting: level}, engine="torch")
            first = i * len(models)
            for part, array in together.parameters.items():
                ours = array[first : first + len(models)]
                np.testing.assert_array_equal(apart.parameters[part], ours[order], err_msg=part)
                np.testing.assert_array_equal(alone.parameters[part][0], ours[2], err_msg=part)


@pytest.mark.parametrize("name", ["relu", "gated", "jumprelu", "topk", "random", "frozen", "pca"])
def test_a_trained_sae_does_what_it_did_in_training(name: str) -> None:
    models = random_models(3, 8, 4)
    levels = {setting: value[0] for setting, value in LEVELS[name].items()}
    saes = train_saes(models, architecture=name, n_latents=8, steps=80, batch_size=64, **levels)
    h = hidden(models, 300)
    np.testing.assert_allclose(encode(saes, h), activations_in_training(saes, h), atol=2e-6)
    assert (encode(saes, h) > 0).any()


@pytest.mark.parametrize("name", TRAINED)
def test_training_lowers_the_loss_and_decoder_rows_have_norm_one(name: str) -> None:
    models = random_models(3, 8, 4)
    levels = {setting: value[0] for setting, value in LEVELS[name].items() if setting != "prefixes"}
    chosen = {"architecture": name, "n_latents": 8, "batch_size": 64}
    saes = train_saes(models, **chosen, **levels, steps=800, record_steps=[1])
    np.testing.assert_allclose(np.linalg.norm(saes.W_dec, axis=-1), 1.0, atol=1e-6)
    h = torch.tensor(hidden(models))
    goal = Objective(
        saes.settings,
        torch.tensor(saes.sparsity_coefficient, dtype=torch.float32),
        torch.tensor(saes.k),
        torch.zeros(3, 8, dtype=torch.bool),
    )
    first, last = (
        by_name(name).loss({part: torch.tensor(array) for part, array in weights.items()}, h, goal)[0].numpy()
        for weights in ({part: array[0] for part, array in saes.history.items()}, saes.parameters)
    )
    assert (last < 0.9 * first).all()


# --- jumprelu trains reliably ------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
def test_l0_of_jumprelu_falls_and_stays(tied: bool) -> None:
    models = pentagons(6)
    half = [3000, 3600, 4200, 4800, 5400, 6000]
    saes = train_saes(
        models, architecture="jumprelu", n_latents=5, sparsity_coefficient=0.1, tied=tied,
        steps=6000, batch_size=256, learning_rate=3e-3, record_steps=[0, *half],
    )  # fmt: skip
    h = hidden(models)
    l0 = np.array(
        [
            (
                by_name("jumprelu").encode(
                    {part: array[i] for part, array in saes.history.items()}, h, saes.k
                )
                > 0
            )
            .sum(axis=-1)
            .mean(axis=1)
            for i in range(7)
        ]
    )
    assert (l0[1:] <= 0.5 * l0[0]).all()
    assert (l0[1:].max(axis=0) <= 1.5 * l0[1:].min(axis=0)).all()
    # The threshold leaves out what λ does not pay for, magnitudes under about 0.45: no error of 0.
    error = np.square(reconstruct(saes, encode(saes, h)) - h).sum(axis=(1, 2))
    assert (error <= 0.4 * np.square(h - h.mean(axis=1, keepdims=True)).sum(axis=(1, 2))).all()


# --- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"auxiliary_coefficient": 0.5}, "auxiliary_coefficient is 0.5: must be its default, 0.03125, with"),
        ({"auxiliary_coefficient": -1.0, "architecture": "topk"}, "auxiliary_coefficient is -1.0"),
        ({"tied": True, "architecture": "gated"}, "tied is True: must be its default, False"),
        ({"engine": "fused", "architecture": "pca"}, "engine is 'fused'"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(TrainingError) as error:
        train_saes(random_models(1, 3, 2), **({"n_latents": 3, "steps": 2} | wrong))
    assert named in str(error.value)


def test_tied_weights_of_jumprelu_are_one() -> None:
    saes = train_saes(random_models(2, 5, 2), architecture="jumprelu", n_latents=5, tied=True, steps=30)
    unit = saes.W_enc / np.linalg.norm(saes.W_enc, axis=1, keepdims=True)
    np.testing.assert_allclose(saes.W_dec, unit.swapaxes(1, 2), atol=1e-6)
