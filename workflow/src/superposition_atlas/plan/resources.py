"""Time, memory and threads that each job asks for; each attempt asks for as much again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from superposition_atlas.backends.gpu import gpu_is_asked_for
from superposition_atlas.config import Config, costs
from superposition_atlas.maps.comparison import searches_of
from superposition_atlas.plan.names import Wildcards
from superposition_atlas.plan.specs import JobSpecs
from superposition_atlas.toy_model import TrainingSettings

Resource = Callable[[Wildcards, int], int]
"""Snakemake calls it with a job's wildcards and `attempt`."""

_MATCHING_SECONDS, _MATCHING_FEATURES = 0.5, 100
"""What the matching of a schedule and its comparison take at most with so many features; the time grows like
their square."""
_SEARCH_STARTS = 12
"""Random starts of a search for an experiment's best solutions."""
_PLAYGROUND_STEPS = 5000 * 64
"""Steps of slide 4's networks a second, all networks together."""
_SCORES = 1e8
"""Scores of slide 3's attention a second."""
_CLUSTER_THREADS = 2


class Size(Protocol):
    """Attributes that an experiment and a map have in common."""

    @property
    def n_features(self) -> int:
        """Number of features."""
        ...

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions."""
        ...


def minutes(amount: int) -> Resource:
    """The resource `runtime` of a command that never takes longer."""

    def runtime(wildcards: Wildcards, attempt: int) -> int:
        return attempt * amount

    return runtime


def megabytes(amount: float) -> Resource:
    """The resource `mem_mb` of a command that takes no more, whatever it has to do."""

    def mem_mb(wildcards: Wildcards, attempt: int) -> int:
        return costs.megabytes(amount, attempt=attempt)

    return mem_mb


@dataclass(frozen=True)
class JobResources:
    """JobResources of the jobs of a configuration, by the wildcards of a rule."""

    config: Config
    specs: JobSpecs
    cores: int | None
    """Cores that all jobs share; None on a cluster, where each job has cores of its own."""

    @property
    def gpus(self) -> int:
        """GPUs of a training job: one if the configuration asks for it."""
        return int(gpu_is_asked_for(self.config.engine, self.config.device))

    def twins(self, wildcards: Wildcards) -> int:
        """One where another case has the same toy models: of such jobs the profile lets one run at a time.

        The later one then finds in the other's store what it would train.
        """
        return int(bool(self.specs.stores_of_same(wildcards, None)))

    def _training_seconds(self, n_models: int, size: Size, training: TrainingSettings) -> float:
        work = costs.training_operations(
            n_models, size.n_features, size.n_hidden, training.steps, training.batch_size
        )
        engine = "cuda" if self.gpus else "torch" if self.config.engine == "torch" else "fused"
        return work / costs.RATES[engine]

    # --- experiments

    def _seeds_of_shard(self, wildcards: Wildcards) -> int:
        """Expected number of seeds in a shard; a hash assigns them, so shards differ a little."""
        experiment = self.config.experiments[wildcards.experiment]
        return -(-len(experiment.seeds) // experiment.shards)

    def train_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Training of one shard of a case."""
        experiment = self.config.experiments[wildcards.experiment]
        training = experiment.cases[wildcards.case].training
        seconds = self._training_seconds(self._seeds_of_shard(wildcards), experiment, training)
        return costs.minutes(seconds, attempt)

    def train_threads(self, wildcards: Wildcards) -> int:
        """One where there are cases for every core: while a case starts or ends, others keep all busy."""
        if self.cores is None:
            return _CLUSTER_THREADS
        n_cases = sum(len(experiment.cases) for experiment in self.config.experiments.values())
        return max(1, self.cores // max(n_cases, 1))

    def train_megabytes(self, wildcards: Wildcards, attempt: int) -> int:
        """Compiler and libraries, and what grows with the ensemble."""
        per_seed = _weight_bytes(self.config.experiments[wildcards.experiment]) * 10 + 1000
        return costs.megabytes(1500, self._seeds_of_shard(wildcards) * per_seed, attempt)

    def ensemble_megabytes(self, wildcards: Wildcards, attempt: int) -> int:
        """Libraries, and all toy models of a case in a few copies."""
        experiment = self.config.experiments[wildcards.experiment]
        per_seed = _weight_bytes(experiment) * 4 + 1000
        return costs.megabytes(1000, len(experiment.seeds) * per_seed, attempt)

    def sae_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Training of the SAEs of one name."""
        experiment = self.config.experiments[wildcards.experiment]
        sae = experiment.saes[wildcards.sae]
        work = costs.sae_operations(len(sae.seeds), experiment.n_hidden, sae.settings)
        return costs.minutes(work / costs.RATES["fused"], attempt)

    def losses_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Searches for the best solutions of all cases."""
        experiment = self.config.experiments[wildcards.experiment]
        cases = experiment.cases.values()
        kinds = len(searches_of(case.training.as_dict() for case in cases))
        searches = kinds * sum(len(case.probability) for case in cases)
        return costs.minutes(costs.search_seconds(searches, experiment.n_features, _SEARCH_STARTS), attempt)

    def matching_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Matchings of the schedules of all cases."""
        experiment = self.config.experiments[wildcards.experiment]
        n_schedules = sum(len(case.probability) for case in experiment.cases.values())
        return costs.minutes(_matching_seconds(n_schedules, experiment), attempt)

    # --- maps

    def _points_of_shard(self, wildcards: Wildcards) -> int:
        return len(self.specs.points_of_map(wildcards.map)[int(wildcards.shard)])

    def map_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Training of all variants at the points of a shard."""
        described = self.config.maps[wildcards.map]
        models = self._points_of_shard(wildcards) * len(described.seeds)
        variants = described.variants.values()
        return costs.minutes(
            sum(self._training_seconds(models, described, training) for training in variants), attempt
        )

    def solve_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Searches for best solutions at the points of a shard."""
        described = self.config.maps[wildcards.map]
        searches = self._points_of_shard(wildcards) * len(self.specs.map_searches(wildcards))
        seconds = costs.search_seconds(searches, described.n_features, described.n_starts)
        return costs.minutes(seconds, attempt)

    def map_matching_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Matchings at all points of a map, beside each variant."""
        described = self.config.maps[wildcards.map]
        n_points = sum(len(points) for points in self.specs.points_of_map(wildcards.map))
        seconds = _matching_seconds(n_points * len(described.variants), described)
        return costs.minutes(seconds, attempt)

    def map_megabytes(self, wildcards: Wildcards, attempt: int) -> int:
        """Compiler and libraries, and a table of all toy models of the shard."""
        described = self.config.maps[wildcards.map]
        models = self._points_of_shard(wildcards) * len(described.seeds) * len(described.variants)
        return costs.megabytes(1500, models * _row_bytes(described), attempt)

    def measure_megabytes(self, wildcards: Wildcards, attempt: int) -> int:
        """Libraries, and the toy models of the largest shard, feature by feature."""
        described = self.config.maps[wildcards.map]
        most = max(len(points) for points in self.specs.points_of_map(wildcards.map))
        models = most * len(described.seeds) * len(described.variants)
        couplings = described.n_features**2 * 32
        return costs.megabytes(1000, models * (_row_bytes(described) + couplings), attempt)

    # --- slides 3 and 4

    def playground_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """All networks: 32 of them take as long to start as 32 more would."""
        networks = self.config.playground.values()
        steps = sum(network.settings.steps * (len(network.seeds) + 32) for network in networks)
        return costs.minutes(steps / _PLAYGROUND_STEPS, attempt)

    def attention_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """All settings of attention."""
        scores = sum(
            len(setting.seeds)
            * sum(setting.heads)
            * setting.training["steps"]
            * setting.training["batch_size"]
            * setting.training["n_keys"]
            for setting in self.config.attention.values()
        )
        return costs.minutes(scores / _SCORES, attempt)


def _matching_seconds(n_schedules: int, size: Size) -> float:
    return n_schedules * _MATCHING_SECONDS * max(1.0, size.n_features / _MATCHING_FEATURES) ** 2


def _weight_bytes(size: Size) -> int:
    """Bytes of a toy model."""
    return size.n_features * (size.n_hidden + 1) * 4


def _row_bytes(size: Size) -> int:
    """Bytes of a toy model in a table, with what pandas needs to join tables."""
    return size.n_features * (size.n_hidden + 1) * 40 + 1000
