"""SAEs of the workflow that were trained elsewhere: from a file or folder, or from a function of the user's.

A configuration is data and runs nothing by itself: a function is called only if the environment variable
SUPERPOSITION_ATLAS_MODULES names its module.
"""

import os
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from superposition_atlas.errors import ArtefactError, AtlasError, TrainingError
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.storage.imported_saes import import_saes
from superposition_atlas.toy_model import ToyModels

MODULES_VARIABLE = "SUPERPOSITION_ATLAS_MODULES"
_ENTRY_POINT = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


def external_saes(models: ToyModels, source: str, n_latents: int) -> SAEs:
    """One SAE for each toy model.

    Args:
        models: the toy models.
        source: `module:function`, where the function takes the toy models and `n_latents` and returns what
            `import_saes` takes; or the path of a file that `sa.save` wrote, with an SAE for each toy model by
            its seed; or, with `{seed}` in it, a path for each toy model.
        n_latents: size of the dictionaries.

    Raises:
        TrainingError: if the function may not be called, is not there, fails, or returns other SAEs.
        ArtefactError: if a file is missing or damaged, or holds other SAEs.
    """
    entry = _ENTRY_POINT.fullmatch(source)
    if entry is not None:
        saes = _called(models, entry[1], entry[2], n_latents)
    elif "{seed}" in source:
        saes = import_saes([Path(source.replace("{seed}", str(seed))) for seed in models.seeds.tolist()])
    else:
        saes = import_saes(Path(source))
        found = [np.flatnonzero(saes.seeds == seed) for seed in models.seeds]
        if len(models) == len(saes) == 1:
            found = [np.zeros(1, dtype=np.int64)]
        if any(len(own) != 1 for own in found):
            raise ArtefactError(f"{source}: must hold one SAE of each seed {models.seeds.tolist()}")
        saes = saes[np.concatenate(found)]
    sizes, wanted = (len(saes), saes.n_hidden, saes.n_latents), (len(models), models.n_hidden, n_latents)
    if sizes != wanted:
        has, allowed = (f"{n} SAEs of {m} hidden dimensions and {k} latents" for n, m, k in (sizes, wanted))
        raise TrainingError(f"source {source!r} has {has}: must have {allowed}")
    if saes.functions:
        raise TrainingError(f"source {source!r} has functions: must have arrays, which can be written")
    return replace(saes, seeds=models.seeds, toy_model=np.arange(len(models)))


def _called(models: ToyModels, module_name: str, name: str, n_latents: int) -> SAEs:
    where = f"source is '{module_name}:{name}'"
    if module_name not in os.environ.get(MODULES_VARIABLE, "").split(os.pathsep):
        raise TrainingError(f"{where}, which runs code: set {MODULES_VARIABLE}={module_name} to allow it")
    try:
        function = getattr(import_module(module_name), name)
        return import_saes(function(models, n_latents=n_latents))
    except AtlasError as error:
        raise TrainingError(f"{where}: {error}") from error
    except Exception as error:  # whatever a user's code raises
        line = str(error).partition("\n")[0]
        raise TrainingError(f"{where}: it failed ({type(error).__name__}: {line})") from error
