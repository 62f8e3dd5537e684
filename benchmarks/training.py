"""Training speed: the fused engine beside two torch loops, all in one run.

    python benchmarks/training.py                      # the default table
    python benchmarks/training.py --probability .01 --shape 64x5-2 --json speed.json

(a) *loop*: training as in ARENA's notebook: autograd, einsum, (batch, instance, feature), torch.optim.Adam.
(b) *tuned*: the best that we could write in torch: gradients by hand, bmm, Adam in place, preallocated
    results. Both draw their inputs with torch's own generator.

The three take turns, so that whatever else the machine does slows all of them; the medians of the turns are
compared. Kernels are compiled and libraries warmed up beforehand.
"""

import argparse
import json
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import TrainingSettings, xavier_scale
from superposition_atlas.training.fused_engine import FusedEngine
from superposition_atlas.training.state import Problem, TrainingState

DEFAULT_SHAPES = ("8x5-2", "256x5-2", "8x80-20")
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8

Advance = Callable[[int], None]
"""Takes that many steps."""


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


def fused(shape: Shape, schedule: Schedule, batch_size: int, threads: int) -> Advance:
    rows = (shape.n_instances, 1)
    problem = Problem(
        seeds=np.arange(shape.n_instances, dtype=np.uint64),
        importance=np.tile(schedule.importance, rows),
        probability=np.tile(schedule.probability, rows),
        n_hidden=shape.n_hidden,
        settings=TrainingSettings(batch_size=batch_size, learning_rate=LEARNING_RATE),
    )
    state, engine = TrainingState.initial(problem), FusedEngine(threads)

    def advance(n_steps: int) -> None:
        engine.advance(state, n_steps, problem)

    return advance


def loop(shape: Shape, schedule: Schedule, batch_size: int, threads: int) -> Advance:
    torch.set_num_threads(threads)
    scale = xavier_scale(shape.n_features, shape.n_hidden)
    W = torch.nn.Parameter(scale * torch.randn(shape.n_instances, shape.n_hidden, shape.n_features))
    b = torch.nn.Parameter(torch.zeros(shape.n_instances, shape.n_features))
    importance = torch.tensor(schedule.importance, dtype=torch.float32)
    probability = torch.tensor(schedule.probability, dtype=torch.float32)
    optimiser = torch.optim.Adam([W, b], lr=LEARNING_RATE)

    def advance(n_steps: int) -> None:
        for _ in range(n_steps):
            optimiser.zero_grad()
            size = (batch_size, shape.n_instances, shape.n_features)
            is_active = torch.rand(size) <= probability
            x = torch.where(is_active, torch.rand(size), 0.0)
            hidden = torch.einsum("bif,ihf->bih", x, W)
            out = torch.relu(torch.einsum("bih,ihf->bif", hidden, W) + b)
            loss = (importance * (x - out) ** 2).mean(dim=(0, 2)).sum()
            loss.backward()
            optimiser.step()

    return advance


def tuned(shape: Shape, schedule: Schedule, batch_size: int, threads: int) -> Advance:
    torch.set_num_threads(threads)
    instances, features, hidden = shape.n_instances, shape.n_features, shape.n_hidden
    n_W = hidden * features
    # W and b of all instances as views of one row, so that Adam is one pass.
    weights = torch.zeros(instances * (n_W + features))
    W = weights[: instances * n_W].view(instances, hidden, features)
    b = weights[instances * n_W :].view(instances, 1, features)
    W.copy_(xavier_scale(features, hidden) * torch.randn(W.shape))
    gradient, mean, square = (torch.zeros_like(weights) for _ in range(3))
    gradient_W = gradient[: instances * n_W].view_as(W)
    gradient_b = gradient[instances * n_W :].view_as(b)
    root = torch.empty_like(weights)
    p = torch.tensor(schedule.probability, dtype=torch.float32)
    factor = torch.tensor(schedule.importance, dtype=torch.float32) * (2.0 / (batch_size * features))
    x = torch.empty(instances, batch_size, features)
    z, active = torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)
    h = torch.empty(instances, batch_size, hidden)
    back = torch.empty_like(h)
    step = 0

    @torch.no_grad()
    def advance(n_steps: int) -> None:
        nonlocal step
        for _ in range(n_steps):
            step += 1
            x.uniform_()
            torch.lt(x, p, out=active)
            x.div_(p).mul_(active)  # one draw a feature: u / p where u < p
            torch.bmm(x, W.mT, out=h)
            torch.baddbmm(b, h, W, out=z)
            torch.gt(z, 0.0, out=active)
            z.sub_(x).mul_(factor).mul_(active)
            torch.sum(z, dim=1, keepdim=True, out=gradient_b)
            torch.bmm(z, W.mT, out=back)
            torch.bmm(h.mT, z, out=gradient_W)
            gradient_W.baddbmm_(back.mT, x)
            mean.lerp_(gradient, 1.0 - BETA_1)
            square.mul_(BETA_2).addcmul_(gradient, gradient, value=1.0 - BETA_2)
            torch.sqrt(square, out=root)
            root.div_(sqrt(1.0 - BETA_2**step)).add_(EPSILON)
            weights.addcdiv_(mean, root, value=-LEARNING_RATE / (1.0 - BETA_1**step))

    return advance


CONTENDERS = {"fused": fused, "loop": loop, "tuned": tuned}


def measure(shape: Shape, probability: float | None, args: argparse.Namespace) -> dict[str, object]:
    """Medians over the turns; a turn of each contender takes about `args.seconds`."""
    n = shape.n_features
    schedule = Schedule(
        importance=0.9 ** np.arange(n),
        probability=50.0 ** -np.linspace(0.0, 1.0, n) if probability is None else np.full(n, probability),
    )
    contenders = {
        name: make(shape, schedule, args.batch_size, args.threads) for name, make in CONTENDERS.items()
    }
    turns = {}
    for name, advance in contenders.items():
        advance(3)  # compiles, allocates
        start = time.perf_counter()
        advance(10)
        turns[name] = max(10, round(10 * args.seconds / (time.perf_counter() - start)))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(args.turns):
        for name, advance in contenders.items():
            start = time.perf_counter()
            advance(turns[name])
            seconds[name].append((time.perf_counter() - start) / turns[name])
    median = {name: statistics.median(values) for name, values in seconds.items()}
    n_products = 10 * shape.n_instances * n * shape.n_hidden * args.batch_size  # five, an FMA is two
    return {
        "shape": str(shape),
        "probability": "geometric 1 to .02" if probability is None else probability,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "microseconds_a_step": {name: value * 1e6 for name, value in median.items()},
        "times_as_fast_as_loop": median["loop"] / median["fused"],
        "times_as_fast_as_tuned": median["tuned"] / median["fused"],
        "fused_gflops_in_products": n_products / median["fused"] / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=Shape.parse, nargs="+", default=[*map(Shape.parse, DEFAULT_SHAPES)])
    parser.add_argument("--probability", type=float, nargs="+", default=[None], help="of every feature")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn of one contender")
    parser.add_argument("--json", type=Path, help="also write the results here")
    args = parser.parse_args()

    print(f"{'shape':>18} {'p':>18} {'fused':>10} {'loop':>10} {'tuned':>10}   (µs a step)")
    results = []
    for shape in args.shape:
        for probability in args.probability:
            result = measure(shape, probability, args)
            results.append(result)
            fused_us, loop_us, tuned_us = result["microseconds_a_step"].values()
            print(
                f"{result['shape']:>18} {result['probability']:>18} {fused_us:10.1f} {loop_us:10.1f} "
                f"{tuned_us:10.1f}   {result['times_as_fast_as_loop']:.0f} x loop, "
                f"{result['times_as_fast_as_tuned']:.1f} x tuned, "
                f"{result['fused_gflops_in_products']:.0f} Gflop/s",
                flush=True,
            )
    record = {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "machine": platform.machine(),
        "results": results,
    }
    if args.json is not None:
        args.json.write_text(json.dumps(record, indent=2) + "\n")
    else:
        print(json.dumps(record))


if __name__ == "__main__":
    main()
