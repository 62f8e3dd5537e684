"""Limits, and how to reproduce the report."""

from collections.abc import Sequence

from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.citation import Imprint
from superposition_atlas.report.markup import literal
from superposition_atlas.report.phrases import count, enumerated
from superposition_atlas.storage import layout


def limits() -> list[Block]:
    """What the results do not cover."""
    return [
        blocks.heading("Limits"),
        *blocks.bullets(
            "*The author's schedule is unknown.* We chose our primary family by four published norms. "
            "Another family of schedules may fit as well, and the observations depend on it.",
            "*At most two features a dimension.* Where all features are rare, other arrangements are better "
            "than any matching.",
            "*A rule for the optimum.* Training ends elsewhere in random orders, and its seeds differ.",
            "*Best solutions are the best that a search has found*, for up to nine features or so; for more "
            "there is the matching alone.",
            "*Toy models.* Features are independent, magnitudes uniform, biases trained, and the model has "
            "one layer. Nothing here is measured on a language model.",
            "*Thresholds.* A feature counts as represented above norm 0.5 and as dedicated above "
            "dimensionality 0.9; "
            f"`{layout.claims()}` says where other thresholds change a verdict.",
        ),
    ]


def reproduce(
    imprint: Imprint, stages: Sequence[dict[str, float]], n_models: int, n_saes: int
) -> list[Block]:
    """Commands, cost, and where the numbers are."""
    seconds = sum(stage["cpu_seconds"] for stage in stages)
    # At least: Snakemake takes samples, and what a job does after the last one is not in its benchmark.
    minutes, rest = divmod(int(seconds), 60)
    spent = count(minutes, "minute", "minutes") if minutes else count(rest, "second", "seconds")
    cost = f"The jobs of the last build took at least {spent} of processor time." if seconds else ""
    place = f" at <{imprint.address}>" if imprint.address else ""
    return [
        blocks.heading("Reproduce it"),
        blocks.paragraph(
            f"`make` installs the package{place}, trains the experiments' "
            f"{count(n_models, 'toy model', 'toy models')}, those of the maps, which are not among these, "
            f"and {count(n_saes, 'SAE', 'SAEs')}, draws all figures and sets this PDF, without a GPU and "
            f"without the network once the packages are there. {cost} `make smoke` runs the same chain in "
            "miniature. The workflow [@snakemake] rebuilds by content: a changed case, seed or line of code "
            "rebuilds what depends on it and nothing else.",
        ),
        blocks.paragraph(
            "Every number above is read from a table below `results/`. The file `report.json` beside this "
            "PDF lists them with their tables and holds the configuration. `python -m superposition_atlas "
            "explain FILE` says what any file was made from and how to make it again; this PDF carries that "
            "in its metadata. `python -m superposition_atlas summary` prints what was found.",
        ),
    ]


def title_line(imprint: Imprint) -> str:
    """Authors, date, commit, address and licence in one line."""
    changed = " with changes" if imprint.is_changed else ""
    parts = [
        literal(enumerated(imprint.authors)),
        f"version {imprint.version}",
        f"commit {imprint.commit}{changed}" if imprint.commit else "",
        f"{imprint.date.day} {imprint.date:%B %Y}",
        f"<{imprint.address}>" if imprint.address else "",
        f"{imprint.licence} licence",
    ]
    return " · ".join(part for part in parts if part)
