"""Sparse autoencoders: slides 6, 9 and 10, and comparisons of architectures."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.sae.settings import SAESettings
from superposition_atlas.storage.layout import case_table, experiment_table, schedules


def polysemanticity(config: Config) -> Iterator[FigureTarget]:
    """Slide 6: how many features a neuron and a latent answer to."""
    setting = _sae_setting(config)
    if setting is None:
        return
    experiment, case, sae = setting
    yield FigureTarget(
        "slide06_polysemanticity",
        "polysemanticity",
        {table: experiment_table(experiment, table) for table in ("features", "polysemanticity")},
        "Setup",
        "Matrices of responses: a toy model's neurons answer to several features each, the latents of "
        "its SAE to one or few; below, the numbers of features to which units of all toy models answer.",
        {"case": case, "sae": sae},
        {"experiment": experiment, "sae": sae},
    )


def sae_slides(config: Config) -> Iterator[FigureTarget]:
    """Slides 9 and 10: what an SAE is, and how its directions move while it learns."""
    setting = _sae_setting(config)
    if setting is None:
        return
    experiment, case, sae = setting
    yield FigureTarget(
        "slide09_sae_setup",
        "sae_setup",
        {
            "features": case_table(experiment, case, "features"),
            "latents": case_table(experiment, case, "latents"),
        },
        "Sparse autoencoders",
        "Diagram: features enter the toy model, its hidden dimensions enter the SAE, whose latents "
        "reconstruct them.",
        {"sae": sae},
        {"experiment": experiment, "sae": sae},
    )
    if config.experiments[experiment].saes[sae].record_steps:
        yield FigureTarget(
            "slide10_sae_training",
            "sae_training",
            {table: case_table(experiment, case, table) for table in ("features", "latents", "history")},
            "Sparse autoencoders",
            "Rows of planes, one a training step: the SAE's decoder directions turn towards the feature "
            "directions of the toy model.",
            {"sae": sae},
            {"experiment": experiment, "sae": sae},
        )
    moving = _recorded_with_resampling(config.experiments[experiment])
    if moving:
        yield FigureTarget(
            "slide10_sae_animation",
            "sae_animation",
            {table: case_table(experiment, case, table) for table in ("features", "history")},
            "Sparse autoencoders",
            "Planes with feature directions and an SAE's decoder and encoder directions, at the last "
            "step of its training, above a timeline with the steps of resampling.",
            {"sae": moving},
            {"experiment": experiment, "sae": moving},
            moves=True,
        )


def frames(config: Config) -> Iterator[FigureTarget]:
    """Decoder and encoder directions of every architecture that an experiment in two dimensions compares."""
    for compared in config.experiments.values():
        if "saes" not in compared.figures or compared.n_hidden != 2:
            continue
        if any(sae.settings["architecture"] != "relu" for sae in compared.saes.values()):
            yield FigureTarget(
                f"{compared.name}_frames",
                "sae_frames",
                {table: experiment_table(compared.name, table) for table in ("features", "latents", "saes")},
                "Sparse autoencoders",
                "A grid of planes, cases by SAE architectures, with feature, decoder and encoder directions.",
                {},
                {"experiment": compared.name, "title": compared.title},
                named_after=f"experiments.{compared.name}",
            )


def recovery(config: Config) -> Iterator[FigureTarget]:
    """What SAEs recover of the features that toy models represent."""
    with_saes = [each for each in config.experiments.values() if each.saes and "saes" in each.figures]
    resampled = [experiment for experiment in with_saes if not experiment.compares_architectures]
    if resampled:
        yield FigureTarget(
            "sae_recovery",
            "sae_recovery",
            {
                f"{role}.{experiment.name}": path
                for experiment in resampled
                for role, path in (
                    ("saes", experiment_table(experiment.name, "saes")),
                    ("schedules", schedules(experiment.name)),
                )
            },
            "Sparse autoencoders",
            "For each case, how many represented features the SAEs recover, by resampling scheme.",
        )
    for experiment in with_saes:
        if experiment.compares_architectures:
            yield from _comparison(experiment)


def _comparison(experiment: Experiment) -> Iterator[FigureTarget]:
    """Figures of experiments that compare architectures, or levels of λ or k."""
    settings = [sae.settings for sae in experiment.saes.values()]
    has_levels = any(
        len(of_sae["sparsity_coefficient"]) * len(of_sae["k"]) > 1
        for of_sae in settings
        if by_name(of_sae["architecture"]).level is not None
    )
    category, labels = "Sparse autoencoders", {"experiment": experiment.name, "title": experiment.title}
    schedule = {"schedules": schedules(experiment.name)}
    saes = {"saes": experiment_table(experiment.name, "saes"), **schedule}
    yield FigureTarget(
        f"{experiment.name}_sae_pareto",
        "sae_pareto",
        saes,
        category,
        "For each case, fraction of variance unexplained and recall of represented features against L0, a "
        "line an SAE architecture through its levels, baselines in grey.",
        {},
        labels,
        named_after=f"experiments.{experiment.name}",
    )
    if has_levels:
        yield FigureTarget(
            f"{experiment.name}_sae_levels",
            "sae_levels",
            saes,
            category,
            "For each case, recall, angle and share of dead latents against λ and against k, a line an SAE "
            "architecture.",
            {},
            labels,
            named_after=f"experiments.{experiment.name}",
        )
    yield FigureTarget(
        f"{experiment.name}_sae_by_feature",
        "sae_by_feature",
        {
            "recovered": experiment_table(experiment.name, "recovered"),
            "levels": experiment_table(experiment.name, "sae_levels"),
            **schedule,
        },
        category,
        "Share of represented features that each SAE architecture recovers, by feature probability, "
        "importance, dimensionality and case, with intervals and the number of features in each bin.",
        {},
        labels,
        named_after=f"experiments.{experiment.name}",
    )


def _sae_setting(config: Config) -> tuple[str, str, str] | None:
    """Experiment of the role `sae_slides`, else the first one with SAEs that is of no section; its first case
    and last SAE.
    """
    every = config.experiments.values()
    candidates = [experiment for experiment in every if experiment.saes and not experiment.section]
    candidates.sort(key=lambda experiment: experiment.role != "sae_slides")
    for experiment in candidates:
        return experiment.name, next(iter(experiment.cases)), list(experiment.saes)[-1]
    return None


def _recorded_with_resampling(experiment: Experiment) -> str | None:
    """The most often recorded SAE in two dimensions whose dead latents are resampled."""
    if experiment.n_hidden != 2:
        return None
    recorded = {
        name: len(sae.record_steps)
        for name, sae in experiment.saes.items()
        if SAESettings(**sae.settings).resampling != "none" and len(sae.record_steps) > 1
    }
    return max(recorded, key=lambda name: recorded[name]) if recorded else None
