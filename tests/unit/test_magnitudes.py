"""Magnitudes: each distribution is what it says, and the same numbers come out of every engine."""

import numpy as np
import pytest
import torch
from numba import types
from numba.extending import intrinsic
from scipy import special, stats
from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.sampling.magnitudes import MAGNITUDES, standard_normal_quantile
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.fused.lanes import LANES
from superposition_atlas.training.fused.traced_memory import Memory
from superposition_atlas.training.fused.vector_functions import exp_of_lanes, log_of_lanes
from superposition_atlas.training.problem import Problem
from superposition_atlas.training.torch_engine import DeviceStream

DISTRIBUTIONS = {
    "uniform": stats.uniform(),
    "exponential": stats.expon(scale=0.5),
    "lognormal": stats.lognorm(s=1.0, scale=0.5 * np.exp(-0.5)),
    "signed_uniform": stats.uniform(-1, 2),
}


@pytest.mark.parametrize("name", MAGNITUDES)
def test_mean_and_mean_square_are_those_of_the_quantile(name):
    u = (np.arange(2**20) + 0.5) / 2**20
    a = MAGNITUDES[name].quantile(u, np)
    assert (a > 0).all() or name == "signed_uniform"
    np.testing.assert_allclose(a.mean(), MAGNITUDES[name].mean, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose((a**2).mean(), MAGNITUDES[name].mean_square, rtol=2e-3)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("p", [0.01, 1.0])
def test_active_features_have_the_distribution(name, p):
    x = sample(range(3), 7, 60_000, np.array([p]), magnitudes=name).ravel()
    active = x[x != 0]
    assert abs(active.size / x.size - p) <= 5 * np.sqrt(p * (1 - p) / x.size)
    assert stats.kstest(active, DISTRIBUTIONS[name].cdf).pvalue > 1e-4


def test_binary_features_are_zero_or_one():
    x = sample([1], 0, 10_000, np.array([0.3]), magnitudes="binary")
    assert set(np.unique(x)) == {0.0, 1.0}


@pytest.mark.parametrize("name", MAGNITUDES)
def test_which_features_are_active_does_not_depend_on_their_magnitudes(name):
    plain = sample(range(2), 3, 4000, np.array([0.1, 0.7]))
    np.testing.assert_array_equal(
        plain > 0, sample(range(2), 3, 4000, np.array([0.1, 0.7]), magnitudes=name) != 0
    )


@pytest.mark.parametrize("name", MAGNITUDES)
def test_the_device_stream_is_the_stream(name):
    of = Problem(
        seeds=np.array([3, 2**40], dtype=np.uint64),
        importance=np.ones((2, 3)),
        probability=np.array([[0.1, 0.5, 1.0], [0.9, 0.02, 0.3]]),
        n_hidden=2,
        settings=TrainingSettings(magnitudes=name),
    )
    drawn = DeviceStream(of, torch.device("cpu")).sample(5, 999, Purpose.INPUTS).numpy()
    expected = sample(of.seeds, 5, 999, of.probability, magnitudes=name)
    # A value with a sign is a difference, which has the rounding of its parts.
    np.testing.assert_allclose(drawn, expected, rtol=2e-6, atol=2e-7 * (name == "signed_uniform"))


def test_the_quantile_of_the_normal_distribution():
    u = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 100_001), 10.0 ** -np.arange(1.0, 10.0)])
    u = u.astype(np.float32)
    z = standard_normal_quantile(u, np)
    inside = u < 1
    np.testing.assert_allclose(z[inside], special.ndtri(u[inside].astype(float)), rtol=1e-6, atol=1e-7)
    assert 5 < standard_normal_quantile(np.float32([1.0]), np)[0] < 6


def _of_lanes(function):
    @intrinsic
    def call(typing_context, values, results):
        def write(context, builder, signature, arguments):
            read, written = (
                Memory(builder, context.make_array(kind)(context, builder, row).data)
                for kind, row in zip(signature.args, arguments, strict=True)
            )
            written.store_lanes(function(read.load_lanes(0)), 0)
            return context.get_dummy_value()

        return types.none(values, results), write

    @compile_kernel(cache=False)
    def over_all(values, results):
        for row in range(len(values)):
            call(values[row], results[row])

    def apply(values):
        rows = values.reshape(-1, LANES)
        results = np.empty_like(rows)
        over_all(rows, results)
        return results.ravel()

    return apply


@pytest.mark.parametrize(
    ("of_lanes", "function", "x"),
    [
        (log_of_lanes, np.log, np.geomspace(1e-37, 1e37, 64_000)),
        (log_of_lanes, np.log, np.linspace(0.4, 2.5, 64_000)),
        (exp_of_lanes, np.exp, np.linspace(-80, 80, 64_000)),
    ],
    ids=["log", "log near 1", "exp"],
)
def test_functions_of_lanes(of_lanes, function, x):
    x = x.astype(np.float32)
    np.testing.assert_allclose(_of_lanes(of_lanes)(x), function(x.astype(float)), rtol=3e-7, atol=1e-36)
