"""The talk's slides of toy models: 5, 7, and 11 to 16."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.experiments import feature_bars, planes_of
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import case_table, schedules


def motivation(config: Config) -> Iterator[FigureTarget]:
    """Slide 5: what growing sparsity does, on toy models with known answers."""
    controls = config.experiment_of_role("known_answers")
    motivating = [case for case in controls.cases.values() if case.slide == 5] if controls else []
    if controls and motivating:
        yield FigureTarget(
            "slide05_motivation",
            "motivation",
            {
                f"{table}.{case.name}": case_table(controls.name, case.name, table)
                for case in motivating
                for table in ("features", "models")
            },
            "Setup",
            "Three planes with the feature directions of a toy model each: at 0 % sparsity two orthogonal "
            "features, with growing sparsity more features, in antipodal pairs and then a pentagon.",
        )


def uniform(config: Config) -> Iterator[FigureTarget]:
    """Slide 7: uniform sparsity, one density a toy model."""
    talk = config.experiment_of_role("slides")
    densities = talk.cases_of_role("densities") if talk else []
    if talk and densities:
        yield FigureTarget(
            "slide07_uniform",
            "uniform",
            {"features": case_table(talk.name, densities[0].name, "features")},
            "Uniform sparsity",
            "Eight toy models with growing sparsity: feature directions in the plane above, below them "
            "feature norms as bars, coloured by superposition.",
        )


def cases(config: Config) -> Iterator[FigureTarget]:
    """Slides 11 to 16: schedules of the cases, all of them together, and case by case."""
    talk = config.experiment_of_role("slides")
    if talk is None:
        return
    yield FigureTarget(
        "slide11_cases",
        "cases",
        {"schedules": schedules(talk.name)},
        "The cases",
        "Two heat maps, cases by features: importance and feature probability.",
    )
    yield FigureTarget(
        "slide12_all_cases",
        "all_cases",
        planes_of(config, talk),
        "The cases",
        "A grid of planes, cases by best solution and seeds, with feature directions and counts.",
    )
    post = config.experiment_of_role("post")
    for name, case in talk.cases.items():
        if case.role == "densities":
            continue
        plane, bars = (f"slide{case.slide + next_one:02d}_" if case.slide else "" for next_one in (0, 1))
        labels = {"case": name, "title": case.title}
        if talk.n_hidden == 2:
            yield FigureTarget(
                f"{plane}{name}_plane",
                "plane",
                {"features": case_table(talk.name, name, "features")},
                "Case by case",
                f"Planes with the feature directions of {name}, one a seed.",
                {"title": case.title},
                labels,
                named_after=f"experiments.{talk.name}.cases.{name}",
            )
        if post and name in post.cases:
            yield feature_bars(post, name, f"{bars}{name}_bars")
