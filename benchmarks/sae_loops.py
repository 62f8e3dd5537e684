"""SAE training as users of PyTorch write it: autograd, einsum, torch.optim.Adam, PyTorch's random numbers.

`relu`, `gated` and `jumprelu` are written as ARENA 3.0 writes its toy SAEs: all instances in one tensor, a
loop over steps that keeps each latent's activity. ARENA has no others; `topk`, `batch_topk` and `matryoshka`
are in the same manner, with torch.topk and scatter, and AuxK for dead latents.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from superposition_atlas.toy_model import ToyModels

LAMBDA = 0.2
BANDWIDTH = 0.1
INITIAL_THRESHOLD = 0.1
AUXILIARY_COEFFICIENT = 1 / 32
DEAD_WINDOW = 500
BATCH_SIZE = 1024


class Loop:
    """`relu`: parameters of all SAEs, their losses, and steps of Adam."""

    def __init__(self, models: ToyModels, n_latents: int, k: int = 1, prefixes: Sequence[int] = ()) -> None:
        self.n_instances, self.n_hidden, self.n_features = models.W.shape
        self.n_latents, self.k, self.prefixes = n_latents, k, prefixes
        self.W = torch.tensor(models.W)
        self.probability = torch.tensor(models.probability, dtype=torch.float32)
        n, m = self.n_instances, self.n_hidden
        self.W_enc = torch.nn.Parameter(torch.nn.init.kaiming_uniform_(torch.empty(n, m, n_latents)))
        self.W_dec = torch.nn.Parameter(torch.nn.init.kaiming_uniform_(torch.empty(n, n_latents, m)))
        self.b_enc = torch.nn.Parameter(torch.zeros(n, n_latents))
        self.b_dec = torch.nn.Parameter(torch.zeros(n, m))
        own = self.own_parameters()
        self.optimizer = torch.optim.Adam([self.W_enc, self.W_dec, self.b_enc, self.b_dec, *own], lr=1e-3)
        self.activity: list[torch.Tensor] = []
        self.steps_silent = torch.zeros(n, n_latents)

    def own_parameters(self) -> list[torch.nn.Parameter]:
        return []

    def advance(self, n_steps: int) -> None:
        for _ in range(n_steps):
            with torch.inference_mode():
                shape = (BATCH_SIZE, self.n_instances, self.n_features)
                active = torch.rand(shape) < self.probability
                x = torch.where(active, torch.rand(shape), torch.zeros(()))
                h = torch.einsum("bif,ihf->bih", x, self.W)
            loss, a = self.loss(h.clone())
            loss.mean(0).sum().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            with torch.no_grad():
                self.W_dec.data = self.unit_rows()
            fires = a.detach().abs() > 1e-8
            self.activity.append(fires.float().mean(0))
            self.steps_silent = torch.where(fires.any(0), 0.0, self.steps_silent + 1)

    def unit_rows(self) -> torch.Tensor:
        return self.W_dec / (self.W_dec.norm(dim=-1, keepdim=True) + 1e-8)

    def pre_activations(self, h: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bih,ihl->bil", h - self.b_dec, self.W_enc) + self.b_enc

    def reconstruct(self, a: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bil,ilh->bih", a, self.unit_rows()) + self.b_dec

    def loss(self, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each sample and SAE, and activations."""
        a = self.pre_activations(h).relu()
        return (self.reconstruct(a) - h).pow(2).mean(-1) + LAMBDA * a.abs().sum(-1), a


class Gated(Loop):
    def own_parameters(self) -> list[torch.nn.Parameter]:
        self.r_mag = torch.nn.Parameter(torch.zeros(self.n_instances, self.n_latents))
        self.b_mag = torch.nn.Parameter(torch.zeros(self.n_instances, self.n_latents))
        return [self.r_mag, self.b_mag]

    def loss(self, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        centred = h - self.b_dec
        gate = torch.einsum("bih,ihl->bil", centred, self.W_enc) + self.b_enc
        W_mag = self.r_mag.exp().unsqueeze(1) * self.W_enc
        magnitude = (torch.einsum("bih,ihl->bil", centred, W_mag) + self.b_mag).relu()
        a = (gate > 0).float() * magnitude
        open_gate = gate.relu()
        via_gate = torch.einsum("bil,ilh->bih", open_gate, self.unit_rows().detach()) + self.b_dec.detach()
        error = (self.reconstruct(a) - h).pow(2).mean(-1)
        return error + LAMBDA * open_gate.sum(-1) + (via_gate - h).pow(2).mean(-1), a


class Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(z, theta)
        return (z > theta).float()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z, theta = ctx.saved_tensors
        window = ((z - theta).abs() < BANDWIDTH / 2).float()
        return torch.zeros_like(z), (-window / BANDWIDTH * gradient).sum(0)


class Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(z, theta)
        return z * (z > theta).float()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z, theta = ctx.saved_tensors
        window = ((z - theta).abs() < BANDWIDTH / 2).float()
        return (z > theta).float() * gradient, (-theta / BANDWIDTH * window * gradient).sum(0)


class JumpReLU(Loop):
    def own_parameters(self) -> list[torch.nn.Parameter]:
        threshold = torch.full((self.n_instances, self.n_latents), INITIAL_THRESHOLD)
        self.log_threshold = torch.nn.Parameter(threshold.log())
        return [self.log_threshold]

    def loss(self, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pre, theta = self.pre_activations(h).relu(), self.log_threshold.exp()
        a = Jump.apply(pre, theta)
        n_active = Heaviside.apply(pre, theta).sum(-1)
        return (self.reconstruct(a) - h).pow(2).mean(-1) + LAMBDA * n_active, a


class TopK(Loop):
    def activations(self, pre: torch.Tensor) -> torch.Tensor:
        values, places = pre.topk(self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, places, values.relu())

    def error(self, a: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of reconstructions, and what is left over."""
        residual = h - self.reconstruct(a)
        return residual.pow(2).mean(-1), residual

    def loss(self, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pre = self.pre_activations(h)
        a = self.activations(pre)
        error, residual = self.error(a, h)
        dead = self.steps_silent >= DEAD_WINDOW
        if dead.any():
            k_aux = max(1, self.n_hidden // 2)
            values, places = pre.masked_fill(~dead, -torch.inf).topk(k_aux, dim=-1)
            of_dead = torch.zeros_like(pre).scatter(-1, places, values.relu())
            back = torch.einsum("bil,ilh->bih", of_dead, self.unit_rows())
            auxiliary = (back - residual.detach()).pow(2).mean(-1) * dead.any(-1)
            error = error + AUXILIARY_COEFFICIENT * auxiliary
        return error, a


class BatchTopK(TopK):
    def own_parameters(self) -> list[torch.nn.Parameter]:
        self.threshold = torch.zeros(self.n_instances)
        return []

    def activations(self, pre: torch.Tensor) -> torch.Tensor:
        flat = pre.relu().transpose(0, 1).flatten(1)
        values, places = flat.topk(self.k * len(pre), dim=-1)
        chosen = torch.zeros_like(flat).scatter(-1, places, values)
        a = chosen.view(self.n_instances, len(pre), self.n_latents).transpose(0, 1)
        with torch.no_grad():
            least = torch.where(a > 0, a, torch.inf).amin((0, 2))
            self.threshold = torch.where(least.isinf(), self.threshold, self.threshold.lerp(least, 0.01))
        return a


class Matryoshka(BatchTopK):
    def error(self, a: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        unit, residual, start = self.unit_rows(), h - self.b_dec, 0
        total = torch.zeros(())
        for stop in (*self.prefixes, self.n_latents):
            residual = residual - torch.einsum("bil,ilh->bih", a[..., start:stop], unit[:, start:stop])
            total = total + residual.pow(2).mean(-1)
            start = stop
        return total, residual


LOOPS: dict[str, Callable[..., Loop]] = {
    "relu": Loop,
    "gated": Gated,
    "jumprelu": JumpReLU,
    "topk": TopK,
    "batch_topk": BatchTopK,
    "matryoshka": Matryoshka,
}
