"""One step of a small toy model, traced: all of it unrolled, all sums in registers, no scratch memory."""

from collections.abc import Sequence

from superposition_atlas.training.lanes import Traced, Variable, loop, multiply_add
from superposition_atlas.training.traced_batch import TracedBatch


def trace_gradient(batch: TracedBatch) -> Traced:
    """Write the batch's gradient, times n_features · batch_size / 2; returns its loss times their product.

    With e = x' - x and g_i = I_i e_i where x'_i > 0 (else 0), the sums over the batch are

        b_i: g_i        W_ki: h_k g_i + (Σ_j W_kj g_j) x_i        loss: Σ_i I_i e_i²
    """
    features, hidden = range(batch.n_features), range(batch.n_hidden)
    W = [[batch.weights.load(k * batch.n_features + i) for i in features] for k in hidden]
    b = [batch.bias.load(i) for i in features]
    importance = [batch.importance.load(i) for i in features]
    sum_W = [[Variable(batch.builder) for _ in features] for _ in hidden]
    sum_b = [Variable(batch.builder) for _ in features]
    sum_loss = Variable(batch.builder)

    with loop(batch.n_blocks) as block:
        inputs = [batch.inputs(block, i) for i in features]
        for half, used in enumerate(batch.used(block)):
            x = [inputs[i][half] for i in features]
            h = [_dot(W[k], x) for k in hidden]
            g = []
            for i in features:
                z = b[i]
                for k in hidden:
                    z = multiply_add(h[k], W[k][i], z)
                error = z.where(z > 0.0) - x[i]
                weighted = (error * importance[i]).where(used)
                sum_loss.set(multiply_add(weighted, error, sum_loss.get()))
                g.append(weighted.where(z > 0.0))
                sum_b[i].set(sum_b[i].get() + g[i])
            for k in hidden:
                back = _dot(W[k], g)
                for i in features:
                    direct = multiply_add(h[k], g[i], sum_W[k][i].get())
                    sum_W[k][i].set(multiply_add(back, x[i], direct))

    for i in features:
        batch.bias_gradient.store(sum_b[i].get().sum(), i)
        for k in hidden:
            batch.gradient.store(sum_W[k][i].get().sum(), k * batch.n_features + i)
    return sum_loss.get().sum()


def _dot(weights: Sequence[Traced], vectors: Sequence[Traced]) -> Traced:
    total = vectors[0] * weights[0]
    for weight, vector in zip(weights[1:], vectors[1:], strict=True):
        total = multiply_add(vector, weight, total)
    return total
