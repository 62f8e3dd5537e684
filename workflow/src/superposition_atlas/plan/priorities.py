"""Which jobs start first: those of the slides, so that the first pictures come soon; maps come last."""

from dataclasses import dataclass
from functools import cached_property

from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.plan.names import Wildcards
from superposition_atlas.storage import layout

_SLIDES = "slide"
"""How the names of the slides' figures begin."""


@dataclass(frozen=True)
class JobPriorities:
    """Priorities of the jobs of a configuration, by the wildcards of a rule; jobs of others have 0."""

    inputs: JobInputs

    def of_figure(self, wildcards: Wildcards) -> int:
        """A slide's figure is drawn as soon as its tables exist."""
        return 3 if wildcards.figure.startswith(_SLIDES) else 0

    def of_experiment(self, wildcards: Wildcards) -> int:
        """Everything that the slides' figures may need is made before the rest."""
        return 2 if wildcards.experiment in self._on_slides else 1

    @cached_property
    def _on_slides(self) -> set[str]:
        """Experiments whose tables or models the slides' figures read."""
        paths = [
            path
            for figure in self.inputs.figures.values()
            if figure.name.startswith(_SLIDES)
            for path in figure.inputs.values()
        ]
        places = [place for path in paths if (place := layout.identify(path))]
        return {place.fields["experiment"] for place in places if "experiment" in place.fields}
