"""SAEs beside each other: levels are chosen apart from what is reported, contrasts are paired."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.cli.main import main
from superposition_atlas.metrics.recovery import choosing
from superposition_atlas.metrics.sae_comparison import (
    COLUMNS,
    MEASURES,
    NO_DIRECTION,
    SMALLEST,
    chosen_level,
    contrast_table,
    level_table,
)
from superposition_atlas.storage.parquet import read_table, write_table

N_SEEDS = 32
RECALL, ANGLE = "recall_represented_alive", "angle_median"


def rows(sae: str, architecture: str, recall: np.ndarray, coefficient: float = 0.2) -> pd.DataFrame:
    """One case; the angle is 40 degrees less the recall's share of them."""
    seeds = np.arange(len(recall))
    table = pd.DataFrame({"case": "a", "sae": sae, "seed": seeds, "chooses": choosing(seeds)})
    table = table.assign(architecture=architecture, sparsity_coefficient=coefficient, k=1)
    table = table.assign(**dict.fromkeys(MEASURES, 0.5))
    return table.assign(**{RECALL: recall, ANGLE: 40.0 * (1.0 - recall)})[list(COLUMNS)]


def test_half_of_the_toy_models_choose() -> None:
    assert choosing(np.array([3, 0, 2, 1, 3])).tolist() == [False, True, True, False, False]


@given(
    better=st.floats(0.6, 1.0),
    worse=st.floats(0.0, 0.5),
    reported=st.lists(st.floats(0, 1), min_size=N_SEEDS // 2, max_size=N_SEEDS // 2),
)
@settings(max_examples=20)
def test_a_level_is_chosen_apart_from_what_is_reported(
    better: float, worse: float, reported: list[float]
) -> None:
    """Whatever the toy models of the other half say, the choice is the same, and they are reported."""
    low, high = np.full(N_SEEDS, worse), np.full(N_SEEDS, better)
    low[1::2], high[1::2] = 1.0, reported
    saes = pd.concat([rows("one", "relu", low, 0.1), rows("one", "relu", high, 0.4)], ignore_index=True)
    assert chosen_level(saes) == (0.4, 1)
    (row,) = level_table(saes).to_dict("records")
    assert row["sparsity_coefficient"] == 0.4
    assert row[RECALL] == pytest.approx(np.mean(reported))
    assert (row["n_levels"], row["n_choosing"], row["n_reported"], row["is_held_out"]) == (2, 16, 16, True)


def test_of_levels_that_recall_as_much_the_smaller_angle_is_chosen() -> None:
    one, other = (rows("one", "relu", np.ones(N_SEEDS), coefficient) for coefficient in (0.1, 0.4))
    saes = pd.concat([one.assign(angle_median=9.0), other.assign(angle_median=3.0)], ignore_index=True)
    assert chosen_level(saes) == (0.4, 1)


def test_a_single_toy_model_chooses_and_is_reported() -> None:
    (row,) = level_table(rows("one", "relu", np.array([0.5]))).to_dict("records")
    assert (row["n_choosing"], row["n_reported"], row["is_held_out"]) == (1, 1, False)


def test_an_sae_without_a_living_latent_has_no_direction() -> None:
    lost = rows("one", "relu", np.zeros(N_SEEDS)).assign(angle_median=np.nan, angle_90=np.nan)
    (row,) = level_table(lost).to_dict("records")
    assert row["angle_median"] == row["angle_90"] == NO_DIRECTION


def test_contrasts_are_paired_and_judged_by_the_verdict_rule() -> None:
    """What varies between toy models, and not between SAEs, leaves a difference exact."""
    hardness = np.linspace(0.0, 0.5, N_SEEDS)
    saes = pd.concat(
        [
            rows("good", "topk", 1.0 - hardness),
            rows("same", "relu", 1.0 - hardness),
            rows("base", "random", 0.5 - hardness),
        ],
        ignore_index=True,
    )
    found = contrast_table(saes).set_index(["measure", "sae", "other"])
    assert len(found) == len(SMALLEST) * 3
    assert set(found["n_tests"]) == {len(found)}
    assert found["n_pairs"].tolist() == [N_SEEDS // 2] * len(found)
    recall = found.loc[RECALL]
    assert recall.loc[("good", "base"), "difference"] == pytest.approx(0.5)
    assert recall.loc[("good", "base"), "verdict"] == "larger"
    assert recall.loc[("good", "same"), "difference"] == pytest.approx(0.0)
    assert recall.loc[("good", "same"), "verdict"] == "alike"
    assert found.loc[(ANGLE, "same", "base"), "verdict"] == "smaller"
    assert found["other_is_baseline"].tolist() == [other == "base" for _, _, other in found.index]


def test_only_baselines_have_no_contrasts() -> None:
    assert contrast_table(rows("base", "pca", np.ones(N_SEEDS))).empty


def test_the_command_writes_both_tables(tmp_path: Path) -> None:
    saes = pd.concat([rows("a", "relu", np.ones(4)), rows("b", "pca", np.zeros(4))], ignore_index=True)
    write_table(saes, tmp_path / "saes.parquet", {"spec": {}, "code": "test"})
    levels, contrasts = tmp_path / "levels.parquet", tmp_path / "contrasts.parquet"
    outputs = ["--output-levels", str(levels), "--output-contrasts", str(contrasts)]
    assert main(["compare-saes", "--saes", str(tmp_path / "saes.parquet"), *outputs]) == 0
    pd.testing.assert_frame_equal(read_table(levels), level_table(saes), check_dtype=False)
    assert len(read_table(contrasts)) == len(SMALLEST)
