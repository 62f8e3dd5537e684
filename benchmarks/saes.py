"""SAE training: the fused engine beside the loop as ARENA 3.0 writes it, alternating in one run.

python benchmarks/saes.py [--steps 4000] [--repeats 3] [--threads N] [--architecture NAME ...] [--json FILE]

Both train one SAE of 5 latents for each of the toy models, 5 features in 2 hidden dimensions, batch 1024. The
loops (`sae_loops.py`) are PyTorch as its users run it; ARENA itself has relu, gated and jumprelu. They run
with one thread and with all, and the quicker counts. Times are medians over the repeats; `20,000 steps` is
what a whole training takes, by proportion. On a busy machine PyTorch's threads suffer most: measure on a
quiet one.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from sae_loops import LOOPS
from superposition_atlas.backends.threads import available_threads
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.toy_model import ToyModels, TrainingSettings

WHOLE_TRAINING = 20_000
N_LATENTS = 5
OWN_SETTINGS: dict[str, dict[str, Any]] = {"matryoshka": {"prefixes": (2,)}}
ALL_TORCH_THREADS = torch.get_num_threads()


def pentagons(n_instances: int, probability: float) -> ToyModels:
    angle = 2 * np.pi * np.arange(5) / 5
    W = np.repeat(1.17 * np.stack([np.cos(angle), np.sin(angle)])[None], n_instances, axis=0)
    return ToyModels(
        W=W.astype(np.float32),
        b=np.full((n_instances, 5), -0.28, dtype=np.float32),
        loss=np.zeros(n_instances),
        seeds=np.arange(n_instances),
        importance=np.ones((n_instances, 5)),
        probability=np.full((n_instances, 5), probability),
        settings=TrainingSettings(),
        engine="by hand",
    )


def compare(
    architecture: str, n_instances: int, probability: float, options: argparse.Namespace
) -> dict[str, int | float | str]:
    models = pentagons(n_instances, probability)
    own = OWN_SETTINGS.get(architecture, {})
    fused_steps = max(10, options.steps * 16 // n_instances)
    arena_steps = max(5, fused_steps // 100)

    def train(n_steps: int) -> None:
        train_saes(
            models,
            architecture=architecture,
            n_latents=N_LATENTS,
            resampling="none",
            steps=n_steps,
            threads=options.threads,
            engine="fused",
            **own,
        )

    train(1)  # compiles, or loads what is compiled
    fused: list[float] = []
    arena: dict[int, list[float]] = {n_threads: [] for n_threads in {1, ALL_TORCH_THREADS}}
    for _ in range(options.repeats):
        fused.append(measuring.seconds_a_step(train, fused_steps))
        for n_threads, times in arena.items():
            torch.set_num_threads(n_threads)
            loop = LOOPS[architecture](models, N_LATENTS, **own)
            loop.advance(3)  # wakes the threads up
            times.append(measuring.seconds_a_step(loop.advance, arena_steps))
    own_time = statistics.median(fused)
    theirs, torch_threads = min((statistics.median(times), n_threads) for n_threads, times in arena.items())
    return {
        "architecture": architecture,
        "SAEs": n_instances,
        "sizes": "5 -> 2 -> 5 latents",
        "probability": probability,
        "fused_ms_per_step": 1e3 * own_time,
        "arena_ms_per_step": 1e3 * theirs,
        "fused_s_whole_training": WHOLE_TRAINING * own_time,
        "arena_s_whole_training": WHOLE_TRAINING * theirs,
        "arena_threads": torch_threads,
        "ratio": theirs / own_time,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=4000, help="steps of the fused engine a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--architecture", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--json", type=Path, help="write the results here, not to standard output")
    options = parser.parse_args()

    cases = [(name, 16, p) for name in options.architecture for p in (0.025, 0.5)]
    cases += [("relu", 256, 0.5)] if "relu" in options.architecture else []
    record = measuring.machine(options.threads)
    rows = [compare(*case, options) for case in cases]
    print(
        f"{'architecture':<12} {'SAEs':>5} {'p':>6} {'fused ms/step':>14} {'ARENA ms/step':>14} "
        f"{'20,000 steps':>22} {'ratio':>7}"
    )
    for row in rows:
        whole = f"{row['fused_s_whole_training']:.2f} s / {row['arena_s_whole_training']:.0f} s"
        print(
            f"{row['architecture']:<12} {row['SAEs']:>5} {row['probability']:>6} "
            f"{row['fused_ms_per_step']:>14.4f} {row['arena_ms_per_step']:>14.3f} {whole:>22} "
            f"{row['ratio']:>6.0f}x"
        )
    measuring.write(record | {"rows": rows}, options.json)


if __name__ == "__main__":
    main()
