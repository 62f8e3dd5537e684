"""Input files of each job."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from superposition_atlas.config import Config
from superposition_atlas.explorer.inputs import explorer_inputs
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.catalogue import FigureTarget
from superposition_atlas.plan import targets
from superposition_atlas.plan.names import Wildcards
from superposition_atlas.storage import layout


@dataclass(frozen=True)
class JobInputs:
    """Input files of the jobs of a configuration, by the wildcards of a rule."""

    config: Config
    root: str = "."
    """The checkout, as the working directory sees it."""

    def source(self, path: str) -> str:
        """A file of the checkout; one of results/ is as it is."""
        is_result = path.startswith(f"{layout.RESULTS}/")
        return path if is_result else os.path.normpath(os.path.join(self.root, path))

    def shards_of_case(self, wildcards: Wildcards) -> list[str]:
        """Toy models of all shards of a case."""
        shards = range(self.config.experiments[wildcards.experiment].shards)
        return [layout.model_shard(wildcards.experiment, wildcards.case, shard) for shard in shards]

    def models_of_experiment(self, wildcards: Wildcards) -> list[str]:
        """Toy models of all cases."""
        name = wildcards.experiment
        return [layout.models(name, case) for case in self.config.experiments[name].cases]

    def matched_models(self, wildcards: Wildcards) -> list[str]:
        """Toy models of all cases for which the matching's costs hold."""
        name = wildcards.experiment
        cases = catalogue.matched_cases(self.config.experiments[name])
        return [layout.models(name, case.name) for case in cases]

    def structured_models(self, wildcards: Wildcards) -> str:
        """Toy models whose structure says which features depend on one another: those of the case, or, of a
        control with independent features, of the experiment's first case that has one.
        """
        cases = self.config.experiments[wildcards.experiment].cases
        structured = [case.name for case in cases.values() if case.structure is not None]
        name = wildcards.case if wildcards.case in structured else next(iter(structured), wildcards.case)
        return layout.models(wildcards.experiment, name)

    def sae_source(self, wildcards: Wildcards) -> list[str]:
        """Files of SAEs from elsewhere; of a function its module, where it is a file of this folder."""
        sae = self.config.experiments[wildcards.experiment].saes[wildcards.sae]
        if not sae.source:
            return []
        source = sae.source.replace("{case}", wildcards.case)
        module = Path(source.partition(":")[0].replace(".", "/")).with_suffix(".py")
        paths = [Path(source.replace("{seed}", str(seed))) for seed in sae.seeds]
        files = [file for path in (module, *paths) for file in (path, *path.glob("*")) if file.is_file()]
        return list(dict.fromkeys(map(str, files)))

    def saes_of_case(self, wildcards: Wildcards) -> list[str]:
        """All SAEs on the toy models of a case."""
        saes = self.config.experiments[wildcards.experiment].saes
        return [layout.saes(wildcards.experiment, wildcards.case, sae) for sae in saes]

    def tables_of_cases(self, wildcards: Wildcards) -> list[str]:
        """One table of all cases."""
        name = wildcards.experiment
        return [
            layout.case_table(name, case, wildcards.table) for case in self.config.experiments[name].cases
        ]

    def tested_schedules(self) -> list[str]:
        """Schedules of every experiment on which the talk's observations are tested."""
        return [layout.schedules(name) for name in targets.tested(self.config)]

    def tested_features(self) -> list[str]:
        """Measured features of those experiments."""
        return [layout.experiment_table(name, "features") for name in targets.tested(self.config)]

    def map_points(self, wildcards: Wildcards) -> list[str]:
        """Points of all shards of a map."""
        return self._map_part(wildcards.map, "points")

    def map_weights(self, wildcards: Wildcards) -> list[str]:
        """Toy models of all shards of a map, if it has any."""
        return self._map_part(wildcards.map, "weights")

    def map_solutions(self, wildcards: Wildcards) -> list[str]:
        """Best solutions of all shards of a map, if they are searched for."""
        return self._map_part(wildcards.map, "solutions")

    def trained_in_shard(self, wildcards: Wildcards) -> list[str]:
        """Toy models of one shard, where the map has any."""
        has_seeds = bool(self.config.maps[wildcards.map].seeds)
        return [layout.map_part(wildcards.map, "weights", wildcards.shard)] if has_seeds else []

    def _map_part(self, name: str, table: str) -> list[str]:
        described = self.config.maps[name]
        has_table = table in targets.map_parts(described)
        return [layout.map_part(name, table, shard) for shard in range(described.shards) if has_table]

    def norm_points(self) -> list[str]:
        """Points of all maps whose norms are compared with the published ones."""
        return [
            layout.map_part(described.name, "points", shard)
            for described in self.config.norm_maps
            for shard in range(described.shards)
        ]

    def norm_models(self) -> list[str]:
        """Measured toy models of those maps."""
        return [layout.map_table(described.name, "models") for described in self.config.norm_maps]

    @cached_property
    def figures(self) -> dict[str, FigureTarget]:
        """All figures by name, in the order of the report; listing them takes about 30 ms."""
        return targets.figures_by_name(self.config)

    def figure(self, wildcards: Wildcards) -> list[str]:
        """Tables from which a figure is drawn."""
        return [self.source(path) for path in self.figures[wildcards.figure].inputs.values()]

    def figures_of(self, module: str, moving: bool = False) -> list[str]:
        """Names of the figures that a module draws, or of those that move."""
        return [
            figure.name
            for figure in self.figures.values()
            if figure.module == module and (figure.moves or not moving)
        ]

    def report_sources(self) -> list[str]:
        """Files that the PDF reads."""
        return [self.source(path) for path in targets.report_sources(self.config)]

    def report_figures(self) -> list[str]:
        """Figures that the PDF may show."""
        return targets.report_figures(self.config)

    def paper(self, wildcards: Wildcards) -> list[str]:
        """Tables that a further paper reads."""
        return targets.paper_sources(self.config, wildcards.paper)

    def paper_figures(self, wildcards: Wildcards) -> list[str]:
        """Figures of a further paper."""
        return targets.paper_figures(self.config, wildcards.paper)

    def explorer(self) -> dict[str, list[str]]:
        """Files that the explorer's page is made from, by role."""
        return {
            role: [self.source(path) for path in paths]
            for role, paths in explorer_inputs(self.config).items()
        }

    def report_captions(self) -> list[str]:
        """Captions of the figures that the PDF may show."""
        return self._captions(targets.report_figures(self.config))

    def paper_captions(self, wildcards: Wildcards) -> list[str]:
        """Captions of the figures of a further paper."""
        return self._captions(self.paper_figures(wildcards))

    def _captions(self, drawn: list[str]) -> list[str]:
        modules = {
            figure.module for figure in self.figures.values() if layout.figure(figure.name, "svg") in drawn
        }
        return [self.source(f"workflow/report/captions/{module}.rst") for module in sorted(modules)]

    # Folders and files of params, as functions of the wildcards: what Snakemake's linter asks for.

    def published_norms(self, wildcards: Wildcards) -> str:
        """The norms that the post published."""
        return self.source(catalogue.PUBLISHED_NORMS)

    def caption_folder(self, wildcards: Wildcards) -> str:
        """Where captions are."""
        return self.source("workflow/report/captions")

    def results_folder(self, wildcards: Wildcards) -> str:
        """Where results are."""
        return layout.RESULTS

    def attention_folder(self, wildcards: Wildcards) -> str:
        """Where the weights of attention are."""
        return layout.folder_of("attention_weights")
