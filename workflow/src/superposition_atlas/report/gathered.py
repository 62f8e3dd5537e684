"""All facts of the report, read once: what a configuration lacks is empty."""

from dataclasses import dataclass
from pathlib import Path

from superposition_atlas.config import Experiment
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.report.facts import (
    attention,
    distinct_trainings,
    general_facts,
    observation_facts,
    playground,
    sae_recovery_facts,
    schedules,
    toy_models,
)
from superposition_atlas.report.ledger import Ledger, read_csv
from superposition_atlas.report.sentences.opening import Findings
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout


@dataclass(frozen=True)
class Gathered:
    """Facts by subject, and the ledger of the numbers in them."""

    ledger: Ledger
    talk: Experiment | None
    """The experiment of the talk's size."""
    post: Experiment | None
    cases: dict[str, list[toy_models.CaseFacts]]
    """Cases by experiment, in the configuration's order."""
    matched: list[tuple[Experiment, list[toy_models.MatchedFacts]]]
    """The post's experiment and others of its size."""
    norms: list[tuple[Experiment, list[toy_models.NormFacts]]]
    published: dict[str, float]
    atlas: schedules.AtlasFacts | None
    predictor: schedules.PredictorFacts | None
    prospective: list[schedules.ProspectiveRow]
    comparisons: list[sae_recovery_facts.ComparisonFacts]
    n_models: int
    """Distinct toy models of all experiments."""
    n_saes: int
    """Distinct SAEs of all experiments."""
    attention: list[attention.LayerFacts]
    playground: list[playground.NetworkFacts]
    observations: list[observation_facts.ObservationFacts]
    general: list[general_facts.GeneralFacts]

    def experiment(self, name: str) -> Experiment:
        """An experiment by name."""
        return self.ledger.sources.config.experiments[name]

    def tested(self, *, like: Experiment | None, but: bool = False) -> list[Experiment]:
        """Tested experiments of the size of one, or, with `but`, those of its size without itself."""
        size = (like.n_features, like.n_hidden) if like else None
        return [
            each
            for each in self.ledger.sources.config.experiments.values()
            if each.claims and (each.n_features, each.n_hidden) == size and not (but and each is like)
        ]

    def each_case(self) -> list[toy_models.CaseFacts]:
        """Cases of all experiments; toy models that two of them share count once."""
        experiments = list(self.ledger.sources.config.experiments.values())
        named = {(name, case.name): case for name, own in self.cases.items() for case in own}
        return [named[place] for place in distinct_trainings.distinct_cases(experiments) if place in named]

    def findings(self) -> Findings:
        """What abstract, summary and terminal are about."""
        return Findings(
            n_models=self.n_models,
            five=self.cases[self.talk.name] if self.talk else [],
            n_five=self.talk.n_features if self.talk else 0,
            matched=[facts for _, own in self.matched for facts in own],
            atlas=self.atlas,
            predictor=self.predictor,
            prospective=self.prospective if self.post else [],
            observations=self.observations,
            slides=self.talk.name if self.talk else "",
            post=self.post.name if self.post else "",
        )


def gather(sources: Sources) -> Gathered:
    """Reads all tables.

    Raises:
        ArtefactError: one line that names the file that is missing or damaged, or lacks a column.
    """
    ledger = Ledger(sources)
    config = sources.config
    published = published_norms(sources.published)
    beside = catalogue.beside_the_published_norms(config)
    with_saes = [experiment for experiment in config.experiments.values() if experiment.saes]
    post = config.experiment_of_role("post")
    cases = {name: toy_models.cases(ledger, own) for name, own in config.experiments.items()}
    _note_sums(ledger, cases)
    ledger.note(str(sources.published), "published", published)
    return Gathered(
        ledger=ledger,
        talk=config.experiment_of_role("slides"),
        post=post,
        cases=cases,
        matched=[(own, toy_models.matched(ledger, own)) for own in beside if catalogue.matched_cases(own)],
        norms=[(own, toy_models.norms(ledger, own, published)) for own in beside],
        published=published,
        atlas=schedules.atlas(ledger),
        predictor=schedules.predictor(ledger),
        prospective=schedules.prospective(ledger) if post else [],
        comparisons=[
            sae_recovery_facts.comparison(ledger, experiment)
            for experiment in with_saes
            if experiment.compares_architectures
        ],
        n_models=distinct_trainings.n_toy_models(ledger, list(config.experiments.values())),
        n_saes=distinct_trainings.n_saes(ledger, with_saes),
        attention=attention.layers(ledger),
        playground=playground.networks(ledger),
        observations=observation_facts.observations(ledger),
        general=general_facts.general(ledger),
    )


def _note_sums(ledger: Ledger, cases: dict[str, list[toy_models.CaseFacts]]) -> None:
    for name, own in cases.items():
        table = layout.experiment_table(name, "models")
        if observed := toy_models.unequal(own):
            ledger.note(table, f"{name}.pooled", toy_models.pooled(observed))


def published_norms(path: Path) -> dict[str, float]:
    """Published Frobenius norms by case.

    Raises:
        ArtefactError: if the table can't be read, lacks a column, or has something else than numbers.
    """
    table = read_csv(path, ("case", "published_norm"))
    try:
        return dict(zip(table["case"].astype(str), table["published_norm"].astype(float), strict=True))
    except ValueError as error:
        raise ArtefactError(f"{path}: not a table of published norms ({error})") from None
