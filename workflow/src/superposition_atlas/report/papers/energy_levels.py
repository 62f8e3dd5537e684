"""Energy levels: features that jump between fractions of a dimension while learning, and the loss then."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.jumps import FLAT_RANGE, FLAT_RECORDS, JUMP_HEIGHT, MOVING_RECORDS
from superposition_atlas.metrics.verdicts import State
from superposition_atlas.report import blocks
from superposition_atlas.report.blocks import Block
from superposition_atlas.report.markup import literal
from superposition_atlas.report.papers.shares import Average, average_of, difference_of
from superposition_atlas.report.papers.studied import Statement, Studied, Written
from superposition_atlas.report.phrases import ARROW, count, fixed, grouped, percent
from superposition_atlas.storage.layout import experiment_table

_RATES = (
    *("case", "seed", "n_jumps", "n_up", "n_swaps", "n_jumps_smooth", "n_jumps_shuffled"),
    *("n_events", "event_rank", "share_falling", "share_falling_elsewhere"),
)
_JUMPS = ("case", "step", "before", "after")
_LOST = 0.05
"""A jump that ends below this D_i loses its feature."""
_JUMPS_APART, _RANK_APART = 1.0, 0.05
"""Smallest differences of interest: jumps of a toy model, and ranks."""


@dataclass(frozen=True)
class JumpFacts:
    """What the toy models of one case do while they learn."""

    n_models: int
    n_jumps: Average
    n_jumps_smooth: float
    """Mean number found on paths without jumps;"""
    n_jumps_shuffled: float
    """and on paths in another order."""
    share_lost: float
    """Share of the jumps that lose their feature."""
    share_swapped: float
    """Share of the jumps beside which another feature jumps the other way."""
    median_step: float
    last_step: float
    jumps: State
    rank: Average
    """Rank of the fall of the loss at a jump among other toy models at the same step; 1/2 is chance."""
    falling: float
    falling_elsewhere: float
    falls: State


def facts_of(rates: pd.DataFrame, jumps: pd.DataFrame) -> JumpFacts:
    """Facts of the rows of one case of `metrics.jumps.rate_table` and `jump_table`."""
    rank = rates["event_rank"].dropna().to_numpy(float)
    n_jumps = max(int(rates["n_jumps"].sum()), 1)
    found, smooth = (rates[name].to_numpy(float) for name in ("n_jumps", "n_jumps_smooth"))
    return JumpFacts(
        n_models=len(rates),
        n_jumps=average_of(found),
        n_jumps_smooth=float(smooth.mean()),
        n_jumps_shuffled=float(rates["n_jumps_shuffled"].mean()),
        share_lost=float((jumps["after"] < _LOST).sum() / n_jumps),
        share_swapped=float(rates["n_swaps"].sum() / n_jumps),
        median_step=float(jumps["step"].median()) if len(jumps) else np.nan,
        last_step=float(jumps["step"].max()) if len(jumps) else np.nan,
        jumps=difference_of(found, smooth, _JUMPS_APART, "larger")[1],
        rank=average_of(rank),
        falling=float(rates["share_falling"].mean()),
        falling_elsewhere=float(rates["share_falling_elsewhere"].mean()),
        falls=difference_of(rank, np.full(len(rank), 0.5), _RANK_APART, "larger")[1],
    )


def section(studied: Studied) -> Written:
    """Whether features jump between fractions of a dimension, and whether the loss falls at that time."""
    found: list[Block] = [blocks.heading("Energy levels while learning")]
    statements: list[Statement] = []
    for experiment in studied.experiments:
        rates_path, jumps_path = (experiment_table(experiment.name, name) for name in ("jump_rates", "jumps"))
        rates, jumps = studied.ledger.read(rates_path, _RATES), studied.ledger.read(jumps_path, _JUMPS)
        found.append(blocks.paragraph(*_definitions(experiment)))
        for number, case in enumerate(experiment.cases.values()):
            own = rates[rates["case"] == case.name]
            if own.empty:
                continue
            facts = facts_of(own, jumps[jumps["case"] == case.name])
            studied.ledger.note(rates_path, f"energy_levels.{experiment.name}.{case.name}", facts)
            title = literal(case.title)
            statements += _statements(
                f" in “{title}”" if len(experiment.cases) > 1 else "", facts, number == 0
            )
            found.append(blocks.paragraph(f"*{title}.*", *_sentences(facts)))
        shown = studied.figures.of_module("energy_levels", experiment=experiment.name)
        found += studied.figures.blocks(shown)
    return Written(found, statements)


def _definitions(experiment: Experiment) -> list[str]:
    steps = next(iter(experiment.cases.values())).training.record_steps
    every = steps[1] - steps[0] if len(steps) > 1 else 0
    return [
        f"Toy models {experiment.n_features}{ARROW}{experiment.n_hidden} with a record of the weights every "
        f"{count(every, 'step', 'steps')}.",
        f"A feature *jumps* if its $D_i$ is flat (within {FLAT_RANGE:g}) over {FLAT_RECORDS} records, and "
        f"flat again {MOVING_RECORDS} records later at a level that differs by more than {JUMP_HEIGHT:g}. "
        "The same rule is applied to paths without jumps: a straight line from each path’s first level to "
        "its last, with the path’s scatter in another order; and to the path’s values in another order.",
        "All toy models lose most of their loss at about the same time. So the fall of the held-out loss at "
        "a jump is compared with other seeds’ at the same step: its *rank* is 1/2 on average if jumps have "
        "nothing to do with the loss.",
    ]


def _sentences(facts: JumpFacts) -> list[str]:
    sentences = [
        f"{_found(facts)}.",
        f"{percent(facts.share_lost)} of the jumps lose their feature, and beside "
        f"{percent(facts.share_swapped)} of them another feature jumps the other way; half of them are over "
        f"by step {grouped(round(facts.median_step))}, all by step {grouped(round(facts.last_step))}."
        if facts.n_jumps.mean
        else "",
    ]
    return [*sentences, f"{_falls(facts)}." if facts.rank.mean == facts.rank.mean else ""]


def _found(facts: JumpFacts) -> str:
    return (
        f"{facts.n_jumps.words(1)} jumps a toy model, {fixed(facts.n_jumps_smooth, 1)} on smooth paths and "
        f"{fixed(facts.n_jumps_shuffled, 1)} on shuffled ones ({count(facts.n_models, 'seed', 'seeds')})"
    )


def _falls(facts: JumpFacts) -> str:
    return (
        f"Mean rank of the fall {facts.rank.words(2)}; the loss falls at {percent(facts.falling)} of the "
        f"steps with a jump and at {percent(facts.falling_elsewhere)} of the others"
    )


def _statements(where: str, facts: JumpFacts, is_first: bool) -> list[Statement]:
    source = "[@tms]" if is_first else "(extended here)"
    return [
        Statement(
            f"Features jump between different $D_i$ while learning{where} {source}.",
            _found(facts),
            facts.jumps,
        ),
        Statement(f"As they jump, the loss drops{where} {source}.", _falls(facts), facts.falls),
    ]
