"""Figures of the sections on neurons: a privileged basis, and the computation of |x|."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import experiment_table, schedules

CATEGORY = "Neurons"


def of_neurons(config: Config) -> Iterator[FigureTarget]:
    """Kept toy models, shares over the density, and the motif of each experiment of these sections."""
    for experiment in config.experiments.values():
        if experiment.section not in ("privileged_basis", "absolute_value"):
            continue
        name = experiment.name
        yield _target(
            experiment,
            "neuron_stacks",
            {"neurons": experiment_table(name, "neurons"), "schedules": schedules(name)},
            "For each case, the neurons of the kept toy model as columns of stacked input weights, coloured "
            "by whether one feature has nine tenths of what the neuron adds.",
        )
        yield _target(
            experiment,
            "neuron_shares",
            {"models": experiment_table(name, "neuron_models")},
            "Two panels over the feature probability: the share of neurons that are monosemantic, and the "
            "number of features that are computed.",
        )
        if experiment.section == "absolute_value":
            yield _target(
                experiment,
                "neuron_motifs",
                {"motifs": experiment_table(name, "motifs"), "schedules": schedules(name)},
                "For each case, neurons that represent two features: the ratio of output weights over that "
                "of input weights.",
            )


def _target(experiment: Experiment, module: str, inputs: dict[str, str], alt: str) -> FigureTarget:
    name = experiment.name
    labels = {"experiment": name, "title": experiment.title}
    return FigureTarget(
        f"{name}_{module}", module, inputs, CATEGORY, alt, {}, labels, named_after=f"experiments.{name}"
    )
