"""Training of toy models in torch: as a user writes it, and as fast as we could make it.

`loop` is the loop of ARENA and of the Anthropic notebook, `bmm` what one makes of it with gradients by hand.
`utmost` and `compiled` come in *forms*, of which a benchmark takes the quickest for each shape. In all of
these an instance's matrices lie as [feature, sample], so that what belongs to a feature is spread along
contiguous memory; W and b are one matrix and b's gradient a row of the same product; the scale of the
gradient is applied to weights, not to samples.

What was tried and lost, on two cores with AVX-512: the layout of `bmm`, with b and the scale as operations of
their own, takes 1.2 to 1.8 times as long; the Mersenne Twister of `uniform_`, which uses one core only, 1.5
to 1.8 times; `torch.rand` inside a compiled step 2.5 to 4 times. Half of the instances on each of two Python
threads takes twice as long at 8 x (5 -> 2); at the large shapes it is up to a fifth faster than `utmost` with
gaps, and at best as fast as `compiled`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil, log1p, sqrt

import numpy as np
import torch
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import xavier_scale
from torch import Tensor

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8

_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407  # Knuth's MMIX, modulo 2^64
_PRODUCTS_AS_SUMS = 16  # up to this n·m, compiled sums beat bmm
_DEVIATIONS = 7  # what is drawn in advance exceeds its mean by so many standard deviations


@dataclass(frozen=True)
class Task:
    """What is to be trained."""

    n_instances: int
    n_hidden: int
    schedule: Schedule
    """[feature]."""
    batch_size: int

    @property
    def n_features(self) -> int:
        return self.schedule.n_features

    def initial(self) -> Tensor:
        """Normal W, [instance, hidden, feature]."""
        scale = xavier_scale(self.n_features, self.n_hidden)
        return scale * torch.randn(self.n_instances, self.n_hidden, self.n_features)


@dataclass
class Trainer:
    """`advance(n)` takes n steps on W, [instance, hidden, feature], and b, [instance, feature]."""

    advance: Callable[[int], None]
    W: Tensor
    b: Tensor


def loop(task: Task, threads: int) -> Trainer:
    """Autograd, einsum, (batch, instance, feature), torch.optim.Adam."""
    W = torch.nn.Parameter(task.initial())
    b = torch.nn.Parameter(torch.zeros(task.n_instances, task.n_features))
    importance = torch.tensor(task.schedule.importance, dtype=torch.float32)
    probability = torch.tensor(task.schedule.probability, dtype=torch.float32)
    optimizer = torch.optim.Adam([W, b], lr=LEARNING_RATE)
    size = (task.batch_size, task.n_instances, task.n_features)

    def advance(n_steps: int) -> None:
        torch.set_num_threads(threads)
        for _ in range(n_steps):
            optimizer.zero_grad()
            is_active = torch.rand(size) <= probability
            x = torch.where(is_active, torch.rand(size), 0.0)
            hidden = torch.einsum("bif,ihf->bih", x, W)
            out = torch.relu(torch.einsum("bih,ihf->bif", hidden, W) + b)
            loss = (importance * (x - out) ** 2).mean(dim=(0, 2)).sum()
            loss.backward()
            optimizer.step()

    return Trainer(advance, W, b)


def bmm(task: Task, threads: int) -> Trainer:
    """Gradients by hand, bmm, Adam in place, all in memory that is kept; inputs by `uniform_`."""
    n_hidden, n_features = task.n_hidden, task.n_features
    n_W = n_hidden * n_features
    # W and b of all instances as views of one row, so that Adam is one pass.
    weights = torch.zeros(task.n_instances * (n_W + n_features))
    gradient, mean, square, root = (torch.zeros_like(weights) for _ in range(4))

    def views(row: Tensor) -> tuple[Tensor, Tensor]:
        split = task.n_instances * n_W
        of_W = row[:split].view(task.n_instances, n_hidden, n_features)
        return of_W, row[split:].view(task.n_instances, 1, n_features)

    (W, b), (gradient_W, gradient_b) = views(weights), views(gradient)
    W.copy_(task.initial())
    p = torch.tensor(task.schedule.probability, dtype=torch.float32)
    factor = _factor(task)
    x = torch.empty(task.n_instances, task.batch_size, n_features)
    z, active = torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)
    h = torch.empty(task.n_instances, task.batch_size, n_hidden)
    back = torch.empty_like(h)
    step = 0

    @torch.no_grad()
    def advance(n_steps: int) -> None:
        nonlocal step
        torch.set_num_threads(threads)
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

    return Trainer(advance, W, b[:, 0])


# --- inputs ------------------------------------------------------------------------------------------------
# x = u / p where u < p else 0 is distributed as max(0, 1 - u / p), which is one product and one maximum.


class Congruential:
    """One draw an entry: a 64-bit linear congruential generator each, of which the upper half is used."""

    def __init__(self, task: Task) -> None:
        size = (task.n_instances, task.n_features, task.batch_size)
        p = torch.tensor(task.schedule.probability, dtype=torch.float32)[:, None]
        self.state = torch.empty(size, dtype=torch.int64).random_(-(2**63), None)
        self.upper = self.state.view(torch.int32).view(*size, 2)[..., 1]
        self.offset, self.scale = 1.0 - 0.5 / p, -(2.0**-32) / p
        self.x = torch.empty(size)

    def __call__(self) -> tuple[Tensor, None]:
        self.state.mul_(_MULTIPLIER).add_(_INCREMENT)
        self.x.copy_(self.upper)
        return torch.addcmul(self.offset, self.x, self.scale, out=self.x).clamp_min_(0.0), None


class Gaps:
    """One draw for each gap between active entries, whose p must be equal, and one for each active entry."""

    def __init__(self, task: Task) -> None:
        (p,) = set(task.schedule.probability)
        size = (task.n_instances, task.n_features, task.batch_size)
        self.n_entries = task.n_instances * task.n_features * task.batch_size
        n_gaps = ceil(self.n_entries * p + _DEVIATIONS * sqrt(self.n_entries * p)) + 1
        self.to_gap = 1.0 / log1p(-p)
        self.gaps = torch.empty(n_gaps, dtype=torch.float64)
        self.x = torch.zeros(size)

    def active(self) -> Tensor:
        """The active entries, ascending; float64."""
        self.gaps.uniform_().neg_().log1p_().mul_(self.to_gap).floor_().add_(1.0)
        places = torch.cumsum(self.gaps, 0).sub_(1.0)
        return places[: torch.searchsorted(places, float(self.n_entries))]

    def __call__(self) -> tuple[Tensor, None]:
        places = self.active().long()
        self.x.zero_().view(-1)[places] = torch.rand(len(places))
        return self.x, None


class Rows(Gaps):
    """As `Gaps`, and all samples of an instance in which no feature is active as one, by its weight."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.batch_size, self.n_features = task.batch_size, task.n_features
        share = 1.0 - float(np.prod(1.0 - task.schedule.probability))
        mean = task.batch_size * share
        n_samples = 2 + min(task.batch_size, ceil(mean + _DEVIATIONS * sqrt(mean * (1.0 - share))))
        self.x = torch.zeros(task.n_instances, task.n_features, n_samples)
        self.numbers = torch.arange(n_samples)

    def __call__(self) -> tuple[Tensor, Tensor]:
        n_instances, n_features, n_samples = self.x.shape
        entries = self.active()
        samples = torch.floor(entries / n_features)
        features = entries.sub_(samples * n_features).long()
        is_first = torch.ones(len(samples), dtype=torch.bool)
        torch.ne(samples[1:], samples[:-1], out=is_first[1:])
        instances = samples.div_(self.batch_size).floor_().long()
        count = torch.bincount(instances[is_first], minlength=n_instances)
        # Column 0 is the sample in which nothing is active.
        column = torch.cumsum(is_first, 0) - (torch.cumsum(count, 0) - count)[instances]
        places = (instances * n_features + features) * n_samples + column
        self.x.zero_().view(-1)[places] = torch.rand(len(places))
        weight = (self.numbers <= count[:, None]).float()
        weight[:, 0] = self.batch_size - count
        return self.x, weight[:, None]


DRAWS: dict[str, Callable[[Task], Congruential | Gaps | Rows]] = {
    "congruential": Congruential,
    "gaps": Gaps,
    "rows": Rows,
}


def draws(task: Task) -> list[str]:
    """What can draw this task's inputs; gaps are worth a trial only where most entries are 0."""
    probability = task.schedule.probability
    rare = probability.max() <= 0.25 and np.all(probability == probability[0])
    return list(DRAWS) if rare else ["congruential"]


# --- steps -------------------------------------------------------------------------------------------------


def utmost(task: Task, draw: str, threads: int) -> Trainer:
    """Gradients by hand, bmm, results in memory that is kept, Adam as torch's fused kernel."""
    n_hidden = task.n_hidden
    inputs = DRAWS[draw](task)
    weights = torch.cat([task.initial(), torch.zeros(task.n_instances, 1, task.n_features)], 1)
    W = weights[:, :n_hidden]
    gradient, mean, square = (torch.zeros_like(weights) for _ in range(3))
    gradient_W, scaled_W = gradient[:, :n_hidden], torch.empty_like(W)
    factor = _factor(task)
    size = (task.n_instances, n_hidden, inputs.x.shape[2])
    h, back = torch.empty(size), torch.empty(size)
    h_and_one = torch.ones(size[0], n_hidden + 1, size[2])
    z = torch.empty_like(inputs.x)
    taken = torch.zeros(())
    threshold = torch.ops.aten.threshold_backward.grad_input
    adam = partial(
        torch._fused_adam_,
        lr=LEARNING_RATE,
        beta1=BETA_1,
        beta2=BETA_2,
        eps=EPSILON,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )
    error = torch.empty_like(z)

    @torch.no_grad()
    def advance(n_steps: int) -> None:
        torch.set_num_threads(threads)
        for _ in range(n_steps):
            x, weight = inputs()
            torch.bmm(W, x, out=h)
            h_and_one[:, :n_hidden] = h
            torch.bmm(weights.mT, h_and_one, out=z)
            torch.sub(z, x, out=error)
            threshold(error, z, 0.0, grad_input=error)
            if weight is not None:
                error.mul_(weight)
            torch.mul(W, factor, out=scaled_W)
            torch.bmm(scaled_W, error, out=back)
            torch.bmm(h_and_one, error.mT, out=gradient)
            gradient.mul_(factor)
            gradient_W.baddbmm_(back, x.mT)
            taken.add_(1.0)
            adam([weights], [gradient], [mean], [square], [], [taken])

    return Trainer(advance, W, weights[:, n_hidden])


def compiled(task: Task, draw: str, threads: int) -> Trainer:
    """The same step through torch.compile, which needs a C++ compiler; Congruential draws inside it."""
    inputs = DRAWS[draw](task)
    W, b = task.initial(), torch.zeros(task.n_instances, task.n_features)
    moments = [torch.zeros_like(values) for values in (W, W, b, b)]
    factor = _factor(task)
    rate, correction = torch.empty(()), torch.empty(())
    step = torch.compile(_step, dynamic=False, fullgraph=True)
    taken = 0

    @torch.no_grad()
    def advance(n_steps: int) -> None:
        nonlocal taken
        torch.set_num_threads(threads)
        for _ in range(n_steps):
            taken += 1
            rate.fill_(LEARNING_RATE / (1.0 - BETA_1**taken))
            correction.fill_(1.0 / sqrt(1.0 - BETA_2**taken))
            if isinstance(inputs, Congruential):
                drawn = (inputs.state, inputs.offset, inputs.scale)
                step(None, None, drawn, W, b, moments, factor, rate, correction)
            else:
                step(*inputs(), None, W, b, moments, factor, rate, correction)

    return Trainer(advance, W, b)


def _factor(task: Task) -> Tensor:
    importance = torch.tensor(task.schedule.importance, dtype=torch.float32)
    return importance * (2.0 / (task.batch_size * task.n_features))


def _step(
    x: Tensor | None,
    weight: Tensor | None,
    generator: tuple[Tensor, Tensor, Tensor] | None,
    W: Tensor,
    b: Tensor,
    moments: list[Tensor],
    factor: Tensor,
    rate: Tensor,
    correction: Tensor,
) -> None:
    if generator is not None:
        state, offset, scale = generator
        state.mul_(_MULTIPLIER).add_(_INCREMENT)
        x = torch.relu(offset + (state >> 32).float() * scale)
    as_sums = W.shape[1] * W.shape[2] <= _PRODUCTS_AS_SUMS
    multiply = _product_as_sum if as_sums else torch.bmm
    h = multiply(W, x)
    z = multiply(W.mT, h) + b[..., None]
    error = torch.where(z > 0.0, (z - x) * factor[:, None], 0.0)
    if weight is not None:
        error = error * weight
    back = multiply(W, error)
    if as_sums:
        gradient_W = (h[:, :, None] * error[:, None] + back[:, :, None] * x[:, None]).sum(-1)
    else:
        gradient_W = torch.bmm(h, error.mT) + torch.bmm(back, x.mT)
    for values, mean, square, gradient in (
        (W, *moments[:2], gradient_W),
        (b, *moments[2:], error.sum(2)),
    ):
        mean.lerp_(gradient, 1.0 - BETA_1)
        square.mul_(BETA_2).add_((1.0 - BETA_2) * gradient * gradient)
        values.sub_(rate * mean / (square.sqrt() * correction + EPSILON))


def _product_as_sum(left: Tensor, right: Tensor) -> Tensor:
    return (left[..., None] * right[:, None]).sum(2)


def why_not_compiled() -> str | None:
    """Why torch.compile does not work here, None where it does."""
    try:
        torch.compile(torch.square)(torch.ones(2))
    except Exception as error:  # torch raises what its parts do: no compiler, no headers, a Python too new
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return None
