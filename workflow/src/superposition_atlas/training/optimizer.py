"""The optimizer's coefficients, one row a step: everything that depends on the step alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2


def learning_rates(settings: TrainingSettings, first_step: int, n_steps: int) -> Float[np.ndarray, " step"]:
    """Learning rate (float64) of the steps from `first_step` on; the first of all is step 0.

    `linear` and `cosine` reach 0 one step after the last one, as torch's schedulers do, `quarter_cosine` at
    the last one, as in the notebooks of Anthropic and ARENA.
    """
    step = np.arange(first_step, first_step + n_steps, dtype=np.float64)
    warm = settings.warmup_steps
    taken, n_cooling = np.maximum(step - warm, 0.0), settings.steps - warm
    t = taken / n_cooling
    factor = {
        "constant": np.ones_like(t),
        "linear": 1.0 - t,
        "cosine": (1.0 + np.cos(np.pi * t)) / 2.0,
        "quarter_cosine": np.maximum(np.cos(0.5 * np.pi * taken / max(n_cooling - 1, 1)), 0.0),
    }[settings.learning_rate_schedule]
    rising = np.minimum((step + 1.0) / warm, 1.0) if warm else 1.0
    return np.asarray(settings.learning_rate * factor * rising)


@dataclass(frozen=True)
class StepCoefficients:
    """float32, one a step. With gradient g and the optimizer's buffers m and v, a step is

    w ← decay · w
    adam, adamw:  m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
                  w ← w - rate · m / (√v · root_correction + ε)
    sgd:          m ← momentum · m + g + weight_decay · w,  w ← w - rate · m
    """

    rate: Float[np.ndarray, " step"]
    root_correction: Float[np.ndarray, " step"]
    decay: Float[np.ndarray, " step"]

    @classmethod
    def of(cls, settings: TrainingSettings, first_step: int, n_steps: int) -> "StepCoefficients":
        """Coefficients of n_steps steps from `first_step` on, in the order of operations of torch.optim."""
        rate, weight_decay = learning_rates(settings, first_step, n_steps), float(settings.weight_decay)
        is_adamw = settings.optimizer == "adamw"
        decay = 1.0 - rate * (weight_decay if is_adamw else 0.0)
        root_correction = np.ones_like(rate)
        if settings.optimizer != "sgd":
            # Adam's corrections for moments that start at zero.
            taken = np.arange(first_step + 1, first_step + n_steps + 1, dtype=np.float64)
            rate = rate / (1.0 - ADAM_BETA_1**taken)
            root_correction = 1.0 / np.sqrt(1.0 - ADAM_BETA_2**taken)
        return cls(*(values.astype(np.float32) for values in (rate, root_correction, decay)))
