"""The search for best solutions: whether random starts find anything better, and its time.

    python benchmarks/search.py reliability --json benchmarks/results/search-reliability.json   # an hour
    python benchmarks/search.py reliability --schedules 20 --starts 100                         # a minute
    python benchmarks/search.py times --other ../before/workflow/src --json times.json          # minutes
    python benchmarks/search.py largest                                                         # a minute

*reliability*: on each schedule `best_solutions`, and random starts that share no number with it. Each start
goes downhill as long as ten steps gain a thousandth of the loss, and the lowest tenth of them to the end. A
schedule is missed if one ends lower than the best solution by more than 1e-5 of the loss of representing
nothing. Schedules take turns: 4 to 8 features, 1 to 3 dimensions, and five kinds (anything; all features
alike; equal importance; geometric; two sorts of features), with probabilities from 1e-6 to 1.

*times*: seconds of the processor on small schedules, of this version and of another one's sources, in
processes that take turns; with the ratio of the sums, and by how much a best loss is higher at most.

*largest*: seconds of the processor for eight features.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is loaded

import measuring
import numpy as np
import superposition_atlas as sa
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.theory.descent import Landscape

N_SCHEDULES, N_STARTS, SEED = 300, 500, 1
TOLERANCE = 1e-5
SCALES, BIAS_SCALES = (0.1, 0.3, 0.6, 1.0, 1.5), (0.02, 0.2)
FOLLOWED = 10
"""One of so many random starts is followed to the end."""
SAVED_EVERY = 10

Schedule = tuple[np.ndarray, np.ndarray]
"""Importance and probability."""


def _densities(rng: np.random.Generator, n: int) -> np.ndarray:
    lowest = rng.uniform(-6, 0)
    return 10 ** rng.uniform(lowest, rng.uniform(lowest, 0), n)


def _geometric(rng: np.random.Generator, n: int) -> Schedule:
    first, last = _densities(rng, 2)
    return rng.uniform(0.5, 1) ** np.arange(n), np.geomspace(first, last, n)


def _two_sorts(rng: np.random.Generator, n: int) -> Schedule:
    sort = (np.arange(n) < rng.integers(1, n)).astype(int)
    return rng.uniform(0.1, 1, 2)[sort], _densities(rng, 2)[sort]


KINDS: dict[str, Callable[[np.random.Generator, int], Schedule]] = {
    "any": lambda rng, n: (10 ** rng.uniform(-1, 0, n), _densities(rng, n)),
    "alike": lambda rng, n: (np.ones(n), np.full(n, 10 ** rng.uniform(-6, 0))),
    "equal importance": lambda rng, n: (np.ones(n), _densities(rng, n)),
    "geometric": _geometric,
    "two sorts": _two_sorts,
}


def schedules(count: int, seed: int) -> Iterator[tuple[str, int, Schedule]]:
    """Kind, n_hidden and schedule of each."""
    for k in range(count):
        n_features, n_hidden = 4 + k % 5, 1 + k // 5 % 3
        kind = list(KINDS)[k // 15 % len(KINDS)]
        yield kind, n_hidden, KINDS[kind](np.random.default_rng([seed, k]), n_features)


def from_random_starts(schedule: Schedule, n_hidden: int, n_starts: int, seed: int) -> np.ndarray:
    """The losses where the lowest of the random starts end."""
    rng = np.random.default_rng(seed)
    landscape, n = Landscape(*schedule, n_hidden), len(schedule[0])
    rough = [
        landscape.hurry(
            rng.choice(SCALES) * rng.normal(size=(n_hidden, n)), rng.choice(BIAS_SCALES) * rng.normal(size=n)
        )
        for _ in range(n_starts)
    ]
    rough.sort(key=lambda end: end.loss)
    lowest = rough[: max(n_starts // FOLLOWED, 1)]
    return np.array([landscape.descend(end.W, end.b).loss for end in lowest])


def compare(kind: str, n_hidden: int, schedule: Schedule, n_starts: int, seed: int) -> dict[str, Any]:
    started = time.process_time()
    best = sa.best_solutions(*schedule, n_hidden)[0].loss
    seconds = time.process_time() - started
    nothing = Landscape(*schedule, n_hidden).nothing
    others = from_random_starts(schedule, n_hidden, n_starts, seed) / nothing
    return {
        "features": len(schedule[0]),
        "hidden": n_hidden,
        "kind": kind,
        "probability": [float(f"{p:.3g}") for p in schedule[1]],
        "importance": [float(f"{value:.3g}") for value in schedule[0]],
        "best": best / nothing,
        "best_random_less_best": float(others.min() - best / nothing),
        "followed_starts_at_the_best": int(np.sum(others <= best / nothing + TOLERANCE)),
        "seconds": seconds,
    }


def reliability(options: argparse.Namespace) -> None:
    record = measuring.machine(threads=1) | {"starts": options.starts, "tolerance": TOLERANCE}
    rows: list[dict[str, Any]] = []
    for k, (kind, n_hidden, schedule) in enumerate(schedules(options.schedules, options.seed)):
        row = compare(kind, n_hidden, schedule, options.starts, seed=k)
        rows.append(row)
        missed = row["best_random_less_best"] < -TOLERANCE
        print(
            f"{k:>4} {row['features']} -> {n_hidden} {kind:<16} {row['best']:.6f} "
            f"{row['best_random_less_best']:>10.1e} {row['followed_starts_at_the_best']:>4} "
            f"{row['seconds']:>6.2f} s{' MISSED' if missed else ''}",
            flush=True,
        )
        if options.json and (k + 1) % SAVED_EVERY == 0:
            measuring.write(record | summary(rows) | {"schedules": rows}, options.json)
    print(json.dumps(summary(rows), indent=2))
    if options.json:
        measuring.write(record | summary(rows) | {"schedules": rows}, options.json)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    n_missed = sum(row["best_random_less_best"] < -TOLERANCE for row in rows)
    n_better = sum(row["best_random_less_best"] > TOLERANCE for row in rows)
    held = len(rows) - n_missed
    return {
        "n": len(rows),
        "n_not_beaten": held,
        "share_not_beaten": held / len(rows),
        "exact_interval_95": exact_interval(held, len(rows)),
        "n_where_no_random_start_came_near": n_better,
        "largest_seconds": {
            str(n): max(row["seconds"] for row in rows if row["features"] == n)
            for n in sorted({row["features"] for row in rows})
        },
    }


def small_schedules(n_draws: int) -> Iterator[tuple[int, Schedule]]:
    for n in (2, 3, 4, 5):
        for n_hidden in range(1, min(n, 3) + 1):
            for lowest in (-1, -2, -5):
                for draw in range(n_draws):
                    rng = np.random.default_rng([n, n_hidden, -lowest, draw])
                    yield n_hidden, (rng.uniform(0.1, 1, n), 10 ** rng.uniform(lowest, 0, n))
            yield n_hidden, (np.ones(n), np.full(n, 0.05))
            yield n_hidden, (np.ones(n), np.full(n, 0.001))
            yield n_hidden, (0.9 ** np.arange(n), np.geomspace(1, 0.02, n))


def timed(searches: Iterator[tuple[int, Schedule]]) -> list[dict[str, Any]]:
    sa.best_solutions(np.ones(3), np.full(3, 0.1), 2, n_starts=1)  # compiles
    rows = []
    for n_hidden, schedule in searches:
        started = time.process_time()
        best = sa.best_solutions(*schedule, n_hidden)[0].loss
        rows.append(
            {
                "features": len(schedule[0]),
                "hidden": n_hidden,
                "seconds": time.process_time() - started,
                "loss": best,
                "nothing": Landscape(*schedule, n_hidden).nothing,
            }
        )
    return rows


def times(options: argparse.Namespace) -> None:
    """Each process searches everything once; the least of its times counts for each search."""
    sources = {"this": Path(sa.__file__).parents[1], "other": options.other.resolve()}
    runs: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in sources}
    for _ in range(options.turns):
        for name, folder in sources.items():
            command = [sys.executable, __file__, "worker", "--draws", str(options.draws)]
            environment = os.environ | {"PYTHONPATH": str(folder)}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            runs[name].append(json.loads(done.stdout))
    rows = []
    for n in (2, 3, 4, 5):
        places = [k for k, row in enumerate(runs["this"][0]) if row["features"] == n]
        seconds = {
            name: sum(min(run[k]["seconds"] for run in of) for k in places) for name, of in runs.items()
        }
        higher = max(
            (runs["this"][0][k]["loss"] - runs["other"][0][k]["loss"]) / runs["this"][0][k]["nothing"]
            for k in places
        )
        rows.append(
            {
                "features": n,
                "searches": len(places),
                "seconds": seconds,
                "times_the_other": seconds["this"] / seconds["other"],
                "most_that_a_loss_is_higher": higher,
            }
        )
        print(f"{n} features, {len(places)} searches: " + str(seconds))
    measuring.write(measuring.machine(threads=1) | {"small": rows, "largest": largest()}, options.json)


def largest() -> list[dict[str, Any]]:
    """Eight features: all alike, and geometric, from dense to rare."""
    searches = [
        (n_hidden, (importance, np.full(8, p) if alike else np.geomspace(p, p / 50, 8)))
        for n_hidden in (1, 2, 3)
        for p in (1.0, 0.3, 0.05, 0.001)
        for alike, importance in ((True, np.ones(8)), (False, 0.9 ** np.arange(8)))
    ]
    rows = timed(iter(searches))
    for row, (_, (_, probability)) in zip(rows, searches, strict=True):
        row["probability"] = [float(probability[0]), float(probability[-1])]
        print(
            f"8 -> {row['hidden']}, p {probability[0]:g} .. {probability[-1]:g}: {row['seconds']:.2f} s",
            file=sys.stderr,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("reliability")
    command.add_argument("--schedules", type=int, default=N_SCHEDULES)
    command.add_argument("--starts", type=int, default=N_STARTS)
    command.add_argument("--seed", type=int, default=SEED)
    command.add_argument("--json", type=Path)
    command = commands.add_parser("times")
    command.add_argument("--other", type=Path, required=True, help="folder with superposition_atlas/")
    command.add_argument("--turns", type=int, default=3)
    command.add_argument("--draws", type=int, default=2)
    command.add_argument("--json", type=Path)
    command = commands.add_parser("worker")
    command.add_argument("--draws", type=int, default=2)
    commands.add_parser("largest")
    options = parser.parse_args()
    if options.command == "reliability":
        reliability(options)
    elif options.command == "times":
        times(options)
    elif options.command == "worker":
        json.dump(timed(small_schedules(options.draws)), sys.stdout)
    else:
        largest()


if __name__ == "__main__":
    main()
