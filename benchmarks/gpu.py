"""The GPU engine on the card that is here, beside the loops that one would write otherwise: one command.

    python benchmarks/gpu.py          # about ten minutes on an H200; writes benchmarks/results/gpu-CARD.json
    TRITON_INTERPRET=1 python benchmarks/gpu.py --dry    # the same without a GPU, at toy size: no figures

Toy models: whole trainings of 10,000 steps at batch 1024, at 5 → 2 for 1 to 100,000 instances and at 80 → 20.
The engine's time is that of all steps with the weights' way to the card and back, kernels compiled before.
*loop* is training as in ARENA (`torch_loops.py`: autograd, einsum, torch.optim.Adam), *bmm* the same with
gradients by hand and batched products, both on the same card in the same run, by the time of some steps.
Instances are batched in both; each is tried with several numbers of instances, and the one that trains most
models a second is its best batched form. Contenders alternate and medians count.

The share of the peak is that of the five products of a step, 10 · n · m · batch · instances, of the card's
float32 products, measured here; at 5 → 2 random numbers and the rest of the work are most of it, so for that
shape `share_of_issue` says what part of the most that its machine code could reach (`gpu_code.py`) it does.

Before anything is timed, what is timed is checked: the first steps against the reference on the CPU, equal
bits for equal toy models among few and among many, and that equal rare features end as pentagons.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gpu_code
import measuring
import numpy as np
import torch
import torch_loops
from sae_loops import LOOPS
from superposition_atlas.sae import cuda_engine as sae_cuda
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.sae_training import SAETraining
from superposition_atlas.sae.train_saes import _training_data
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.cuda.cuda_engine import CudaEngine
from superposition_atlas.training.problem import Problem, TrainingState
from superposition_atlas.training.torch_engine import TorchEngine
from superposition_atlas.training.train_toy_models import random_dictionaries

RESULTS = Path(__file__).parent / "results"
SLICES = 20
"""Parts of a training, as `train` too stops now and then to look at signals and weights."""
OWN_SETTINGS: dict[str, dict[str, Any]] = {"matryoshka": {"prefixes": (2,)}}


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    device: str
    steps: int
    batch_size: int
    small: tuple[int, ...]
    """Numbers of instances at 5 → 2, and so on."""
    wide_shape: tuple[int, int]
    wide: tuple[int, ...]
    loops: tuple[int, ...]
    saes: tuple[int, ...]
    architectures: tuple[str, ...]
    checked: int
    seconds: float
    """Of one turn of a loop."""
    peak_size: int


REAL = Size(
    device="cuda", steps=10_000, batch_size=1024, small=(1, 8, 128, 10_000, 100_000),
    wide_shape=(80, 20), wide=(1, 8, 128, 1_000), loops=(8, 128, 1_000, 10_000),
    saes=(16, 256, 4_096), architectures=tuple(LOOPS), checked=128, seconds=1.0,
    peak_size=8192,
)  # fmt: skip
DRY = Size(
    device="cpu", steps=2, batch_size=32, small=(1,), wide_shape=(12, 3), wide=(1,), loops=(1,),
    saes=(1,), architectures=("relu",), checked=2, seconds=0.01, peak_size=64,
)  # fmt: skip


def problem(shape: tuple[int, int], n_instances: int, size: Size, p: float | None = None) -> Problem:
    """The talk's probabilities, 1 to .02 in equal ratios, and importances 0.9^i; or all of p, and 1."""
    n, m = shape
    probability = 50.0 ** -np.linspace(0.0, 1.0, n) if p is None else np.full(n, p)
    importance = 0.9 ** np.arange(n) if p is None else np.ones(n)
    return Problem(
        seeds=np.arange(n_instances, dtype=np.uint64),
        importance=np.tile(importance, (n_instances, 1)),
        probability=np.tile(probability, (n_instances, 1)),
        n_hidden=m,
        settings=TrainingSettings(steps=size.steps, batch_size=size.batch_size),
    )


def engine_on(size: Size) -> CudaEngine:
    return CudaEngine() if size.device == "cuda" else CudaEngine(size.device, lambda: 10**9)


def train(of: Problem, size: Size) -> tuple[TrainingState, float]:
    """Whole trainings, and their seconds."""
    state, engine = TrainingState.initial(of), engine_on(size)
    engine.advance(state, 0, of)
    synchronise(size)
    start = time.perf_counter()
    for stop in np.linspace(0, of.settings.steps, min(SLICES, of.settings.steps) + 1).astype(int)[1:]:
        engine.advance(state, int(stop) - state.step, of)
    return state, time.perf_counter() - start


def synchronise(size: Size) -> None:
    if size.device == "cuda":
        torch.cuda.synchronize()


# --- is it right --------------------------------------------------------------------------------------------


def check(size: Size) -> dict[str, float]:
    """What was found; exits where it is wrong."""
    n_steps = min(100, size.steps)
    largest = 0.0
    for shape in ((5, 2), size.wide_shape):
        of = problem(shape, 4, size)
        own, reference = TrainingState.initial(of), TrainingState.initial(of)
        engine_on(size).advance(own, n_steps, of)
        TorchEngine("cpu", 1).advance(reference, n_steps, of)
        largest = max(largest, float(np.abs(own.weights.W - reference.weights.W).max()))
    insist(largest < 1e-4, f"the first {n_steps} steps are {largest:.1e} away from the reference")
    few, _ = train(problem((5, 2), size.checked // 2, size), size)
    many, _ = train(problem((5, 2), size.checked, size), size)
    same = np.array_equal(few.weights.W, many.weights.W[: size.checked // 2])
    insist(same, "bits depend on the number of instances")
    found = {"largest_difference_from_reference": largest}
    if size is REAL:
        rare, _ = train(problem((5, 2), size.checked, size, p=0.02), size)
        norms = np.linalg.norm(rare.weights.W, axis=1)
        share = float((norms.min(axis=1) > 0.9 * norms.max(axis=1)).mean())
        insist(share > 0.97, f"only {share:.3f} of equal rare features end as pentagons")
        found["share_of_pentagons"] = share
    return found


def insist(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"error: {otherwise}; nothing was timed")


# --- how fast -----------------------------------------------------------------------------------------------


def on_device(size: Size, make: Callable[[], Any]) -> Callable[[int], None]:
    """Steps of a loop on the device, that are done when it returns."""
    with torch.device(size.device):
        trainer = make()

    def advance(n_steps: int) -> None:
        with torch.device(size.device):
            trainer.advance(n_steps)
        synchronise(size)

    return advance


def loops(shape: tuple[int, int], size: Size) -> list[dict[str, Any]]:
    """Models a second of each form and number of instances; those that don't fit are left out."""
    n, m = shape
    schedule = Schedule(0.9 ** np.arange(n), 50.0 ** -np.linspace(0.0, 1.0, n))
    found = []
    for n_instances in size.loops:
        of = torch_loops.Task(n_instances, m, schedule, size.batch_size)
        try:
            contenders = {
                "loop": on_device(size, partial(torch_loops.loop, of, 1)),
                "bmm": on_device(size, partial(torch_loops.bmm, of, 1)),
            }
            seconds = measuring.medians(contenders, 3, size.seconds)
        except torch.cuda.OutOfMemoryError:
            break
        for form, a_step in seconds.items():
            found.append(
                {
                    "form": form,
                    "instances": n_instances,
                    "microseconds_a_step": 1e6 * a_step,
                    "models_a_second": n_instances / (a_step * size.steps),
                }
            )
    return found


def toy_models(shape: tuple[int, int], counts: tuple[int, ...], size: Size, peak: float) -> dict[str, Any]:
    theirs = loops(shape, size)
    of_loop = {row["instances"]: row["models_a_second"] for row in theirs if row["form"] == "loop"}
    best = max(theirs, key=lambda row: float(row["models_a_second"]))
    rows = []
    for n_instances in counts:
        of = problem(shape, n_instances, size)
        _, seconds = train(of, size)
        models_a_second = n_instances / seconds
        flops = 10 * shape[0] * shape[1] * size.batch_size * size.steps * models_a_second
        row: dict[str, Any] = {
            "instances": n_instances,
            "seconds": seconds,
            "models_a_second": models_a_second,
            "times_best_batched_form": models_a_second / best["models_a_second"],
            "share_of_peak": flops / peak,
        }
        if n_instances in of_loop:
            row["times_loop"] = models_a_second / of_loop[n_instances]
        rows.append(row)
        ratio = f"{row['times_loop']:8.1f} x" if "times_loop" in row else " " * 10
        ours = f"{seconds:>10.3f} s {models_a_second:>12.1f}"
        shares = f"{row['times_best_batched_form']:>10.1f} x {100 * row['share_of_peak']:>8.1f} %"
        print(f"{shape[0]:>5} → {shape[1]:<4} {n_instances:>8} {ours} {ratio} {shares}", flush=True)
    return {"shape": list(shape), "engine": rows, "loops": theirs, "best_batched_form": best}


def saes(architecture: str, n_instances: int, size: Size) -> dict[str, Any]:
    """One SAE a toy model, 5 → 2 → 5 latents."""
    models = random_dictionaries(Schedule(np.ones(5), np.full(5, 0.025)), 2, range(n_instances))
    own = OWN_SETTINGS.get(architecture, {})
    settings = SAESettings(n_latents=5, architecture=architecture, batch_size=size.batch_size, **own)
    toy_model, data = _training_data(models, settings, None)
    chosen = by_name(architecture)
    training = SAETraining(chosen, settings, toy_model, data, records=(), engine_name="torch", threads=1)
    state = training.state
    engine = sae_cuda.CudaSAEs(chosen, data, settings, size.device)

    def recorded(n_steps: int) -> None:
        engine.advance(state, n_steps)

    recorded(1)
    contenders = {
        "recorded": recorded,
        "loop": on_device(size, partial(LOOPS[architecture], models, 5, **own)),
    }
    seconds = measuring.medians(contenders, 3, size.seconds)
    insist(bool(np.isfinite(state.parameters).all()), f"SAEs of {architecture} are not finite")
    row = {
        "architecture": architecture,
        "saes": n_instances,
        "microseconds_a_step": {name: 1e6 * value for name, value in seconds.items()},
        "times_loop": seconds["loop"] / seconds["recorded"],
        "saes_of_20000_steps_a_second": n_instances / (20_000 * seconds["recorded"]),
    }
    print(f"{architecture:>12} {n_instances:>6} SAEs {1e6 * seconds['recorded']:>10.1f} µs a step "
          f"{row['times_loop']:>8.1f} x", flush=True)  # fmt: skip
    return row


def peak_flops(size: Size) -> float:
    """The most of float32 products, TF32 off."""
    left, right = (torch.rand(size.peak_size, size.peak_size, device=size.device) for _ in range(2))

    def multiply(n_steps: int) -> None:
        for _ in range(n_steps):
            torch.mm(left, right)
        synchronise(size)

    multiply(2)
    return 2 * size.peak_size**3 / min(measuring.seconds_a_step(multiply, 5) for _ in range(5))


def issue_limit(shape: tuple[int, int], card: str) -> dict[str, float] | None:
    """`gpu_code.estimate` of this card's kind, if it is one that it knows."""
    if "H200" not in card or gpu_code.why_not():
        return None
    kernel, constants, warps = gpu_code.kernels([shape])[f"take_steps {shape[0]}-{shape[1]}"]
    inner, step = gpu_code.read(gpu_code.compiled(kernel, constants, warps))["loops"]
    return gpu_code.estimate(inner.total(), step.total())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dry", action="store_true", help="toy size, in Triton's interpreter, without a GPU")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    size = DRY if options.dry else REAL
    if options.dry:
        sae_cuda._LARGEST_GROUP = 1
    if not options.dry and not torch.cuda.is_available():
        sys.exit("error: torch finds no CUDA device here; --dry tries the benchmark out without one")
    card = "none, interpreted" if options.dry else torch.cuda.get_device_name()
    path = options.json
    if path is None and not options.dry:
        path = RESULTS / f"gpu-{re.sub(r'[^a-z0-9]+', '-', card.lower()).strip('-')}.json"

    record = measuring.machine(1) | {"card": card, "cuda": torch.version.cuda, "is_dry": options.dry}
    record["versions"]["triton"] = version("triton")
    record["checked"] = check(size)
    peak = peak_flops(size)
    record["peak_teraflops"] = peak / 1e12
    print(f"{card}: {peak / 1e12:.1f} Tflop/s in float32 products")
    titles = f"{'seconds':>12} {'models/s':>12} {'to loop':>10} {'to best':>12} {'of peak':>10}"
    print(f"{'shape':>12} {'models':>8} {titles}")
    record["toy_models"] = [
        toy_models((5, 2), size.small, size, peak),
        toy_models(size.wide_shape, size.wide, size, peak),
    ]
    if limit := issue_limit((5, 2), card):
        record["issue_limit"] = limit
        fastest = max(row["models_a_second"] for row in record["toy_models"][0]["engine"])
        record["share_of_issue"] = fastest / limit["models_a_second_at_most"]
    record["saes"] = [saes(name, count, size) for name in size.architectures for count in size.saes]
    measuring.write(record, path)


if __name__ == "__main__":
    main()
