"""Small toy models: one instance's whole step in vector registers, unrolled over features and dimensions."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.core import cgutils

from superposition_atlas.compiled import compile_kernel
from superposition_atlas.training.lanes import LANES, LONG, FLOAT, Memory, Traced, Variable
from superposition_atlas.training.traced_stream import POSITIONS, inputs, positions
from superposition_atlas.training.state import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON


def _trace_batch(builder: Any, n: int, m: int, batch_size: Traced, step: Traced, key: tuple[Traced, Traced],
                 parameters: Memory, importance: Memory, threshold: Memory, scale: Memory, gradient: Memory) -> Traced:
    W = [[parameters.load(k * n + i) for i in range(n)] for k in range(m)]
    b = [parameters.load(m * n + i) for i in range(n)]
    I = [importance.load(i) for i in range(n)]
    sum_W = [[Variable.zeros(builder) for i in range(n)] for k in range(m)]
    sum_b = [Variable.zeros(builder) for i in range(n)]
    sum_loss = Variable.zeros(builder)
    size = Traced(builder, builder.trunc(batch_size.value, __import__("llvmlite.ir", fromlist=["ir"]).IntType(32)))
    count = (batch_size + (POSITIONS - 1)) >> 5
    with cgutils.for_range(builder, count.value) as loop:
        quad = Traced(builder, loop.index) << 3
        feature = [step * 0 + i for i in range(n)]
        x = [inputs(quad, feature[i], step, key, threshold.load(i), scale.load(i)) for i in range(n)]
        place = positions(quad)
        for half in range(2):
            used = place[half] < size
            h = [dot([W[k][i] for i in range(n)], [x[i][half] for i in range(n)]) for k in range(m)]
            loss = sum_loss.get()
            g = []
            for i in range(n):
                z = b[i]
                for k in range(m):
                    z = h[k].times_plus(W[k][i], z)
                error = z.where(z > 0.0) - x[i][half]
                weighted = (error * I[i]).where(used)
                loss = weighted.times_plus(error, loss)
                g.append(weighted.where(z > 0.0))
                sum_b[i].set(sum_b[i].get() + g[i])
            sum_loss.set(loss)
            for k in range(m):
                back = dot(W[k], g)
                for i in range(n):
                    sum_W[k][i].set(back.times_plus(x[i][half], h[k].times_plus(g[i], sum_W[k][i].get())))
    for k in range(m):
        for i in range(n):
            gradient.store(sum_W[k][i].get().sum(), k * n + i)
    for i in range(n):
        gradient.store(sum_b[i].get().sum(), m * n + i)
    return sum_loss.get().sum()


def dot(weights: list[Traced], vectors: list[Traced]) -> Traced:
    total = vectors[0] * weights[0]
    for w, v in zip(weights[1:], vectors[1:]):
        total = v.times_plus(w, total)
    return total


@intrinsic(prefer_literal=True)
def accumulate(typingctx, n, m, batch_size, step, key0, key1, parameters, importance, threshold, scale, gradient):
    n_value, m_value = n.literal_value, m.literal_value
    signature = types.float32(n, m, types.uint64, types.uint64, types.uint64, types.uint64, parameters, importance, threshold, scale, gradient)

    def codegen(context, builder, sig, args):
        def memory(position):
            array = context.make_array(sig.args[position])(context, builder, args[position])
            return Memory(builder, array.data)
        scalars = [Traced(builder, args[p]) for p in (2, 3, 4, 5)]
        return _trace_batch(builder, n_value, m_value, scalars[0], scalars[1], (scalars[2], scalars[3]), *(memory(p) for p in range(6, 11))).value

    return signature, codegen


@cache
def small_kernel(n: int, m: int) -> Callable[..., None]:
    size = -(-(n * m + n) // 16) * 16

    @compile_kernel()
    def advance(first, last, W, b, first_W, second_W, first_b, second_b, importance, threshold, scale, keys, step, rates, batch_size, loss):  # type: ignore[no-untyped-def]
        beta1, beta2 = np.float32(ADAM_BETA_1), np.float32(ADAM_BETA_2)
        rest1, rest2 = np.float32(1 - ADAM_BETA_1), np.float32(1 - ADAM_BETA_2)
        eps = np.float32(ADAM_EPSILON)
        parameters = np.zeros(size, np.float32)
        mean = np.zeros(size, np.float32)
        square = np.zeros(size, np.float32)
        gradient = np.zeros(size, np.float32)
        c = np.float32(2.0 / (batch_size * n))
        for i in range(first, last):
            parameters[:n*m] = W[i].ravel()
            parameters[n*m:n*m+n] = b[i]
            mean[:n*m] = first_W[i].ravel()
            mean[n*m:n*m+n] = first_b[i]
            square[:n*m] = second_W[i].ravel()
            square[n*m:n*m+n] = second_b[i]
            total = 0.0
            for t in range(len(rates)):
                total += accumulate(n, m, batch_size, step + t, keys[i, 0], keys[i, 1], parameters, importance[i], threshold[i], scale[i], gradient)
                rate, correct = rates[t, 0], rates[t, 1]
                for p in range(size):
                    g = gradient[p] * c
                    mean[p] = beta1 * mean[p] + rest1 * g
                    square[p] = beta2 * square[p] + rest2 * g * g
                    parameters[p] -= rate * mean[p] / (np.sqrt(square[p]) * correct + eps)
            for k in range(m):
                W[i, k] = parameters[k*n:(k+1)*n]
                first_W[i, k] = mean[k*n:(k+1)*n]
                second_W[i, k] = square[k*n:(k+1)*n]
            b[i] = parameters[n*m:n*m+n]
            first_b[i] = mean[n*m:n*m+n]
            second_b[i] = square[n*m:n*m+n]
            loss[i] = total / (batch_size * n) / len(rates)

    return advance
