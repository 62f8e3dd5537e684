"""Counts of toy models and SAEs: what stands in two experiments counts once."""

from typing import Any

import pandas as pd
from superposition_atlas import config
from superposition_atlas.report.facts.distinct_trainings import distinct_cases, n_saes, n_toy_models
from superposition_atlas.report.ledger import Ledger

SAE = {"n_latents": 3, "steps": 4, "seeds": 2, "sparsity_coefficient": [0.1, 0.2]}


def experiment(**changes: Any) -> dict[str, Any]:
    described = {
        "n_features": 3,
        "n_hidden": 1,
        "seeds": 4,
        "importance": {"family": "constant", "value": 1.0},
        "probability": {"family": "linear", "first": 0.9, "last": 0.1},
        "cases": {"one": {}},
        "saes": {"relu": SAE},
    }
    return described | changes


def counted(**experiments: dict[str, Any]) -> tuple[int, int]:
    found = list(config.load({"experiments": experiments}).experiments.values())
    tables = {}
    for own in found:
        toy = [{"case": case, "seed": seed} for case in own.cases for seed in own.seeds]
        saes = [
            {"case": case, "seed": seed, "sae": name, "sparsity_coefficient": level, "k": 0}
            for name, sae in own.saes.items()
            for case in own.cases
            for seed in sae.seeds
            for level in sae.settings["sparsity_coefficient"]
        ]
        tables |= {(own.name, "models"): pd.DataFrame(toy), (own.name, "saes"): pd.DataFrame(saes)}

    class Tables(Ledger):
        def __init__(self) -> None:
            self.numbers = []

        def read(self, path: str, columns: Any) -> pd.DataFrame:
            name, table = path.split("/")[-2:]
            return tables[name, table.removesuffix(".parquet")][list(columns)]

    ledger = Tables()
    total = n_toy_models(ledger, found), n_saes(ledger, [own for own in found if own.saes])
    assert total[0] in [number["value"] for number in ledger.numbers]
    return total


def test_the_same_training_in_two_experiments_counts_once() -> None:
    assert counted(a=experiment()) == (4, 4)
    assert counted(a=experiment(), b=experiment()) == (4, 4)
    # More seeds in one: the first ones are shared, and so are their SAEs.
    assert counted(a=experiment(), b=experiment(seeds=6)) == (6, 4)
    assert counted(a=experiment(), b=experiment(training={"record_steps": [1]})) == (4, 4)


def test_another_schedule_size_training_or_sae_is_another() -> None:
    others: list[dict[str, Any]] = [
        {"probability": {"family": "linear", "first": 0.1, "last": 0.9}},
        {"n_hidden": 2},
        {"training": {"steps": 7}},
    ]
    for change in others:
        assert counted(a=experiment(), b=experiment(**change)) == (8, 8), change
    assert counted(a=experiment(), b=experiment(saes={"other": SAE | {"steps": 5}})) == (4, 8)
    assert counted(a=experiment(), b=experiment(saes={"other": SAE})) == (4, 4), "a name trains nothing"
    assert counted(
        a=experiment(), b=experiment(saes={"relu": SAE | {"sparsity_coefficient": [0.2, 0.3]}})
    ) == (4, 6)


def test_densities_that_take_turns_go_with_their_seeds() -> None:
    of = {"family": "geometric", "first": 1.0, "last": 0.1}
    turns = {"probability": {"family": "per_instance", "of": of, "count": 2}}
    cases = {"uniform": turns, "again": turns, "one": {}}
    assert counted(a=experiment(cases=cases, saes={}))[0] == 8


def test_cases_with_the_same_toy_models_are_one() -> None:
    raw = {"experiments": {"a": experiment(), "b": experiment(cases={"one": {}, "other": OTHER})}}
    experiments = list(config.load(raw).experiments.values())
    assert distinct_cases(experiments) == [("a", "one"), ("b", "other")]


OTHER = {"probability": {"family": "constant", "value": 0.2}}
