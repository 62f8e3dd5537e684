"""Values that each job depends on besides its input files; a rule runs again when one changes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from superposition_atlas import config as configuration
from superposition_atlas.config import Config, Map
from superposition_atlas.explorer.inputs import explorer_patterns, explorer_spec
from superposition_atlas.maps.comparison import searches_of
from superposition_atlas.maps.points import Point, cut, points_digest, points_of
from superposition_atlas.plan import targets
from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.plan.names import Wildcards
from superposition_atlas.storage import layout
from superposition_atlas.storage.code_digest import code_digest


def command_digest(command: str) -> str:
    """The code behind `python -m superposition_atlas COMMAND`."""
    return code_digest(f"superposition_atlas.cli.commands.{command}")


@dataclass(frozen=True)
class JobSpecs:
    """Params of the jobs of a configuration. Those that take `input` are never compared by Snakemake."""

    raw: Mapping[str, Any]
    """The configuration as it is written."""
    config: Config
    inputs: JobInputs

    # --- experiments

    def whole(self, wildcards: Wildcards, input: Any) -> str:
        """The whole configuration, as it is written."""
        return json.dumps(self.raw)

    def paper(self, wildcards: Wildcards, input: Any) -> str:
        """The configuration of a further paper: its experiments and maps, and what those are like."""
        sections = self.config.papers()[wildcards.paper]
        kept = {name for name, one in self.config.experiments.items() if one.section in sections}
        # A configuration has one experiment at least.
        names = list(kept or list(self.config.experiments)[:1])
        for name in names:
            origin = (self.raw["experiments"][name] or {}).get("like")
            if origin and origin not in names:
                names.append(origin)
        maps = {name for name, one in self.config.maps.items() if one.section in sections}
        parts = {
            "experiments": {key: one for key, one in self.raw["experiments"].items() if key in names},
            "maps": {key: one for key, one in self.raw.get("maps", {}).items() if key in maps},
        }
        return json.dumps(parts)

    def experiment(self, wildcards: Wildcards, input: Any) -> str:
        """An experiment as a configuration of its own; its cases stay in order, as in figures and tables."""
        return json.dumps(configuration.schedule_source(self.raw, wildcards.experiment))

    def case(self, wildcards: Wildcards, input: Any) -> str:
        """All that the toy models of a case depend on: only a change here trains them again."""
        spec = configuration.schedule_source(self.raw, wildcards.experiment, wildcards.case)
        return json.dumps(spec, sort_keys=True)

    def stores_of_same(self, wildcards: Wildcards, input: Any) -> list[str]:
        """Where toy models of the same schedules may be, of other cases: they need not be trained twice.

        It takes `input` so that no change among the other cases trains this one again.
        """
        here = (wildcards.experiment, wildcards.case)
        alike = self._cases_by_training[self._training_of(*here)]
        return [layout.store(f"experiments/{name}/{case}") for name, case in alike if (name, case) != here]

    @cached_property
    def _cases_by_training(self) -> dict[bytes, list[tuple[str, str]]]:
        found: dict[bytes, list[tuple[str, str]]] = {}
        for name, experiment in self.config.experiments.items():
            for case in experiment.cases:
                found.setdefault(self._training_of(name, case), []).append((name, case))
        return found

    def _training_of(self, name: str, case: str) -> bytes:
        """All that decides the toy model of a seed."""
        experiment = self.config.experiments[name]
        own = experiment.cases[case]
        settings = json.dumps([experiment.n_hidden, own.training.as_dict()])
        structure = b"" if own.structure is None else own.structure.tobytes()
        return settings.encode() + own.importance.tobytes() + own.probability.tobytes() + structure

    def sae(self, wildcards: Wildcards, input: Any) -> str:
        """All that an SAE depends on besides its toy models."""
        sae = self.config.experiments[wildcards.experiment].saes[wildcards.sae]
        spec = configuration.sae_spec(sae)
        if sae.source:
            spec["source"] = sae.source.replace("{case}", wildcards.case)
        return json.dumps(spec, sort_keys=True)

    def shard_arguments(self, wildcards: Wildcards) -> str:
        """Which shard of a case's seeds is trained."""
        shards = self.config.experiments[wildcards.experiment].shards
        return f"--shard {wildcards.shard} --shards {shards}"

    def shown_seeds(self, wildcards: Wildcards) -> int:
        """How many seeds figures draw."""
        return self.config.experiments[wildcards.experiment].shown_seeds

    # --- slides 3 and 4

    def playground(self, wildcards: Wildcards, input: Any) -> str:
        """All that slide 4's networks depend on, in the order of the configuration."""
        return json.dumps({name: network.spec for name, network in self.config.playground.items()})

    def attention(self, wildcards: Wildcards, input: Any) -> str:
        """All that slide 3's models depend on, in the order of the configuration."""
        return json.dumps({name: setting.spec for name, setting in self.config.attention.items()})

    def attention_heads(self, wildcards: Wildcards) -> str:
        """Numbers of heads by setting."""
        return json.dumps({name: list(setting.heads) for name, setting in self.config.attention.items()})

    def explorer(self, wildcards: Wildcards, input: Any) -> str:
        """Presets of the explorer, and how to read its atlas."""
        return explorer_spec(self.config)

    def explorer_schedules(self, wildcards: Wildcards) -> str:
        """Points of the explorer's atlas as a pattern for bash; empty without an atlas."""
        return explorer_patterns(self.config)["schedules"]

    def explorer_weights(self, wildcards: Wildcards) -> str:
        """Toy models of the explorer's atlas, likewise."""
        return explorer_patterns(self.config)["weights"]

    def explorer_solutions(self, wildcards: Wildcards) -> str:
        """Best solutions of the explorer's atlas, likewise."""
        return explorer_patterns(self.config)["solutions"]

    # --- maps

    @cached_property
    def _shard_points(self) -> dict[str, list[list[Point]]]:
        return {}

    def points_of_map(self, name: str) -> list[list[Point]]:
        """The points of each shard of a map."""
        if name not in self._shard_points:
            described = self.config.maps[name]
            self._shard_points[name] = cut(points_of(described), described.shards)
        return self._shard_points[name]

    def shard_digest(self, wildcards: Wildcards) -> str:
        """The points of one shard: another point of the map does not concern it."""
        return points_digest(self.points_of_map(wildcards.map)[int(wildcards.shard)])

    def map_points(self, wildcards: Wildcards, input: Any) -> str:
        """Input of the points of a map; `shard_digest` is the digest of one shard's points."""
        described = self._map(wildcards)
        spec = {key: getattr(described, key) for key in ("n_features", "n_hidden", "points")}
        return json.dumps(spec, sort_keys=True)

    def map_training(self, wildcards: Wildcards, input: Any) -> str:
        """All that the toy models of a map depend on besides their points."""
        described = self._map(wildcards)
        variants = {name: training.as_dict() for name, training in described.variants.items()}
        spec = {"seeds": configuration.seeds_as_written(described.seeds), "variants": variants}
        return json.dumps(spec, sort_keys=True)

    def atlas_variant(self) -> str:
        """The variant of the atlas that the talk's observations are judged by; empty without an atlas."""
        atlas = self.config.map_of_role("observations")
        return atlas.main_variant if atlas else ""

    def general_variant(self) -> str:
        """The variant of the random schedules that stand for all; empty without such a map."""
        described = targets.general_map(self.config)
        return described.main_variant if described else ""

    def map_shards(self, wildcards: Wildcards) -> int:
        """Number of shards."""
        return self._map(wildcards).shards

    def map_searches(self, wildcards: Wildcards) -> list[str]:
        """Searches for best solutions that the variants are compared with, by the bias that each holds."""
        return list(searches_of(training.as_dict() for training in self._map(wildcards).variants.values()))

    def map_starts(self, wildcards: Wildcards) -> int:
        """Random starts of each search."""
        return self._map(wildcards).n_starts

    def points_pattern(self, wildcards: Wildcards) -> str:
        """Points of all shards as a pattern for bash: a command as long as all paths would be refused."""
        return self._pattern(wildcards, "points")

    def weights_pattern(self, wildcards: Wildcards) -> str:
        """Toy models of all shards, as `points_pattern`."""
        return self._pattern(wildcards, "weights")

    def solutions_pattern(self, wildcards: Wildcards) -> str:
        """Best solutions of all shards, as `points_pattern`."""
        return self._pattern(wildcards, "solutions")

    def _pattern(self, wildcards: Wildcards, table: str) -> str:
        described = self._map(wildcards)
        if table not in targets.map_parts(described):
            return ""
        return layout.map_part(wildcards.map, table, f"{{0..{described.shards - 1}}}")

    def _map(self, wildcards: Wildcards) -> Map:
        return self.config.maps[wildcards.map]

    # --- figures

    def figure(self, wildcards: Wildcards, input: Any) -> str:
        """Module, inputs and options of a figure."""
        figure = self.inputs.figures[wildcards.figure]
        inputs = {role: self.inputs.source(path) for role, path in figure.inputs.items()}
        return json.dumps({"module": figure.module, "inputs": inputs, "options": figure.options})

    def figure_digest(self, wildcards: Wildcards) -> str:
        """The code of this figure's module and of what every figure shares."""
        return code_digest(
            "superposition_atlas.cli.commands.figure",
            f"superposition_atlas.figures.draw.{self.inputs.figures[wildcards.figure].module}",
        )

    def figure_labels(self, wildcards: Wildcards) -> dict[str, str]:
        """Labels that distinguish a figure from others of its module."""
        return dict(sorted(self.inputs.figures[wildcards.figure].labels.items()))

    def report_labels(self, wildcards: Wildcards) -> dict[str, str]:
        """Labels of a figure in Snakemake's report."""
        labels = {"figure": wildcards.figure, **self.figure_labels(wildcards)}
        # Snakemake takes braces in a title for wildcards, unless an (invisible) word joiner follows.
        return {key: text.replace("{", "{\u2060") for key, text in labels.items()}

    def figure_category(self, wildcards: Wildcards) -> str:
        """Section of a figure."""
        return self.inputs.figures[wildcards.figure].category
