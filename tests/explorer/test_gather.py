"""The page's data, from tables and from a configuration."""

import base64
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.explorer import gather
from superposition_atlas.explorer.gather import atlas_data, palette
from superposition_atlas.explorer.presets import presets_of
from superposition_atlas.toy_model import TrainingSettings

from tests.explorer.conftest import small_atlas


def experiment(n: int, m: int, *cases: Any) -> Any:
    named = {f"case{k}": case for k, case in enumerate(cases)}
    return SimpleNamespace(title="An experiment", n_features=n, n_hidden=m, cases=named)


def case(importance: Any, probability: Any, **training: Any) -> Any:
    arrays = (np.atleast_2d(np.asarray(values, float)) for values in (importance, probability))
    named = dict(zip(("importance", "probability"), arrays, strict=True))
    return SimpleNamespace(title="A case", structure=None, training=TrainingSettings(**training), **named)


def test_presets_are_what_the_page_can_train_each_once() -> None:
    plain = case([1, 1], [0.5, 0.25], steps=500, init_scale=0.2)
    found = presets_of(
        [
            experiment(
                2,
                1,
                plain,
                plain,
                case([1, 1], [0.5, 0.25], bias="zero"),
                case([1, 1], [[0.1, 0.1], [0.2, 0.2]]),
            ),
            experiment(80, 20, case([1] * 80, [0.1] * 80)),
            experiment(5, 4, case([1] * 5, [0.1] * 5)),
        ]
    )
    assert [preset["title"] for preset in found] == ["A case", "A case (p = 0.1)", "A case (p = 0.2)"]
    assert found[0]["training"] == {"steps": 500, "batchSize": 1024, "learningRate": 1e-3, "initScale": 0.2}
    assert found[2]["probability"] == [0.2, 0.2]


def test_the_talk_s_cases_are_presets() -> None:
    loaded = config.load(config.read("config/config.yaml"))
    found = presets_of(loaded.experiments.values())
    talk = loaded.experiments["talk"]
    for name in ("case1", "case2", "case3", "post4"):
        own = talk.cases[name]
        schedule = (own.importance[0].tolist(), own.probability[0].tolist())
        assert schedule in [(preset["importance"], preset["probability"]) for preset in found], name


def test_the_palette_is_that_of_the_figures() -> None:
    scales = palette()
    assert scales["viridis"][0] == "#440154"
    assert {len(scale) for scale in scales.values()} == {64}


def test_the_atlas_keeps_values_and_weights() -> None:
    atlas = small_atlas()
    assert len(atlas["points"]["schedule"]) == 6
    assert len(atlas["schedules"]["importance"]) == 6
    values = np.frombuffer(base64.b64decode(atlas["stored"]["weights"]), "<f4").reshape(6, 2, 15)
    assert np.isfinite(values).all()
    marked = [names for names in atlas["points"]["cases"] if names]
    assert marked == ["case1"]
    titles = {layer["column"]: layer for layer in atlas["layers"]}
    assert titles["n_represented"]["values"] == [3.5] * 6
    # O1 is not about uniform sparsity.
    assert titles["best_not_all_represented"]["values"] == [None, 1.0, 1.0, None, 1.0, 1.0]


def test_weights_of_a_missing_toy_model_are_nan_and_a_finer_map_holds_fewer_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = pd.DataFrame(
        {
            "key": ["a", "b"], "family": "linear", "mean_density": [0.1, 0.2], "steepness": 2.0,
            "importance_ratio": 1.0, "order": "aligned", "n_represented": [1.0, np.nan],
        }
    )  # fmt: skip
    schedules = pd.DataFrame(
        {"key": ["a", "b"], "importance": [[1.0, 1.0]] * 2, "probability": [[0.1, 0.1]] * 2}
    )
    models = pd.DataFrame(
        {"key": ["a", "a", "b"], "seed": [0, 1, 1], "W": [[1.0, 2.0]] * 3, "b": [[3.0, 4.0]] * 3}
    )
    empty = pd.DataFrame(columns=["key", "loss", "W", "b"])
    frames = (points, schedules, models, empty)
    stored = atlas_data("", (1, 2), *frames, {}, [])["stored"]
    values = np.frombuffer(base64.b64decode(stored["weights"]), "<f4").reshape(2, 2, 4)
    assert np.isnan(values[1, 0]).all()
    assert values[1, 1].tolist() == [1, 2, 3, 4]
    assert atlas_data("", (1, 2), *frames, {}, [])["layers"][0]["values"] == [1.0, None]
    monkeypatch.setattr(gather, "MOST_STORED_VALUES", 8)
    assert atlas_data("", (1, 2), *frames, {}, [])["stored"]["seeds"] == [0]
    nothing = atlas_data("", (1, 2), points, schedules, models.iloc[:0], empty, {}, [])
    assert nothing["stored"] is None
    assert nothing["best"] == [None, None]
