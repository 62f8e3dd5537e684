"""SAE training: the fused engine beside the loop as ARENA 3.0 writes it, alternating in one run.

python benchmarks/saes.py [--steps 2000] [--repeats 3] [--threads N] [--json FILE]

Both train one `relu` SAE of 5 latents for each of the toy models, 2 hidden dimensions, batch 1024. ARENA's
loop is PyTorch as its users run it: autograd, einsum, torch.optim.Adam, PyTorch's own random numbers; it runs
with one thread and with all, and the quicker counts. Times are medians over the repeats; `20,000 steps` is
what a whole training takes, by proportion. On a busy machine PyTorch's threads suffer most: measure on a
quiet one.
"""

import argparse
import statistics
from functools import partial
from pathlib import Path

import measuring
import numpy as np
import torch
from superposition_atlas.running import available_threads
from superposition_atlas.sae.training import train_saes
from superposition_atlas.toy_model import ToyModels, TrainingSettings

WHOLE_TRAINING = 20_000
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


def arena_loop(models: ToyModels, steps: int, n_latents: int = 5, batch_size: int = 1024) -> None:
    n_instances, n_hidden, n_features = models.W.shape
    W = torch.from_numpy(models.W)
    probability = torch.from_numpy(models.probability).float()
    W_enc = torch.nn.Parameter(torch.nn.init.kaiming_uniform_(torch.empty(n_instances, n_hidden, n_latents)))
    W_dec = torch.nn.Parameter(torch.nn.init.kaiming_uniform_(torch.empty(n_instances, n_latents, n_hidden)))
    b_enc = torch.nn.Parameter(torch.zeros(n_instances, n_latents))
    b_dec = torch.nn.Parameter(torch.zeros(n_instances, n_hidden))
    optimizer = torch.optim.Adam([W_enc, W_dec, b_enc, b_dec], lr=1e-3)
    activity = []
    for _ in range(steps):
        with torch.inference_mode():
            active = torch.rand(batch_size, n_instances, n_features) < probability
            x = torch.where(active, torch.rand(batch_size, n_instances, n_features), torch.zeros(()))
            h = torch.einsum("bif,ihf->bih", x, W)
        a = (torch.einsum("bih,ihl->bil", h - b_dec, W_enc) + b_enc).relu()
        unit = W_dec / (W_dec.norm(dim=-1, keepdim=True) + 1e-8)
        back = torch.einsum("bil,ilh->bih", a, unit) + b_dec
        loss = (back - h).pow(2).mean(-1) + 0.2 * a.abs().sum(-1)
        loss.mean(0).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            W_dec.data = W_dec / (W_dec.norm(dim=-1, keepdim=True) + 1e-8)
        activity.append((a.abs() > 1e-8).float().mean(0))


def compare(
    n_instances: int, probability: float, options: argparse.Namespace
) -> dict[str, int | float | str]:
    models = pentagons(n_instances, probability)
    arena_steps = max(10, options.steps * 16 // n_instances // 10)

    def fused_steps(n_steps: int) -> None:
        train_saes(models, n_latents=5, steps=n_steps, threads=options.threads)

    fused_steps(1)  # compiles, or loads what is compiled
    fused: list[float] = []
    arena: dict[int, list[float]] = {n_threads: [] for n_threads in {1, ALL_TORCH_THREADS}}
    for _ in range(options.repeats):
        fused.append(measuring.seconds_a_step(fused_steps, options.steps))
        for n_threads, times in arena.items():
            torch.set_num_threads(n_threads)
            arena_loop(models, 3)  # wakes the threads up
            times.append(measuring.seconds_a_step(partial(arena_loop, models), arena_steps))
    own = statistics.median(fused)
    theirs, torch_threads = min((statistics.median(times), n_threads) for n_threads, times in arena.items())
    return {
        "SAEs": n_instances,
        "sizes": "5 -> 2 -> 5 latents",
        "probability": probability,
        "fused_ms_per_step": 1e3 * own,
        "arena_ms_per_step": 1e3 * theirs,
        "fused_s_whole_training": WHOLE_TRAINING * own,
        "arena_s_whole_training": WHOLE_TRAINING * theirs,
        "arena_threads": torch_threads,
        "ratio": theirs / own,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=2000, help="steps of the fused engine a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--json", type=Path, help="write the results here, not to standard output")
    options = parser.parse_args()

    record = measuring.machine(options.threads)
    rows = [compare(n, p, options) for n, p in ((16, 0.025), (16, 0.5), (256, 0.5))]
    print(
        f"{'SAEs':>5} {'p':>6} {'fused ms/step':>14} {'ARENA ms/step':>14} {'20,000 steps':>22} {'ratio':>7}"
    )
    for row in rows:
        whole = f"{row['fused_s_whole_training']:.2f} s / {row['arena_s_whole_training']:.0f} s"
        print(
            f"{row['SAEs']:>5} {row['probability']:>6} {row['fused_ms_per_step']:>14.4f} "
            f"{row['arena_ms_per_step']:>14.3f} {whole:>22} {row['ratio']:>6.0f}x"
        )
    measuring.write(record | {"rows": rows}, options.json)


if __name__ == "__main__":
    main()
