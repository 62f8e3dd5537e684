from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.explorer.assemble import page
from superposition_atlas.explorer.gather import atlas_data, page_data
from superposition_atlas.observations.definitions import BY_NAME

from tests.explorer.browser import Tab, chromium, opened

HOSTILE = '</script><img src=x onerror="window.hit=1"><script>window.hit=1</script>\u2028<!--'


def small_atlas(title: str = "A small map") -> dict[str, Any]:
    """Six schedules with two toy models each; real shapes, drawn weights."""
    draw = np.random.default_rng(5)
    rows, schedules, models, solutions = [], [], [], []
    for steepness in (1.0, 4.0, 16.0):
        for order in ("aligned", "reversed"):
            key = f"{steepness:.0f}{order}"
            p = np.geomspace(1.0, 1.0 / steepness, 5)
            p = 0.2 * p / p.mean()
            if order == "reversed":
                p = p[::-1]
            importance = 0.9 ** np.arange(5)
            schedules.append({"key": key, "importance": importance, "probability": p})
            for seed in (0, 1):
                W, b = draw.normal(0, 0.7, 10).astype(np.float32), draw.normal(0, 0.1, 5).astype(np.float32)
                models.append({"key": key, "seed": seed, "W": W, "b": b})
            solutions.append({"key": key, "loss": 0.02, "W": draw.normal(0, 0.7, 10), "b": np.zeros(5)})
            rows.append(
                {
                    "key": key, "family": "geometric", "mean_density": 0.2, "steepness": steepness,
                    "importance_ratio": 0.9, "order": order, "n_represented": 3.5, "best_n_represented": 4,
                    "n_dedicated": 0.5, "best_n_dedicated": 0, "keeps_best": 0.5, "median_excess": 0.01,
                    "least_excess": 0.0, "not_all_represented": 1.0, "best_not_all_represented": True,
                    "observations": "O1" if steepness > 1 else "",
                }
            )  # fmt: skip
    frames = (pd.DataFrame(table) for table in (rows, schedules, models, solutions))
    return atlas_data(title, (2, 5), *frames, {"4aligned": "case1"}, [BY_NAME["O1"]])


def small_data(text: str = "A title") -> dict[str, Any]:
    """Data of a page with one preset and a small map."""
    preset = {
        "group": text, "title": text, "m": 1,
        "importance": [1.0, 1.0, 1.0], "probability": [0.5, 0.25, 0.125],
        "training": {"steps": 200, "batchSize": 64, "learningRate": 0.01, "initScale": "xavier"},
    }  # fmt: skip
    return page_data([preset], small_atlas(text), text)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(page(small_data()), "utf-8")
    return path


@pytest.fixture(scope="module")
def tab(browser: Any, page_file: Path) -> Iterator[Tab]:
    """One page for a module: tests set what they need."""
    with opened(browser, page_file, "#steps=300&batch=64&rate=0.01") as opened_tab:
        yield opened_tab
