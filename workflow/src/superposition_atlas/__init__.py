"""Superposition when features are not equally sparse: toy models, SAEs, and what they represent.

    import superposition_atlas as sa

    schedule = sa.schedules.geometric(n_features=5, first=1.0, last=0.02, importance=0.9)
    models = sa.train(schedule, n_hidden=2, seeds=8)
    models.to_frame()
    saes = sa.train_saes(models, architecture="relu", n_latents=5)
    sa.evaluate(models, saes).saes
    sa.best_solutions(schedule, n_hidden=2)[0]

Schedules
    schedules           geometric, linear, zipf, …: one function a family
    Schedule            importance and probability of each feature
    sample              the batches that everything is trained on

Toy models and SAEs
    train               toy models, one a seed
    random_dictionaries features that nobody trained, for SAEs
    train_saes          SAEs of toy models
    evaluate            what SAEs recover, as data frames
    metrics             norms, dimensionality, interference, …
    ToyModels, SAEs     ensembles: index, slice, iterate; .to_frame(), .to_torch(), .encode(…)
    TrainingSettings, SAESettings

Theory
    exact_loss, exact_gradient  the expected loss in closed form
    best_solutions      minima of it, each a Minimum
    predict             the structure that wins, a Prediction
    match               which features are represented, as a matching

Pictures
    plot                plane, bars, gram, dimensionality, pareto, frames, matching, atlas
    explore             toy models in an interactive page

Files
    save, load          ensembles
    import_toy_models, import_toy_model, read_toy_model   toy models from elsewhere
    import_saes         SAEs from elsewhere: SAELens, dictionary_learning, arrays, functions

Every function that needs a schedule takes a `Schedule`, toy models, or arrays. Every error that a user can
mend is an `AtlasError` of one line.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from superposition_atlas import errors as errors
    from superposition_atlas import metrics as metrics
    from superposition_atlas import schedules as schedules
    from superposition_atlas.errors import AtlasError as AtlasError
    from superposition_atlas.explorer.notebook import explore as explore
    from superposition_atlas.figures import plot as plot
    from superposition_atlas.metrics.frames import evaluate as evaluate
    from superposition_atlas.sae.ensemble import SAEs as SAEs
    from superposition_atlas.sae.ensemble import SAESettings as SAESettings
    from superposition_atlas.sae.train_saes import train_saes as train_saes
    from superposition_atlas.sampling.sample import sample as sample
    from superposition_atlas.schedules import Schedule as Schedule
    from superposition_atlas.storage.imported_models import import_toy_model as import_toy_model
    from superposition_atlas.storage.imported_models import import_toy_models as import_toy_models
    from superposition_atlas.storage.imported_saes import import_saes as import_saes
    from superposition_atlas.storage.interchange import read_toy_model as read_toy_model
    from superposition_atlas.storage.saved import load as load
    from superposition_atlas.storage.saved import save as save
    from superposition_atlas.theory.best import best_solutions as best_solutions
    from superposition_atlas.theory.descent import Minimum as Minimum
    from superposition_atlas.theory.exact_loss import exact_gradient as exact_gradient
    from superposition_atlas.theory.exact_loss import exact_loss as exact_loss
    from superposition_atlas.theory.matching import match as match
    from superposition_atlas.theory.predictor import Prediction as Prediction
    from superposition_atlas.theory.predictor import predict as predict
    from superposition_atlas.toy_model import ToyModels as ToyModels
    from superposition_atlas.toy_model import TrainingSettings as TrainingSettings
    from superposition_atlas.training.train_toy_models import random_dictionaries as random_dictionaries
    from superposition_atlas.training.train_toy_models import train as train

__version__ = "0.1.0"

# Loaded on first use: whoever does not train must not pay for importing torch or numba.
_WHERE = {
    "AtlasError": "errors",
    "Minimum": "theory.descent",
    "Prediction": "theory.predictor",
    "SAESettings": "sae.ensemble",
    "SAEs": "sae.ensemble",
    "Schedule": "schedules",
    "ToyModels": "toy_model",
    "TrainingSettings": "toy_model",
    "best_solutions": "theory.best",
    "errors": "errors",
    "evaluate": "metrics.frames",
    "exact_gradient": "theory.exact_loss",
    "exact_loss": "theory.exact_loss",
    "explore": "explorer.notebook",
    "import_toy_model": "storage.imported_models",
    "import_toy_models": "storage.imported_models",
    "import_saes": "storage.imported_saes",
    "load": "storage.saved",
    "match": "theory.matching",
    "metrics": "metrics",
    "plot": "figures.plot",
    "predict": "theory.predictor",
    "random_dictionaries": "training.train_toy_models",
    "read_toy_model": "storage.interchange",
    "sample": "sampling.sample",
    "save": "storage.saved",
    "schedules": "schedules",
    "train": "training.train_toy_models",
    "train_saes": "sae.train_saes",
}
"""Name → the module that has it, or that it is."""

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "plot":
        import_module(f"{__name__}.backends.optional_packages").require("matplotlib", "sa.plot", "notebook")
    module = import_module(f"{__name__}.{_WHERE[name]}")
    return getattr(module, name, module)


def __dir__() -> list[str]:
    return sorted(__all__)
