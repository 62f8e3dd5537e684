"""How time and memory of training grow with the number of toy models and of steps.

    python benchmarks/scaling.py           # about a minute
    python benchmarks/scaling.py --full    # and 10,000 toy models for 10,000 steps

Every point is a process of its own that calls `superposition_atlas.train` on 5→2 toy models, batch 1024, the
talk's schedule, first once for one model, so that compiling is over. Time is the least of a few calls, since
other processes can only add to it. Memory is the largest resident memory of the process, whole and beyond
what it was before the calls.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

N_FEATURES, N_HIDDEN = 5, 2
INSTANCES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
STEPS = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
STEPS_FOR_INSTANCES, INSTANCES_FOR_STEPS = 200, 64
FULL = (10_000, 10_000)
LINEAR_FROM = {"instances": 50, "steps": 1000}
"""Below, what a call costs at all shows."""
RESULTS = Path(__file__).parent / "results"

Point = dict[str, Any]


def worker(n_instances: int, n_steps: int, repeats: int, threads: int) -> Point:
    """One point; runs in a process of its own."""
    import superposition_atlas as sa

    schedule = sa.schedules.geometric(N_FEATURES, first=1.0, last=0.02, importance=0.9)

    def train(n_instances: int, n_steps: int) -> float:
        start = time.perf_counter()
        sa.train(schedule, N_HIDDEN, range(n_instances), steps=n_steps, engine="fused", threads=threads)
        return time.perf_counter() - start

    train(1, 100)
    before = _largest_memory()
    seconds = min(train(n_instances, n_steps) for _ in range(repeats))
    largest = _largest_memory()
    return {
        "instances": n_instances,
        "steps": n_steps,
        "seconds": seconds,
        "models_a_second": n_instances / seconds,
        "instance_steps_a_second": n_instances * n_steps / seconds,
        "largest_memory_mb": largest,
        "of_which_before_mb": before,
    }


def _largest_memory() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def in_own_process(n_instances: int, n_steps: int, repeats: int, threads: int) -> Point:
    # A child's largest memory starts at its parent's, which therefore imports nothing large before the end.
    arguments = [str(number) for number in (n_instances, n_steps, repeats, threads)]
    command = [sys.executable, __file__, "--worker", *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    point: Point = json.loads(output)
    print(
        f"{n_instances:>9} {n_steps:>7} {point['seconds']:>10.4f} {point['models_a_second']:>12.1f} "
        f"{point['instance_steps_a_second']:>14.0f} {point['largest_memory_mb']:>8.0f} "
        f"{point['largest_memory_mb'] - point['of_which_before_mb']:>8.1f}",
        flush=True,
    )
    return point


def slope(points: Sequence[Point], along: str) -> float:
    """Of log seconds over log instances or steps, where that is linear: 1 says that time is proportional."""
    import numpy as np

    linear = [point for point in points if point[along] >= LINEAR_FROM[along]]
    logs = np.log([[point[along], point["seconds"]] for point in linear])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def draw(record: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    from superposition_atlas.figures.parts import style
    from superposition_atlas.storage.code_digest import code_digest
    from superposition_atlas.storage.provenance import provenance_of

    with style.applied():
        figure = Figure(figsize=(style.WIDTH, 2.7), layout="constrained")
        of_time, of_memory = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
        sweeps = (
            ("instances", f"more toy models, {STEPS_FOR_INSTANCES} steps"),
            ("steps", f"more steps, {INSTANCES_FOR_STEPS} toy models"),
        )
        for index, (along, name) in enumerate(sweeps):
            points = record[along]
            numbers = [point[along] for point in points]
            look = dict(style.series(index), markersize=3.5, clip_on=False)
            label = f"{name} (slope {record['slopes'][along]:.2f})"
            of_time.plot(numbers, [point["seconds"] for point in points], label=label, **look)
            memory = [point["largest_memory_mb"] for point in points]
            of_memory.plot(numbers, memory, label=name, **look)
        last = record["instances"][-1]
        reference = [last["seconds"] * number / last["instances"] for number in (1, last["instances"])]
        of_time.plot(
            (1, last["instances"]),
            reference,
            color=style.MUTED,
            linewidth=0.8,
            linestyle=(0, (1, 1.5)),
            label="slope 1",
            zorder=0,
        )
        of_time.set_yscale("log")
        of_time.set_ylim(1e-5, 10)
        of_time.set_ylabel("time of a call (s)")
        of_time.set_title("Time", loc="left")
        of_memory.set_ylim(0, 1.08 * max(1000.0, *(point["largest_memory_mb"] for point in record["steps"])))
        of_memory.axhline(1000, color=style.ACCENT, linewidth=0.8)
        of_memory.text(1, 985, "1 GB", color=style.ACCENT, va="top", fontsize=style.SMALL)
        before = record["instances"][0]["of_which_before_mb"]
        of_memory.axhline(before, color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=0)
        of_memory.text(
            20_000,
            before - 32,
            "before training",
            color="#666666",
            va="top",
            ha="right",
            fontsize=style.SMALL,
        )
        of_memory.set_ylabel("largest resident memory (MB)")
        of_memory.set_title("Memory", loc="left")
        for axes in (of_time, of_memory):
            axes.set_xscale("log")
            axes.set_xlim(0.8, 30_000)
            axes.xaxis.set_major_locator(FixedLocator([1, 10, 100, 1000, 10_000]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.set_xlabel("number of toy models, or of steps")
            axes.grid(True)
        of_time.legend(loc="lower right", borderaxespad=0.2)
        of_memory.legend(loc="center left", bbox_to_anchor=(0.0, 0.62))
        code = code_digest("superposition_atlas.training")
        style.save(figure, path, provenance_of({"figure": "scaling"}, code, engine="matplotlib"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--full", action="store_true", help="also 10,000 toy models for 10,000 steps (minutes)"
    )
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--json", type=Path, default=RESULTS / "scaling-cpu.json")
    parser.add_argument("--figure", type=Path, default=RESULTS / "scaling-cpu.png")
    parser.add_argument("--worker", type=int, nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(*args.worker)))
        return

    from superposition_atlas.backends.threads import available_threads

    threads = args.threads or available_threads()
    print(
        f"{'instances':>9} {'steps':>7} {'seconds':>10} {'models/s':>12} {'model steps/s':>14} {'MB':>8} "
        f"{'more MB':>8}"
    )
    by_instances = [in_own_process(n, STEPS_FOR_INSTANCES, 5, threads) for n in INSTANCES]
    by_steps = [in_own_process(INSTANCES_FOR_STEPS, n, 5 if n <= 5000 else 2, threads) for n in STEPS]
    full = in_own_process(*FULL, 1, threads) if args.full else None

    import measuring

    record = measuring.machine(threads) | {
        "sizes": f"{N_FEATURES} -> {N_HIDDEN}",
        "batch_size": 1024,
        "instances": by_instances,
        "steps": by_steps,
        "slopes": {"instances": slope(by_instances, "instances"), "steps": slope(by_steps, "steps")},
        "full": full,
    }
    print("slopes on logarithmic axes: " + ", ".join(f"{k} {v:.3f}" for k, v in record["slopes"].items()))
    measuring.write(record, args.json)
    draw(record, args.figure)


if __name__ == "__main__":
    main()
