"""Sections of the paper about fractions of a dimension: sentences and verdicts follow from the tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.metrics.polytopes import EVERY, POLYTOPES
from superposition_atlas.report.markup import plain
from superposition_atlas.report.papers import energy_levels, geometry, vulnerability

SIZE = SimpleNamespace(n_features=200, n_hidden=20, name="own", cases={})
OTHER_SIZE = SimpleNamespace(n_features=40, n_hidden=6, name="own", cases={})


def fractions(levels, near, chance, in_polytope=1.0, n_runs=6):
    """Rows of runs with so many of 20 levels near 1/2, and so many of 1000 features on each line."""
    rows = []
    for run in range(n_runs):
        for name in (*(polytope.written for polytope in POLYTOPES), EVERY):
            n = near * (len(POLYTOPES) if name == EVERY else 1) + run % 2
            rows.append(
                {
                    "case": "only",
                    "run": run,
                    "fraction": name,
                    "n_levels": 20,
                    "n_levels_near": levels + run % 2,
                    "n_levels_by_chance": 0.8,
                    "n_features": 1000,
                    "n_near": n,
                    "n_near_by_chance": chance,
                    "n_on_line": n,
                    "n_on_line_by_chance": chance,
                    "n_in_polytope": round(in_polytope * n),
                    "polytope_on_line": "digon",
                    "n_of_polytope": 20,
                    "mean_of_polytope": 0.4,
                }
            )
    return pd.DataFrame(rows)


def verdicts(statements):
    return [statement.verdict for statement in statements]


def test_geometry_is_supported_where_lines_stand_out():
    facts = geometry.facts_of(fractions(levels=4, near=40, chance=5))
    assert verdicts(geometry._statements(SIZE, facts)) == ["supported"] * 4
    assert (facts.fewest_levels, facts.most_levels) == (4, 5)


def test_geometry_is_contradicted_where_nothing_stands_out():
    facts = geometry.facts_of(fractions(levels=0, near=5, chance=5, in_polytope=0.0))
    found = verdicts(geometry._statements(SIZE, facts))
    assert found[0] != "supported"
    assert found[2:] == ["contradicted"] * 2


def test_few_runs_decide_nothing():
    facts = geometry.facts_of(fractions(levels=4, near=40, chance=5, n_runs=1))
    assert set(verdicts(geometry._statements(SIZE, facts))) == {"open"}


def test_the_published_run_is_named_at_its_size_alone():
    facts = geometry.facts_of(fractions(levels=4, near=40, chance=5))
    own, other = (
        " ".join((*geometry._sentences(size, facts), *(s.found for s in geometry._statements(size, facts))))
        for size in (SIZE, OTHER_SIZE)
    )
    assert "4 of 20 levels" in own
    assert "26\u202f%" in own
    assert "notebook" not in other


def test_a_line_of_another_polytope_is_said():
    facts = geometry.facts_of(fractions(levels=4, near=40, chance=5, in_polytope=0.1))
    found = geometry._statements(SIZE, facts)[3]
    assert found.verdict == "contradicted"
    assert "2/5 10\u202f% (mostly digons, contradicted)" in found.found
    assert "1/2 10\u202f% (contradicted)" in found.found


def test_one_line_of_another_polytope_is_enough_to_contradict():
    table = fractions(levels=4, near=40, chance=5)
    of_eights = table["fraction"] == "3/8"
    table.loc[of_eights, "n_in_polytope"] = 0
    table.loc[of_eights, "polytope_on_line"] = "pentagon"
    found = geometry._statements(SIZE, geometry.facts_of(table))[3]
    assert found.verdict == "contradicted"
    assert "3/8 0\u202f% (mostly pentagons, contradicted)" in found.found
    assert "1/2 100\u202f% (supported)" in found.found


def rates(n_jumps, n_smooth, rank, n=8):
    return pd.DataFrame(
        {
            "case": "only",
            "seed": range(n),
            "n_jumps": n_jumps,
            "n_up": 1,
            "n_swaps": 2,
            "n_jumps_smooth": n_smooth,
            "n_jumps_shuffled": 0,
            "n_events": n_jumps,
            "event_rank": rank if n_jumps else np.nan,
            "share_falling": 1.0 if n_jumps else np.nan,
            "share_falling_elsewhere": 0.5,
        }
    )


JUMPS = pd.DataFrame({"case": "only", "step": [100, 200], "before": [0.1, 0.2], "after": [0.0, 0.5]})


@pytest.mark.parametrize(
    ("n_jumps", "n_smooth", "rank", "expected"),
    [
        (10, 0, 0.8, ["supported", "supported"]),
        (10, 10, 0.5, ["contradicted", "contradicted"]),
        (0, 0, np.nan, ["contradicted", "open"]),
    ],
)
def test_jumps_are_judged_beside_paths_without_any(n_jumps, n_smooth, rank, expected):
    jumps = JUMPS if n_jumps else JUMPS.iloc[:0]
    facts = energy_levels.facts_of(rates(n_jumps, n_smooth, rank), jumps)
    assert verdicts(energy_levels._statements("", facts, True)) == expected
    assert all("nan" not in plain(sentence) for sentence in energy_levels._sentences(facts) if sentence)


def attacks(one, each, n_runs=6):
    """Rows of runs over five densities whose vulnerability is a power of features per dimension."""
    density = np.array([1.0, 0.5, 0.2, 0.1, 0.05])
    features = 1.0 / density**0.6
    parts = [
        pd.DataFrame(
            {
                "case": "only",
                "run": run,
                "mean_probability": density,
                "features_per_dimension": features * (1 + 0.001 * run),
                "vulnerability_one_attack": features**one * (1 + 0.002 * run),
                "vulnerability": features**each * (1 + 0.002 * run),
            }
        )
        for run in range(n_runs)
    ]
    return pd.concat(parts)


def test_vulnerability_is_judged_by_its_rise_and_its_ranks():
    facts = vulnerability.facts_of(attacks(one=1.0, each=0.1))
    assert verdicts(vulnerability._statements(facts)) == ["supported"] * 2 + ["contradicted", "supported"]
    assert facts.attacks[0].power.mean == pytest.approx(1.0, abs=1e-6)
    assert facts.attacks[0].rise.mean == pytest.approx(20**0.6, rel=1e-6)


def test_vulnerability_that_falls_is_contradicted():
    facts = vulnerability.facts_of(attacks(one=-1.0, each=1.0))
    assert verdicts(vulnerability._statements(facts))[:2] == ["contradicted"] * 2
