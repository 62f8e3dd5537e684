"""The fused CPU engine."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float
from numba import uint32

from superposition_atlas import stream
from superposition_atlas.compiled import compile_kernel, philox_quad
from superposition_atlas.training.state import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, Problem, TrainingState


@compile_kernel()
def _advance(first, last, W, b, mW, vW, mb, vb, importance, threshold, scale, keys, step, rates, batch_size, loss):  # type: ignore[no-untyped-def]
    n, m = W.shape[2], W.shape[1]
    x = np.zeros((n, 64), np.float32)
    h = np.zeros((m, 64), np.float32)
    gh = np.zeros((m, 64), np.float32)
    g = np.zeros((n, 64), np.float32)
    z = np.zeros(64, np.float32)
    gW = np.zeros((m, n), np.float32)
    gb = np.zeros(n, np.float32)
    for i in range(first, last):
        total = 0.0
        for t in range(len(rates)):
            gW[:] = np.float32(0)
            gb[:] = np.float32(0)
            for block in range(0, batch_size, 64):
                valid = min(64, batch_size - block)
                for f in range(n):
                    th = threshold[i, f]
                    sc = scale[i, f]
                    for q in range(16):
                        w0, w1, w2, w3 = philox_quad(uint32(block // 4 + q), uint32(f), uint32(step + t), uint32(0), keys[i, 0], keys[i, 1])
                        x[f, q] = np.float32(w0) * sc if w0 <= th else np.float32(0)
                        x[f, 16 + q] = np.float32(w1) * sc if w1 <= th else np.float32(0)
                        x[f, 32 + q] = np.float32(w2) * sc if w2 <= th else np.float32(0)
                        x[f, 48 + q] = np.float32(w3) * sc if w3 <= th else np.float32(0)
                h[:] = np.float32(0)
                gh[:] = np.float32(0)
                for f in range(n):
                    for k in range(m):
                        w = W[i, k, f]
                        for l in range(64):
                            h[k, l] += w * x[f, l]
                block_loss = np.float32(0)
                for f in range(n):
                    z[:] = b[i, f]
                    for k in range(m):
                        w = W[i, k, f]
                        for l in range(64):
                            z[l] += w * h[k, l]
                    s = np.float32(0)
                    imp = importance[i, f]
                    for l in range(64):
                        e = max(z[l], np.float32(0)) - x[f, l]
                        if 4 * (l % 16) + l // 16 >= valid:
                            e = np.float32(0)
                        block_loss += imp * e * e
                        d = imp * e if z[l] > 0 else np.float32(0)
                        g[f, l] = d
                        s += d
                    gb[f] += s
                    for k in range(m):
                        w = W[i, k, f]
                        for l in range(64):
                            gh[k, l] += w * g[f, l]
                total += block_loss
                for k in range(m):
                    for f in range(n):
                        s = np.float32(0)
                        for l in range(64):
                            s += h[k, l] * g[f, l] + gh[k, l] * x[f, l]
                        gW[k, f] += s
            c = np.float32(2.0 / (batch_size * n))
            for f in range(n):
                gr = gb[f] * c
                mb[i, f] = np.float32(ADAM_BETA_1) * mb[i, f] + np.float32(1 - ADAM_BETA_1) * gr
                vb[i, f] = np.float32(ADAM_BETA_2) * vb[i, f] + np.float32(1 - ADAM_BETA_2) * gr * gr
                b[i, f] -= rates[t, 0] * mb[i, f] / (np.sqrt(vb[i, f]) * rates[t, 1] + np.float32(ADAM_EPSILON))
                for k in range(m):
                    gr = gW[k, f] * c
                    mW[i, k, f] = np.float32(ADAM_BETA_1) * mW[i, k, f] + np.float32(1 - ADAM_BETA_1) * gr
                    vW[i, k, f] = np.float32(ADAM_BETA_2) * vW[i, k, f] + np.float32(1 - ADAM_BETA_2) * gr * gr
                    W[i, k, f] -= rates[t, 0] * mW[i, k, f] / (np.sqrt(vW[i, k, f]) * rates[t, 1] + np.float32(ADAM_EPSILON))
        loss[i] = total / (batch_size * n) / len(rates)


class FusedEngine:
    """Compiled CPU engine."""

    name = "fused"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> Float[np.ndarray, " instance"]:
        """See `state.Engine`."""
        settings = problem.settings
        threshold = stream.thresholds(problem.probability)
        keys = np.stack([problem.seeds & np.uint64(0xFFFFFFFF), problem.seeds >> np.uint64(32)], 1).astype(np.uint32)
        t = np.arange(state.step + 1, state.step + n_steps + 1, dtype=np.float64)
        rates = np.stack([settings.learning_rate / (1 - ADAM_BETA_1**t), 1 / np.sqrt(1 - ADAM_BETA_2**t)], 1).astype(np.float32)
        loss = np.empty(problem.n_instances)
        args = (
            state.W, state.b, state.first_moment_W, state.second_moment_W, state.first_moment_b, state.second_moment_b,
            problem.importance.astype(np.float32), threshold, stream.scales(threshold), keys, state.step, rates,
            settings.batch_size, loss,
        )
        edges = np.linspace(0, problem.n_instances, min(self.threads, problem.n_instances) + 1).astype(int)
        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(_advance, int(a), int(z), *args) for a, z in zip(edges, edges[1:])]:
                done.result()
        state.step += n_steps
        return loss
