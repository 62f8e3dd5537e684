import numpy as np
import pytest
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.pair_phases import pair_phases, phase_boundaries, phase_of

GRID = (0.05, 0.35, 0.65, 0.95)


def test_phases_of_weights() -> None:
    W = np.array([[[1.0, 0.0]], [[0.2, -0.9]], [[1.0, -0.8]], [[0.8, 0.7]], [[0.1, 0.1]]])
    assert phase_of(W).tolist() == ["first", "second", "shared", "aligned", "neither"]


def test_the_matching_shares_only_what_the_optimum_shares() -> None:
    table = pair_phases(GRID, importance_ratios=(1.0, 0.6, 0.3))
    # The optimum also bends scales and biases, so that sharing costs a little less: it shares a little more.
    assert (table.loc[table["rule"] == "shared", "optimum"] == "shared").all()
    assert (table["loss_share_optimum"] <= table["loss_share_rule"] + 1e-9).all()
    assert (table["optimum"] == table["rule"]).mean() > 0.75
    assert set(table["optimum"]) == {"first", "second", "shared"}


def test_with_equal_features_the_diagram_is_symmetric() -> None:
    table = pair_phases(GRID[:3], importance_ratios=(1.0,)).set_index(["p_1", "p_2"])
    mirrored = {"first": "second", "second": "first", "shared": "shared"}
    for p_1, p_2 in table.index:
        if p_1 != p_2:
            for column in ("optimum", "rule"):
                assert table.loc[(p_2, p_1), column] == mirrored[table.loc[(p_1, p_2), column]]


@pytest.mark.parametrize("ratio", [1.0, 0.6, 0.3])
def test_the_matching_changes_at_the_boundaries(ratio: float) -> None:
    lines = phase_boundaries(np.linspace(0.02, 1.0, 12), importance_ratios=(ratio,))
    inside = lines[(lines["p_1"].between(0.03, 0.97)) & (lines["p_2"].between(0.03, 0.97))]
    seen = set()
    for _, row in inside.iterrows():
        axis = 0 if row["boundary"] == "second absent" else 1
        p = np.array([row["p_1"], row["p_2"]])
        step = np.where(np.arange(2) == axis, 0.01, 0.0)
        below, above = (match([1.0, ratio], p + sign * step, 1) for sign in (-1, 1))
        # Where the other's line is crossed before, both sides have one feature alone.
        if below.pairs:
            seen.add(row["boundary"])
            assert above.alone == ((0,) if axis == 0 else (1,))
    assert "second absent" in seen
