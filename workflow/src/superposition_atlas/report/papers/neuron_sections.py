"""Neurons: which features they represent where the basis is privileged, and how they compute |x|.

The source keeps the best of many toy models. What it says of those is judged on independent groups of seeds,
of each of which the best is kept: a single best one has no interval.
"""

import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.verdicts import Verdict, difference_verdict
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.papers.shares import Share, shares_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import count, fixed, percent
from superposition_atlas.storage import layout

_GROUPS = 20
"""Groups of seeds, of each of which the best toy model is kept."""
_SHARE_DIFFERENCE = 0.05
"""Smallest difference of interest between shares."""
_MODELS = ("case", "seed", "probability", "held_out_loss", "n_neurons", "n_monosemantic", "n_computed")
_CHANCE = "monosemantic_by_chance"


def _kept(holds: "pd.Series[bool]", n_tests: int = 1) -> Share:
    """How many groups of seeds have a best toy model that shows something."""
    return shares_of(holds, n_tests, "groups" if len(holds) > 1 else "")


def _mostly(words: str, found: str, share: Share) -> Statement:
    """A statement of the paper that requires something of most."""
    return Statement(f"{words} [@tms]", found, share.verdict())


def privileged_basis(studied: Studied) -> Written:
    """Monosemantic neurons where features are dense, polysemantic ones where they are rare."""
    body: list[Block] = [
        blocks.heading("A privileged basis"),
        blocks.paragraph(
            "With a ReLU on the hidden dimensions, $h=ReLU(Wx)$, they are neurons: a rotation of them is "
            "another model. The paper [@tms] finds that dense features then get a neuron each, that rare "
            "features share neurons, and that both kinds stand side by side in between."
        ),
    ]
    statements = []
    for experiment in studied.experiments:
        found, told = _of_basis(studied, experiment)
        body += [*told, *_figures(studied, experiment)]
        statements += found
    return Written(body, statements)


def _of_basis(studied: Studied, experiment: Experiment) -> tuple[list[Statement], list[Block]]:
    path = layout.experiment_table(experiment.name, "neuron_models")
    best = _best_of_groups(studied.ledger.read(path, [*_MODELS, _CHANCE]))
    by_density = {p: best[best["probability"] == p] for p in sorted(map(float, best["probability"].unique()))}
    dense, rare = by_density[max(by_density)], by_density[min(by_density)]
    share = best["n_monosemantic"] / best["n_neurons"]
    alone = _kept(dense["n_monosemantic"] == dense["n_neurons"])
    shared = _kept(2 * rare["n_monosemantic"] < rare["n_neurons"])
    mixed = {
        p: (own["n_monosemantic"] > 0) & (own["n_monosemantic"] < own["n_neurons"])
        for p, own in by_density.items()
    }
    between = max(mixed, key=lambda p: float(mixed[p].mean()))
    both = _kept(mixed[between], len(mixed))
    over_chance = difference_verdict((share - best[_CHANCE])[dense.index].to_numpy(), _SHARE_DIFFERENCE)
    facts = {
        "dense": alone, "rare": shared, "both": both, "between": between, "over_chance": over_chance,
        "share": {str(p): float(share[own.index].mean()) for p, own in by_density.items()},
    }  # fmt: skip
    studied.ledger.note(path, f"privileged_basis.{experiment.name}", facts)
    n_kept = len(dense)
    told = blocks.paragraph(
        f"Here {count(len(experiment.seeds), 'toy model', 'toy models')} a density are divided into "
        f"{count(n_kept, 'group', 'groups')}, and of each the one of the lowest held-out loss is kept. At "
        f"$p$ = {_number(max(by_density))} every neuron of {alone} is monosemantic, at $p$ = "
        f"{_number(min(by_density))} most neurons of {shared} are polysemantic. In a random basis the dense "
        f"ones would have {percent(float(dense[_CHANCE].mean()))} monosemantic neurons."
    )
    statements = [
        _mostly("Dense features get a neuron each", f"all neurons monosemantic in {alone}", alone),
        _mostly("Rare features share neurons", f"most neurons polysemantic in {shared}", shared),
        _mostly("In between, both kinds stand side by side", f"at $p$ = {_number(between)} in {both}", both),
        Statement(
            "The ReLU makes neurons special directions [@tms]",
            f"monosemantic, over a random basis: {_interval(over_chance)}",
            over_chance.of_claim("larger"),
        ),
    ]
    return statements, [told]


def absolute_value(studied: Studied) -> Written:
    """Neurons that compute |x|, one a side, and what superposition makes of them."""
    body: list[Block] = [
        blocks.heading("Computing absolute values"),
        blocks.paragraph(
            "Output weights of their own let neurons compute: $|x|$ of a feature between -1 and 1 takes two "
            "neurons, one a side. The paper [@tms] finds these, finds that rare features share neurons while "
            "they compute, and shows a motif: a neuron takes in much of one feature and gives out little for "
            "it, and the other way round for a second one, while another neuron inhibits what the first does "
            "to the second's output."
        ),
    ]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        if experiment.n_hidden >= 2 * experiment.n_features:
            statements += _of_enough(studied, experiment)
        else:
            statements += _of_few(studied, experiment)
        body += _figures(studied, experiment)
    body.insert(
        2, blocks.paragraph(*(f"{own.words.partition(' [@')[0]}: {own.found}." for own in statements))
    )
    return Written(body, statements)


def _of_enough(studied: Studied, experiment: Experiment) -> list[Statement]:
    """Two neurons are there for each feature."""
    path = layout.experiment_table(experiment.name, "neuron_models")
    best = _best_of_groups(studied.ledger.read(path, _MODELS))
    is_computed = best["n_computed"] == experiment.n_features
    is_alone = best["n_monosemantic"] == best["n_neurons"]
    dense = best["probability"] == best["probability"].max()
    shown = _kept((is_computed & is_alone)[dense])
    studied.ledger.note(path, f"absolute_value.{experiment.name}.alone", shown)
    return [
        _mostly(
            "Where two neurons a feature are there, each computes one side",
            f"all features computed by monosemantic neurons in {shown}",
            shown,
        )
    ]


def _of_few(studied: Studied, experiment: Experiment) -> list[Statement]:
    """Fewer than two neurons a feature."""
    path = layout.experiment_table(experiment.name, "neuron_models")
    models = studied.ledger.read(path, _MODELS)
    dense, rare = (
        models[models["probability"] == end]
        for end in (models["probability"].max(), models["probability"].min())
    )
    alone = shares_of(dense["n_monosemantic"] > 0.5 * dense["n_neurons"])
    shared = shares_of(rare["n_monosemantic"] < 0.5 * rare["n_neurons"])
    motifs = layout.experiment_table(experiment.name, "motifs")
    pairs = studied.ledger.read(
        motifs,
        ("case", "seed", "asymmetric", "asymmetric_by_chance", "inhibited", "inhibited_by_chance"),
    )
    over = {
        "asymmetric": _over_chance(pairs, "asymmetric"),
        "inhibited": _over_chance(pairs[pairs["asymmetric"].to_numpy(dtype=bool)], "inhibited"),
    }
    n_motifs = pairs[pairs["asymmetric"] & pairs["inhibited"]].groupby("seed").size()
    has_motif = shares_of([seed in n_motifs.index for seed in experiment.seeds])
    facts = {"alone": alone, "shared": shared, "has_motif": has_motif}
    studied.ledger.note(path, f"absolute_value.{experiment.name}", facts)
    studied.ledger.note(motifs, f"absolute_value.{experiment.name}.over_chance", over)
    statements = [
        _mostly("Dense: most neurons compute for one feature", f"in {alone}", alone),
        _mostly("Rare: neurons compute for many features", f"most neurons polysemantic in {shared}", shared),
        _mostly("The asymmetric motif with inhibition occurs", f"at some density, in {has_motif}", has_motif),
    ]
    words = {
        "asymmetric": "Output weights compensate for unequal input weights",
        "inhibited": "Other neurons inhibit what the motif disturbs",
    }
    for name, verdict in over.items():
        if verdict is not None:
            statements.append(
                Statement(
                    f"{words[name]} [@tms]",
                    f"share of pairs over chance: {_interval(verdict)}",
                    verdict.of_claim("larger"),
                )
            )
    return statements


def _over_chance(pairs: pd.DataFrame, name: str) -> Verdict | None:
    """Share of pairs over what chance gives, by seed: toy models of one seed share their samples."""
    difference = pairs[name].astype(float) - pairs[f"{name}_by_chance"]
    means = difference.groupby(pairs["seed"]).mean().to_numpy()
    return difference_verdict(means, _SHARE_DIFFERENCE) if len(means) > 1 else None


def _best_of_groups(models: pd.DataFrame) -> pd.DataFrame:
    """The toy model of the lowest held-out loss of each case and group of seeds."""
    n_seeds = models["seed"].nunique()
    group = models.groupby("case", sort=False).cumcount() * min(_GROUPS, n_seeds) // n_seeds
    return models.loc[models.groupby([models["case"], group], sort=False)["held_out_loss"].idxmin()]


def _figures(studied: Studied, experiment: Experiment) -> list[Block]:
    shown = [own for own in studied.figures.all if own.labels.get("experiment") == experiment.name]
    return studied.figures.blocks(shown)


def _interval(verdict: Verdict) -> str:
    return f"{fixed(verdict.low, 2)} to {fixed(verdict.high, 2)}"


def _number(value: float) -> str:
    return f"{value:g}"
