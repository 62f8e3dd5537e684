"""Trains layers of attention on a planted rule: autograd, one ensemble over the seeds.

The same call gives the same bits on one machine, however many threads there are: all operands lie in memory
that torch has allocated (aligned to 64 bytes) and are multiplied on one thread, and these two are what the
rounding of MKL's products depends on beside the shapes. In another batch of toy models a layer is the same up
to rounding only, since the number of instances is part of the shapes.
"""

from math import sqrt

import numpy as np
import torch
from jaxtyping import Float32

from superposition_atlas.attention import sequences
from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.attention.heads import AttentionModels, initial_attention_weights
from superposition_atlas.backends.progress import progress_bar
from superposition_atlas.backends.threads import one_torch_thread
from superposition_atlas.covered_models import ENCODES, require_settings
from superposition_atlas.errors import TrainingError
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import ToyModels
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

LOSS_WINDOW = 100
"""`AttentionModels.loss` is the mean over this many last steps (over all where there are fewer)."""


def train_attention(
    models: ToyModels,
    *,
    n_heads: int = 4,
    n_keys: int = 8,
    steps: int = 1000,
    batch_size: int = 64,
    learning_rate: float = 0.02,
    progress: bool | None = False,
) -> AttentionModels:
    """Trains one layer of attention for each toy model, on tokens of its own, on its seed's planted rule.

    The loss is the squared error, mean over sequences and outputs.

    Args:
        models: the toy models, whose inputs must not be centred.
        n_heads: see `AttentionSettings`, as for all settings.
        n_keys: tokens before the query.
        steps: number of training steps.
        batch_size: sequences a step.
        learning_rate: Adam's at the first step.
        progress: True shows a bar on stderr, None shows it where stderr is a terminal, False never.

    Raises:
        TrainingError: for a setting out of its range, or when a loss is no longer finite.
    """
    settings = AttentionSettings(n_heads, n_keys, steps, batch_size, learning_rate)
    require_settings(models, "tokens that are sums of directions", ENCODES)
    if models.settings.centred_inputs:
        raise TrainingError("centred_inputs is True: must be False, or tokens are no sums of directions")
    rule = sequences.planted_rule(models.seeds, models.n_features)
    weights = {
        name: torch.tensor(array).requires_grad_()
        for name, array in initial_attention_weights(
            models.seeds, settings.n_heads, models.n_hidden, models.n_features
        ).items()
    }
    optimizer = torch.optim.Adam(
        list(weights.values()), betas=(ADAM_BETA_1, ADAM_BETA_2), eps=ADAM_EPSILON, foreach=True
    )
    W = torch.tensor(models.W, dtype=torch.float32)[:, None]
    window = max(settings.steps - LOSS_WINDOW, 0)
    loss_sum = torch.zeros(len(models), dtype=torch.float64)
    with one_torch_thread(), progress_bar(settings.steps, f"{n_heads} heads", progress) as bar:
        for step in range(settings.steps):
            x = sequences.sample_tokens(
                models, step, settings.batch_size, settings.n_keys, stream.Purpose.ATTENTION_TOKENS
            )
            h = torch.tensor(x) @ W.mT
            target = torch.tensor(sequences.targets(x, rule))
            # Instances share no weight, so each gets its own gradient.
            loss = (_written(h, **weights) - target).square().mean(dim=(1, 2))
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - step / settings.steps)
            optimizer.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            if step >= window:
                loss_sum += loss.detach()
            bar.update()
    mean_loss = (loss_sum / (settings.steps - window)).numpy()
    broken = np.flatnonzero(~np.isfinite(mean_loss))
    if broken.size:
        raise TrainingError(
            f"attention of seed {models.seeds[broken[0]]} (instance {broken[0]}) is no longer finite: "
            f"lower learning_rate ({settings.learning_rate:g})"
        )
    arrays = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    return AttentionModels(**arrays, loss=mean_loss, seeds=models.seeds, settings=settings)


def _written(
    h: Float32[torch.Tensor, "instance sequence token hidden"],
    W_Q: Float32[torch.Tensor, "instance head inner hidden"],
    W_K: Float32[torch.Tensor, "instance head inner hidden"],
    W_V: Float32[torch.Tensor, "instance head inner hidden"],
    W_O: Float32[torch.Tensor, "instance head output inner"],
) -> Float32[torch.Tensor, "instance sequence output"]:
    """The layer's outputs, as `models` has them; matrices of one head are multiplied before the tokens."""
    query, keys = h[:, :, -1], h[:, :, :-1]
    n_instances, n_sequences, n_hidden = query.shape
    n_heads, n_outputs = W_O.shape[1:3]
    forms = (W_Q.mT @ W_K / sqrt(W_Q.shape[2])).transpose(1, 2).reshape(n_instances, n_hidden, -1)
    asked = (query @ forms).view(n_instances, n_sequences, n_heads, n_hidden)
    scores = asked @ keys.mT
    attention = torch.nn.functional.pad(scores, (1, 0)).softmax(dim=-1)[..., 1:]
    read = (attention @ keys).view(n_instances, n_sequences, -1)
    maps = (W_O @ W_V).transpose(2, 3).reshape(n_instances, -1, n_outputs)
    return read @ maps
