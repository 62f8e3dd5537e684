"""Training speed: the fused engine beside torch, all in one run.

    python benchmarks/training.py                      # the default table, two to four minutes
    python benchmarks/training.py --probability .01 --shape 64x5-2 --json speed.json

*loop*: training as in ARENA and in the Anthropic notebook: autograd, einsum, (batch, instance, feature),
    torch.optim.Adam.
*bmm*: the same with gradients by hand, bmm, and results in memory that is kept.
*utmost*: the best that we could write in torch, with a generator of its own and only what is active drawn.
*compiled*: that through torch.compile, where there is a C++ compiler, as few of torch's users have it.

See torch_loops.py for the forms of each. Of the forms and of one thread or all, a trial before the turns
takes the quickest for each row. Then all take turns, so that whatever else the machine does slows all of
them; the medians of the turns are compared. Kernels are compiled and libraries warmed up beforehand. Torch's
threads wait for each other at every operation: on a busy machine its times grow tenfold and more, and the
ratios say nothing. The record holds the load before the run.

The shares say what part of the machine's best the fused engine reaches: of sgemm and of a loop of fused
multiply-adds in registers, both measured before the first row and after every row, of which the most counts.
Counted is the arithmetic of the five matrix products of a step, 10 · instances · n · m · batch, as if no
input were 0: skipping zeros raises the share. Not counted, though they take their time: the random numbers,
which are most of the work at 5→2, loss, ReLU and Adam.
"""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
import torch_loops
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.fused.fused_engine import FusedEngine
from superposition_atlas.training.problem import Problem, TrainingState
from torch_loops import Task, Trainer

GEOMETRIC = "1 to .02"
DEFAULT_SHAPES = ("8x5-2", "256x5-2", "8x20-5", "8x80-20", "4x400-30")
DEFAULT_PROBABILITIES = (1.0, 0.1, 0.01)
CONTENDERS = ("loop", "bmm", "utmost", "compiled")
TRIAL = 0.03  # seconds of a form, in each of its turns


@dataclass(frozen=True)
class Shape:
    n_instances: int
    n_features: int
    n_hidden: int

    @classmethod
    def parse(cls, text: str) -> "Shape":
        found = re.fullmatch(r"(\d+)x(\d+)-(\d+)", text)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r}: must be INSTANCESxFEATURES-HIDDEN, as in 8x5-2")
        return cls(*(int(number) for number in found.groups()))

    def __str__(self) -> str:
        return f"{self.n_instances} x ({self.n_features} -> {self.n_hidden})"


def task(shape: Shape, probability: float | None, batch_size: int) -> Task:
    """Importance 0.9^i; None stands for the talk's probabilities, 1 to .02 in equal ratios."""
    n = shape.n_features
    p = 50.0 ** -np.linspace(0.0, 1.0, n) if probability is None else np.full(n, probability)
    return Task(shape.n_instances, shape.n_hidden, Schedule(0.9 ** np.arange(n), p), batch_size)


def fused(of: Task, threads: int) -> Trainer:
    rows = (of.n_instances, 1)
    problem = Problem(
        seeds=np.arange(of.n_instances, dtype=np.uint64),
        importance=np.tile(of.schedule.importance, rows),
        probability=np.tile(of.schedule.probability, rows),
        n_hidden=of.n_hidden,
        settings=TrainingSettings(batch_size=of.batch_size, learning_rate=torch_loops.LEARNING_RATE),
    )
    state, engine = TrainingState.initial(problem), FusedEngine(threads)

    def advance(n_steps: int) -> None:
        engine.advance(state, n_steps, problem)

    return Trainer(advance, torch.from_numpy(state.weights.W), torch.from_numpy(state.weights.b))


def contenders(of: Task, threads: int, with_compiled: bool) -> dict[str, tuple[str, Trainer]]:
    """Each with its quickest form."""
    counts = sorted({1, threads})
    candidates: dict[str, dict[str, Callable[[], Trainer]]] = {
        "loop": {_threads(count): partial(torch_loops.loop, of, count) for count in counts},
        "bmm": {_threads(count): partial(torch_loops.bmm, of, count) for count in counts},
        "utmost": {
            f"{draw}, {_threads(count)}": partial(torch_loops.utmost, of, draw, count)
            for draw in torch_loops.draws(of)
            for count in counts
        },
    }
    if with_compiled:
        torch.compiler.reset()  # which keeps a few shapes only
        candidates["compiled"] = {
            f"{draw}, {_threads(count)}": partial(torch_loops.compiled, of, draw, count)
            for draw in torch_loops.draws(of)
            for count in counts
        }
    chosen = {"fused": (_threads(threads), fused(of, threads))}
    for name, forms in candidates.items():
        trainers = {form: make() for form, make in forms.items()}
        best = measuring.quickest({form: trainer.advance for form, trainer in trainers.items()}, TRIAL)
        chosen[name] = (best, trainers[best])
    return chosen


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def measure(shape: Shape, probability: float | None, with_compiled: bool, args: Any) -> dict[str, Any]:
    of = task(shape, probability, args.batch_size)
    chosen = contenders(of, args.threads, with_compiled)
    advances = {name: trainer.advance for name, (_, trainer) in chosen.items()}
    seconds = measuring.medians(advances, args.turns, args.seconds)
    n_flops = 10 * of.n_instances * of.n_features * of.n_hidden * of.batch_size
    return {
        "shape": str(shape),
        "probability": GEOMETRIC if probability is None else probability,
        "batch_size": of.batch_size,
        "forms": {name: form for name, (form, _) in chosen.items()},
        "microseconds_a_step": {name: value * 1e6 for name, value in seconds.items()},
        "times_as_fast_as": {
            name: value / seconds["fused"] for name, value in seconds.items() if name != "fused"
        },
        "gflops_in_products": n_flops / seconds["fused"] / 1e9,
    }


def rows(args: Any) -> list[tuple[Shape, float | None]]:
    """What to measure; by default the talk's probabilities too, for the first shape."""
    probabilities = args.probability or DEFAULT_PROBABILITIES
    wanted: list[tuple[Shape, float | None]] = [(shape, p) for shape in args.shape for p in probabilities]
    return wanted if args.probability else [(args.shape[0], None), *wanted]


def table_line(result: dict[str, Any]) -> str:
    microseconds, ratios, forms = (
        result[key] for key in ("microseconds_a_step", "times_as_fast_as", "forms")
    )
    cells = [f"{result['shape']:>16} {result['probability']:>8} {microseconds['fused']:9.1f}"]
    for name in CONTENDERS:
        there = name in ratios
        cells.append(
            f" {microseconds[name]:9.1f} {ratios[name]:6.1f} x  {forms[name]:23}" if there else " " * 44
        )
    return "".join(cells) + f"{result['gflops_in_products']:9.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=Shape.parse, nargs="+", default=[*map(Shape.parse, DEFAULT_SHAPES)])
    parser.add_argument(
        "--probability", type=float, nargs="+", help="of every feature; default 1, .1 and .01"
    )
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.25, help="of one turn of one contender")
    parser.add_argument("--json", type=Path, help="write the results here, not to standard output")
    parser.add_argument("--no-compiled", action="store_true", help="leave torch.compile out")
    args = parser.parse_args()

    record = measuring.machine(args.threads)
    why_not = "asked not to" if args.no_compiled else torch_loops.why_not_compiled()
    if why_not:
        print(f"without torch.compile: {why_not}")
    titles = "".join(f"{name:>10}{'':34}" for name in CONTENDERS)
    print(f"{'shape':>16} {'p':>8} {'fused':>9}{titles}  Gflop/s   (times in µs a step)")
    results, peaks = [], measuring.peaks(args.threads)
    for shape, probability in rows(args):
        result = measure(shape, probability, why_not is None, args)
        results.append(result)
        print(table_line(result), flush=True)
        again = measuring.peaks(args.threads)
        peaks = {name: max(peak, again[name]) for name, peak in peaks.items()}

    print("share of the peak: " + ", ".join(f"{name} {peak:.0f} Gflop/s" for name, peak in peaks.items()))
    for result in results:
        result["share_of_peak"] = {name: result["gflops_in_products"] / peak for name, peak in peaks.items()}
        shares = " ".join(f"{100 * share:9.0f} %" for share in result["share_of_peak"].values())
        print(f"{result['shape']:>16} {result['probability']:>8} {shares}")
    record |= {"peak_gflops": peaks, "not_compiled_because": why_not, "results": results}
    measuring.write(record, args.json)


if __name__ == "__main__":
    main()
