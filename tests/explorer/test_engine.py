"""What the page computes in training, beside the package: the same words, weights and SAEs."""

import numpy as np
import pytest
import superposition_atlas as sa
from scipy.stats import chi2_contingency
from superposition_atlas.metrics.features import represented
from superposition_atlas.sampling.stream import words
from superposition_atlas.toy_model import initial_weights

from tests.explorer.browser import Tab, in_chromium

pytestmark = in_chromium

TRAIN = """async ({seeds, settings, steps}) => {
  const worker = explorer.makeWorker();
  const ask = (message) => new Promise((resolve) => {
    worker.onmessage = ({data}) => resolve(data);
    worker.postMessage({id: 1, ...message});
  });
  await ask({kind: "toys", seeds, settings});
  const {parameters} = await ask({kind: "advance", steps, milliseconds: 1e9});
  worker.terminate();
  return parameters.map((values) => Array.from(values));
}"""


def geometric(n: int, first: float, last: float) -> np.ndarray:
    return first * (last / first) ** np.linspace(0, 1, n)


SCHEDULES = {
    "aligned": lambda n: (0.9 ** np.arange(n), geometric(n, 1.0, 0.02)),
    "reversed": lambda n: (0.9 ** np.arange(n), geometric(n, 0.02, 1.0)),
    "uniform": lambda n: (0.7 ** np.arange(n), np.full(n, 0.1)),
    "linear": lambda n: (np.ones(n), np.linspace(0.9, 0.1, n)),
    "random": lambda n: (
        np.random.default_rng(n).uniform(0.1, 2, n),
        np.random.default_rng(n + 1).uniform(0.01, 1, n),
    ),
}


def settings_of(
    importance: np.ndarray, probability: np.ndarray, m: int, **others: object
) -> dict[str, object]:
    return {"importance": importance.tolist(), "probability": probability.tolist(), "m": m} | others


def test_the_words_of_the_stream_are_those_of_the_package(tab: Tab) -> None:
    draw = np.random.default_rng(3)
    for purpose in range(6):
        seed, step = int(draw.integers(0, 2**64, dtype=np.uint64)), int(draw.integers(0, 2**32))
        found = tab.run(
            "({seed, step, purpose}) => Array.from(explorer.words(BigInt(seed), step, 34, 5, purpose))",
            {"seed": str(seed), "step": step, "purpose": purpose},
        )
        expected = words([seed], step, 34, 5, purpose)[0]
        assert expected.size * 6 >= 1000
        assert np.array_equal(np.reshape(found, (34, 5)), expected)


@pytest.mark.parametrize("init_scale", [0.2, "xavier", "unit"])
def test_training_starts_from_the_same_weights(tab: Tab, init_scale: float | str) -> None:
    seeds = [0, 7, 2**40 + 1]
    settings = settings_of(
        np.ones(5), np.full(5, 0.1), 2, batchSize=64, learningRate=1e-3, initScale=init_scale
    )
    found = tab.run(
        "({seeds, settings}) => seeds.map((seed) => Array.from(new explorer.ToyModel(seed, settings).W))",
        {"seeds": seeds, "settings": settings},
    )
    np.testing.assert_allclose(
        found, initial_weights(seeds, 5, 2, init_scale).reshape(3, -1), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    ("name", "n", "m"),
    [*((name, 5, 2) for name in SCHEDULES), ("aligned", 2, 1), ("random", 12, 3), ("uniform", 12, 3)],
)
def test_weights_after_100_steps_are_those_of_the_reference_engine(
    tab: Tab, name: str, n: int, m: int
) -> None:
    importance, probability = SCHEDULES[name](n)
    seeds, batch_size = [0, 1, 2**33], 250  # no multiple of 4 or 16: the last samples count, and no more
    settings = settings_of(importance, probability, m, batchSize=batch_size, learningRate=1e-3, initScale=0.2)
    found = np.array(tab.run(TRAIN, {"seeds": seeds, "settings": settings, "steps": 100}))
    models = sa.train(
        sa.schedules.explicit(importance, probability), n_hidden=m, seeds=seeds, steps=100,
        batch_size=batch_size, learning_rate=1e-3, init_scale=0.2, engine="torch", threads=1,
    )  # fmt: skip
    np.testing.assert_allclose(found[:, : m * n], models.W.reshape(3, -1), atol=1e-4, rtol=0)
    np.testing.assert_allclose(found[:, m * n :], models.b, atol=1e-4, rtol=0)
    moved = np.abs(found[:, : m * n] - initial_weights(seeds, n, m, 0.2).reshape(3, -1)).max()
    assert moved > 0.02, "training has changed nothing"


def test_without_webassembly_training_is_the_same(tab: Tab) -> None:
    importance, probability = SCHEDULES["aligned"](5)
    settings = settings_of(importance, probability, 2, batchSize=1024, learningRate=1e-3, initScale=0.2)
    plain = tab.run(
        """({settings}) => {
          const model = new explorer.ToyModel(3, {...settings, plain: true});
          for (let k = 0; k < 50; k += 1) model.advance();
          return Array.from(model.parameters);
        }""",
        {"settings": settings},
    )
    fast = tab.run(TRAIN, {"seeds": [3], "settings": settings, "steps": 50})[0]
    np.testing.assert_allclose(plain, fast, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_after_10000_steps_as_many_features_are_represented_as_in_the_fused_engine(tab: Tab) -> None:
    importance, probability = 0.9 ** np.arange(5), geometric(5, 1.0, 0.02)
    settings = settings_of(importance, probability, 2, batchSize=1024, learningRate=1e-3, initScale=0.2)
    W = np.array(tab.run(TRAIN, {"seeds": list(range(32)), "settings": settings, "steps": 10_000}))[:, :10]
    models = sa.train(
        sa.schedules.explicit(importance, probability), n_hidden=2, seeds=range(100, 132), init_scale=0.2,
        engine="fused",
    )  # fmt: skip
    here = represented(W.reshape(32, 2, 5)).sum(axis=1)
    there = represented(models.W.astype(float)).sum(axis=1)
    counts = np.array([[np.sum(of == number) for number in range(6)] for of in (here, there)])
    assert set(here) & set(there)
    # Other seeds, so that this is no repetition: two samples of one distribution.
    assert chi2_contingency(counts[:, counts.sum(axis=0) > 0]).pvalue > 0.001
    # And seed by seed, nearly all alike: rounding decides few of them.
    same = sa.train(
        sa.schedules.explicit(importance, probability), n_hidden=2, seeds=range(32), init_scale=0.2,
        engine="fused",
    )  # fmt: skip
    alike = represented(same.W.astype(float)).sum(axis=1) == here
    assert alike.mean() > 0.8


SAES = {
    "none": {"architecture": "relu", "resampling": "none"},
    "simple": {"architecture": "relu", "resampling": "simple"},
    "advanced": {"architecture": "relu", "resampling": "advanced"},
    "topk": {"architecture": "topk", "resampling": "none"},
}


@pytest.mark.parametrize("name", SAES)
def test_saes_are_those_of_the_reference_engine(tab: Tab, name: str) -> None:
    schedule = sa.schedules.linear(5, 0.9, 0.1, importance=0.9)
    models = sa.train(
        schedule, n_hidden=2, seeds=[3], steps=200, batch_size=256, learning_rate=0.01, engine="torch"
    )
    settings = {
        "nLatents": 6, "steps": 200, "batchSize": 256, "learningRate": 1e-3, "resampleEvery": 40,
        "deadWindow": 20, "resampleScale": 0.5, "lambda": 0.2, "k": 1,
    } | SAES[name]  # fmt: skip
    found = tab.run(
        """({W, probability, settings}) => {
          const sae = new explorer.SAE({seed: 3, n: 5, m: 2, W}, probability, settings);
          let resampled = 0;
          for (let k = 0; k < settings.steps; k += 1) {
            if (sae.resamplesNow()) resampled += sae.resample().filter(Boolean).length;
            sae.advance();
          }
          return {parameters: Array.from(sae.parameters), resampled};
        }""",
        {
            "W": models.W[0].reshape(-1).tolist(),
            "probability": schedule.probability.tolist(),
            "settings": settings,
        },
    )
    saes = sa.train_saes(
        models, n_latents=6, steps=200, batch_size=256, resample_every=40, dead_window=20, engine="torch",
        **SAES[name],
    )  # fmt: skip
    expected = np.concatenate(
        [saes.parameters[part].reshape(-1) for part in ("W_enc", "W_dec", "b_enc", "b_dec")]
    )
    np.testing.assert_allclose(found["parameters"], expected, atol=2e-3, rtol=0)
    assert found["resampled"] == saes.resampled.sum()
