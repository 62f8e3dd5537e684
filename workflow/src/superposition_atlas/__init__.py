"""Superposition when features are not equally sparse: toy models, SAEs, and what they represent.

import superposition_atlas as sa

schedule = sa.schedules.geometric(n_features=5, first=1.0, last=0.02, importance=0.9)
models = sa.train(schedule, n_hidden=2, seeds=range(8))
saes = sa.train_saes(models, architecture="relu", n_latents=5)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from superposition_atlas import metrics as metrics
    from superposition_atlas import schedules as schedules
    from superposition_atlas.explorer.notebook import explore as explore
    from superposition_atlas.sae.train_saes import train_saes as train_saes
    from superposition_atlas.sampling.sample import sample as sample
    from superposition_atlas.theory.best import best_solutions as best_solutions
    from superposition_atlas.theory.exact_loss import exact_gradient as exact_gradient
    from superposition_atlas.theory.exact_loss import exact_loss as exact_loss
    from superposition_atlas.theory.matching import match as match
    from superposition_atlas.theory.predictor import predict as predict
    from superposition_atlas.training.train_toy_models import random_dictionaries as random_dictionaries
    from superposition_atlas.training.train_toy_models import train as train

__version__ = "0.1.0"

# Loaded on first use: whoever does not train must not pay for importing torch or numba.
_WHERE = {
    "best_solutions": ("superposition_atlas.theory.best", "best_solutions"),
    "exact_gradient": ("superposition_atlas.theory.exact_loss", "exact_gradient"),
    "exact_loss": ("superposition_atlas.theory.exact_loss", "exact_loss"),
    "explore": ("superposition_atlas.explorer.notebook", "explore"),
    "match": ("superposition_atlas.theory.matching", "match"),
    "metrics": ("superposition_atlas.metrics", None),
    "predict": ("superposition_atlas.theory.predictor", "predict"),
    "random_dictionaries": ("superposition_atlas.training.train_toy_models", "random_dictionaries"),
    "sample": ("superposition_atlas.sampling.sample", "sample"),
    "schedules": ("superposition_atlas.schedules", None),
    "train": ("superposition_atlas.training.train_toy_models", "train"),
    "train_saes": ("superposition_atlas.sae.train_saes", "train_saes"),
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, attribute = _WHERE[name]
    module = import_module(module_name)
    return module if attribute is None else getattr(module, attribute)
