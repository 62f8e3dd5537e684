"""How many toy models and SAEs were trained: what stands in two experiments counts once."""

import json
from collections.abc import Hashable, Sequence

from superposition_atlas.config import Case, Experiment
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

_RECORDED = "record_steps"
"""What is recorded on the way changes nothing that is trained."""
_LEVELS = ["sparsity_coefficient", "k"]


def n_toy_models(ledger: Ledger, experiments: Sequence[Experiment]) -> int:
    """Number of distinct toy models: of size, schedule in the order of features, training and seed.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    distinct: set[Hashable] = set()
    for experiment in experiments:
        path = layout.experiment_table(experiment.name, "models")
        trained = ledger.read(path, ["case", "seed"])
        names = _toy_models(experiment)
        distinct |= {names[case, seed] for case, seed in zip(trained["case"], trained["seed"], strict=True)}
        ledger.note(path, "n_models_so_far", len(distinct))
    return len(distinct)


def n_saes(ledger: Ledger, experiments: Sequence[Experiment]) -> int:
    """Number of distinct SAEs: of toy model, settings and level.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    distinct: set[Hashable] = set()
    for experiment in experiments:
        path = layout.experiment_table(experiment.name, "saes")
        fitted = ledger.read(path, ["case", "seed", "sae", *_LEVELS])
        names = _toy_models(experiment)
        settings = {
            name: json.dumps({key: value for key, value in sae.settings.items() if key not in _LEVELS})
            for name, sae in experiment.saes.items()
        }
        for case, seed, sae, *level in fitted.itertuples(index=False):
            distinct.add((names[case, seed], settings[sae], *map(float, level)))
        ledger.note(path, "n_saes_so_far", len(distinct))
    return len(distinct)


def distinct_cases(experiments: Sequence[Experiment]) -> list[tuple[str, str]]:
    """Experiment and case of each set of toy models; of cases with the same ones the first."""
    found: dict[Hashable, tuple[str, str]] = {}
    for experiment in experiments:
        names = _toy_models(experiment)
        for case in experiment.cases:
            trained = frozenset(names[case, seed] for seed in experiment.seeds)
            found.setdefault(trained, (experiment.name, case))
    return list(found.values())


def _toy_models(experiment: Experiment) -> dict[tuple[str, int], Hashable]:
    """What each toy model's training depends on, by case and seed."""
    return {
        (case.name, seed): (experiment.n_hidden, *_schedule(case, place), _training(case), seed)
        for case in experiment.cases.values()
        for place, seed in enumerate(experiment.seeds)
    }


def _schedule(case: Case, place: int) -> tuple[bytes, bytes]:
    """Importance and probability of the toy model at a place among the seeds: variants take turns."""
    values = (case.importance, case.probability)
    importance, probability = (rows[place % len(rows)].tobytes() for rows in values)
    return importance, probability


def _training(case: Case) -> str:
    settings = {name: value for name, value in case.training.as_dict().items() if name != _RECORDED}
    return json.dumps(settings, sort_keys=True)
