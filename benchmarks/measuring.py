"""What the benchmarks share: taking turns, what the machine can do at best, and what it is."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

Advance = Callable[[int], object]
"""Takes that many steps."""

PACKAGES = ("numpy", "numba", "torch")


def seconds_a_step(advance: Advance, n_steps: int) -> float:
    start = time.perf_counter()
    advance(n_steps)
    return (time.perf_counter() - start) / n_steps


def steps_that_take(seconds: float, advance: Advance, at_least: int = 5) -> int:
    """Number of steps, after a few that compile and allocate."""
    advance(2)
    return max(at_least, round(seconds / seconds_a_step(advance, at_least)))


def quickest(forms: Mapping[str, Advance], seconds: float, turns: int = 3) -> str:
    """The form with the least time a step, by a trial of each in alternating turns."""
    times = _in_turns(forms, turns, seconds)
    return min(forms, key=lambda name: min(times[name]))


def medians(contenders: Mapping[str, Advance], turns: int, seconds: float) -> dict[str, float]:
    """Seconds a step: medians over turns of about `seconds` each, in which the contenders alternate."""
    return {name: statistics.median(times) for name, times in _in_turns(contenders, turns, seconds).items()}


def _in_turns(contenders: Mapping[str, Advance], turns: int, seconds: float) -> dict[str, list[float]]:
    n_steps = {name: steps_that_take(seconds, advance) for name, advance in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, advance in contenders.items():
            times[name].append(seconds_a_step(advance, n_steps[name]))
    return times


def peaks(threads: int, repeats: int = 4) -> dict[str, float]:
    """The most Gflop/s of this machine in float32 on that many threads: what a share is a share of.

    sgemm: torch.mm of two 2048 x 2048 matrices. fused_multiply_adds: 20 vectors that stay in registers.
    A busy machine reaches less: measure again and again, and take the most.
    """
    import torch

    size, n_turns = 2048, 2_000_000
    torch.set_num_threads(threads)
    left, right, product = (torch.rand(size, size) for _ in range(3))
    multiply_adds, flops_a_turn = _register_loop()

    def on_all_threads(turns: int) -> None:
        list(pool.map(multiply_adds, [turns] * threads))

    with ThreadPoolExecutor(threads) as pool:
        on_all_threads(1)  # compiles
        of_loop = min(seconds_a_step(on_all_threads, n_turns) for _ in range(2 * repeats))
    of_sgemm = min(
        seconds_a_step(lambda _: torch.mm(left, right, out=product), 1) for _ in range(repeats + 1)
    )
    return {
        "sgemm": 2 * size**3 / of_sgemm / 1e9,
        "fused_multiply_adds": threads * flops_a_turn / of_loop / 1e9,
    }


@cache
def _register_loop(n_vectors: int = 20) -> tuple[Callable[[int], float], int]:
    """A compiled loop of independent multiply-adds that touches no memory, and the flops of one turn."""
    import numba
    from numba import types
    from numba.extending import intrinsic
    from superposition_atlas.training.fused.lanes import LANES, Traced, loop, multiply_add
    from superposition_atlas.training.fused.traced_memory import Variable

    @intrinsic
    def multiply_adds(typing_context: Any, turns: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            half = Traced(builder, context.get_constant(types.float32, 0.5))
            values = [Variable(builder) for _ in range(n_vectors)]
            with loop(Traced(builder, arguments[0])):
                for value in values:
                    value.set(multiply_add(value.get(), half, half))
            total = values[0].get()
            for value in values[1:]:  # all are used, or they would not be computed
                total = total + value.get()
            return total.sum().value

        return types.float32(types.int64), write

    @numba.njit(nogil=True)
    def run(turns):  # type: ignore[no-untyped-def]
        return multiply_adds(turns)

    return run, 2 * LANES * n_vectors


def machine(threads: int) -> dict[str, Any]:
    """What a record must say for its figures to mean something; the load is that of the minute before."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {platform.machine()}"
    return f"{platform.processor() or 'unknown'}, {platform.machine()}"


def write(record: Mapping[str, Any], path: Path | None) -> None:
    """To the file, or to standard output where there is none."""
    text = json.dumps(record, indent=2) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text)
