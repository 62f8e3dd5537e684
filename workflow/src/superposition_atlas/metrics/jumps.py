"""Jumps of a feature's fraction of a dimension while a toy model is trained, and what the loss does there.

A jump is found by a rule, not pointed at: a path that is flat for a while, moves, and is flat again at
another level. The same rule is applied to paths without jumps, which gives the number that it finds by
mistake.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer
from numpy.lib.stride_tricks import sliding_window_view

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN, require_settings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.features import dimensionality
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import History, ToyModels

FLAT_RECORDS = 8
"""Records before and after a jump over which the path is flat,"""
MOVING_RECORDS = 12
"""and records between these, in which it may do anything."""
FLAT_RANGE = 0.02
"""A path is flat if its largest value is above its smallest by no more than this: a straight line that is,
moves by less than JUMP_HEIGHT from one flat part to the other."""
JUMP_HEIGHT = 0.1
"""A jump's medians before and after differ by more than this."""
_APART = FLAT_RECORDS + MOVING_RECORDS
_SPAN = _APART + FLAT_RECORDS
_ORDER_STEP = 2**32 - 1
"""Step of the stream from which orders of records are drawn: no evaluation goes so far."""

Paths = Float[np.ndarray, "record feature"]


@dataclass(frozen=True)
class Jumps:
    """Jumps of one toy model's features; arrays have one entry a jump."""

    record: Integer[np.ndarray, " jump"]
    """First record at which the path is beyond the middle of the two levels."""
    feature: Integer[np.ndarray, " jump"]
    before: Float[np.ndarray, " jump"]
    """Median D_i over the records before,"""
    after: Float[np.ndarray, " jump"]
    """and after."""

    def __len__(self) -> int:
        return len(self.record)


def jumps_of(paths: Paths) -> Jumps:
    """Jumps of each path: flat, then FLAT_RECORDS + MOVING_RECORDS later flat at another level.

    A jump fulfils this from several neighbouring records on, and the largest step counts. Jumps of a feature
    that are at most MOVING_RECORDS apart are one, the largest.
    """
    found: list[tuple[int, int, float, float]] = []
    if len(paths) >= _SPAN:
        windows = sliding_window_view(paths, FLAT_RECORDS, axis=0)
        level, is_flat = np.median(windows, axis=-1), np.ptp(windows, axis=-1) <= FLAT_RANGE
        height = np.abs(level[_APART:] - level[:-_APART])
        height = np.where(is_flat[_APART:] & is_flat[:-_APART] & (height > JUMP_HEIGHT), height, 0.0)
        for feature in np.flatnonzero(height.any(axis=0)):
            own: list[tuple[int, int, float, float]] = []
            # A stable sort: the first of equal steps comes first.
            for start in np.argsort(-height[:, feature], kind="stable"):
                if height[start, feature] == 0:
                    break
                before, after = float(level[start, feature]), float(level[start + _APART, feature])
                record = _passed(paths[:, feature], int(start), before, after)
                if all(abs(record - other[0]) > MOVING_RECORDS for other in own):
                    own.append((record, int(feature), before, after))
            found += own
    found.sort()
    columns = np.array(found, dtype=np.float64).reshape(-1, 4).T
    return Jumps(columns[0].astype(int), columns[1].astype(int), columns[2], columns[3])


def _passed(path: Float[np.ndarray, " record"], start: int, before: float, after: float) -> int:
    """First record after the flat part from `start` at which a path is beyond the middle of two levels."""
    first = start + FLAT_RECORDS
    moving = path[first : start + _APART + 1]
    return first + int(((moving - (before + after) / 2) * np.sign(after - before) >= 0).argmax())


def smooth_paths(paths: Paths, seed: int) -> Paths:
    """Paths without jumps that start, end and scatter as these: a straight line, and the scatter shuffled.

    The scatter is what is left of a path beside its running median over 2 · FLAT_RECORDS + 1 records; its
    order is drawn anew for each feature.
    """
    line, scatter = _parts(paths)
    return np.asarray(line + np.take_along_axis(scatter, _orders(paths.shape, seed), axis=0))


def shuffled_paths(paths: Paths, seed: int) -> Paths:
    """The values of each path in an order drawn at random: levels remain, and nothing lasts."""
    return np.take_along_axis(paths, _orders(paths.shape, seed), axis=0)


def jump_table(models: ToyModels) -> pd.DataFrame:
    """One row a jump: which feature of which toy model, when, and from where to where.

    instance: number of the toy model, from 0. seed: of its training. step: training steps taken when the path
    passed the middle of the two levels. feature: index i. before, after: median D_i over the flat parts.

    Raises:
        ArgumentError: if nothing was recorded while the toy models were trained.
    """
    history = _history(models)
    found = [jumps_of(paths) for paths in _paths(history)]
    instance = np.repeat(np.arange(len(models)), [len(own) for own in found]).astype(int)
    parts = {
        name: np.concatenate([getattr(own, name) for own in found] or [np.zeros(0, int)])
        for name in ("record", "feature", "before", "after")
    }
    record = parts.pop("record").astype(int)
    return pd.DataFrame(
        {
            "instance": instance,
            "seed": np.asarray(models.seeds)[instance],
            "step": history.steps[record],
            **parts,
        }
    )


def learning_table(models: ToyModels) -> pd.DataFrame:
    """One row a toy model and record: what its features and its loss are at that step.

    instance: number of the toy model, from 0. seed: of its training. step: training steps taken. loss:
    held-out loss, mean over features. dimensionality: D_i of each feature, a list. loss_drop: share of the
    loss that goes in the 12 records around this one, missing at either end. n_jumps: features that jump
    there. rank: share of the other toy models whose loss_drop at the same step is smaller, equal ones count
    half; 1/2 on average where jumps have nothing to do with the loss, whatever the step.

    Raises:
        ArgumentError: as `jump_table`.
    """
    history = _history(models)
    paths, loss = _paths(history), history.loss
    n_records, n_instances = loss.shape
    drop = _drops(loss)
    counts = np.zeros((n_instances, n_records), int)
    for instance, own in enumerate(paths):
        np.add.at(counts[instance], jumps_of(own).record, 1)
    return pd.DataFrame(
        {
            "instance": np.repeat(np.arange(n_instances), n_records),
            "seed": np.repeat(models.seeds, n_records),
            "step": np.tile(history.steps, n_instances),
            "loss": loss.T.reshape(-1),
            "dimensionality": list(paths.reshape(n_instances * n_records, -1)),
            "loss_drop": drop.T.reshape(-1),
            "n_jumps": counts.reshape(-1),
            "rank": _ranks(drop).T.reshape(-1),
        }
    )


def rate_table(models: ToyModels) -> pd.DataFrame:
    """One row a toy model: how many jumps the rule finds, and how many on paths that have none.

    instance: number of the toy model, from 0. seed: of its training. n_jumps: jumps. n_up: those to a larger
    D_i. n_swaps: those at whose record, or one beside it, another feature jumps the other way.
    n_jumps_smooth: jumps that the rule finds on `smooth_paths`. n_jumps_shuffled: on `shuffled_paths`.
    n_events: records at which a feature jumps. event_rank: mean `rank` of these (see `learning_table`),
    missing where there are none. share_falling: share of these whose loss falls. share_falling_elsewhere: of
    all other records.

    Raises:
        ArgumentError: as `jump_table`.
    """
    history, learning = _history(models), learning_table(models)
    rows = []
    for instance, paths in enumerate(_paths(history)):
        own, seed = learning[learning["instance"] == instance], int(models.seeds[instance])
        own = own[own["loss_drop"].notna()]
        events, others = own[own["n_jumps"] > 0], own[own["n_jumps"] == 0]
        jumps = jumps_of(paths)
        rows.append(
            {
                "instance": instance,
                "seed": seed,
                "n_jumps": len(jumps),
                "n_up": int((jumps.after > jumps.before).sum()),
                "n_swaps": _swaps(jumps),
                "n_jumps_smooth": len(jumps_of(smooth_paths(paths, seed))),
                "n_jumps_shuffled": len(jumps_of(shuffled_paths(paths, seed))),
                "n_events": len(events),
                "event_rank": float(events["rank"].mean()),
                "share_falling": float((events["loss_drop"] > 0).mean()) if len(events) else np.nan,
                "share_falling_elsewhere": float((others["loss_drop"] > 0).mean()) if len(others) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _history(models: ToyModels) -> History:
    arguments.instance("models", models, ToyModels, "ToyModels")
    require_settings(models, "fractions of a dimension", PLAIN)
    if models.history is None or len(models.history.steps) < _SPAN:
        n = 0 if models.history is None else len(models.history.steps)
        raise ArgumentError(
            f"models have {n} records: must have at least {_SPAN} (record_steps), to find jumps"
        )
    return models.history


def _paths(history: History) -> Float[np.ndarray, "instance record feature"]:
    """D_i of every record."""
    return np.stack([dimensionality(W.astype(np.float64)) for W in history.W], axis=1)


def _parts(paths: Paths) -> tuple[Paths, Paths]:
    """A straight line from the first level to the last, and what is left beside the running median."""
    padded = np.pad(paths, ((FLAT_RECORDS, FLAT_RECORDS), (0, 0)), mode="edge")
    running = np.median(sliding_window_view(padded, 2 * FLAT_RECORDS + 1, axis=0), axis=-1)
    first, last = np.median(paths[:FLAT_RECORDS], axis=0), np.median(paths[-FLAT_RECORDS:], axis=0)
    return np.linspace(first, last, len(paths)), paths - running


def _orders(shape: tuple[int, ...], seed: int) -> Integer[np.ndarray, "record feature"]:
    """A random order of the records for each feature."""
    words = stream.words([seed], _ORDER_STEP, shape[0], shape[1], stream.Purpose.EVALUATION)[0]
    return np.asarray(words.argsort(axis=0, kind="stable"))


def _drops(loss: Float[np.ndarray, "record instance"]) -> Float[np.ndarray, "record instance"]:
    """1 − the loss half of MOVING_RECORDS later over that before; NaN at either end."""
    half = MOVING_RECORDS // 2
    drop = np.full(loss.shape, np.nan)
    drop[half:-half] = 1.0 - loss[2 * half :] / loss[: -2 * half]
    return drop


def _ranks(drop: Float[np.ndarray, "record instance"]) -> Float[np.ndarray, "record instance"]:
    """Share of the other toy models whose drop at the same record is smaller; NaN where there are none."""
    n_others = drop.shape[1] - 1
    if n_others < 1:
        return np.full(drop.shape, np.nan)
    smaller = (drop[:, :, None] > drop[:, None, :]).sum(axis=2)
    equal = (drop[:, :, None] == drop[:, None, :]).sum(axis=2) - 1
    return np.asarray(np.where(np.isnan(drop), np.nan, (smaller + 0.5 * equal) / n_others))


def _swaps(jumps: Jumps) -> int:
    """Jumps beside which another feature jumps the other way."""
    up = jumps.after > jumps.before
    beside = np.abs(jumps.record[:, None] - jumps.record[None, :]) <= 1
    return int((beside & (up[:, None] != up[None, :])).any(axis=1).sum())
