"""Which SAE is of which toy model: trained ones know it, imported ones are one a toy model, in turn."""

import numpy as np

from superposition_atlas.errors import ArgumentError
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.settings import EXTERNAL
from superposition_atlas.toy_model import ToyModels


def check_pairs(models: ToyModels, saes: SAEs) -> None:
    """Check that SAEs go with toy models.

    Args:
        models: the toy models.
        saes: of these, some of them, or imported ones: as many as toy models, in their order.

    Raises:
        ArgumentError: if the SAEs are of another width, of toy models that are not there, or imported and
            not as many as toy models; the message says how to score one SAE on each of them.
    """
    if saes.n_hidden != models.n_hidden:
        raise ArgumentError(
            f"saes have n_hidden {saes.n_hidden}: must have {models.n_hidden}, as the toy models"
        )
    n_saes, n_models = len(saes), len(models)
    in_turn = np.array_equal(saes.toy_model, np.arange(n_saes))
    if saes.settings.architecture == EXTERNAL and in_turn and n_saes != n_models:
        if n_saes == 1:
            advice = (
                f"; sa.import_saes([source] * {n_models}) scores one SAE on each, sa.evaluate(models[:1], "
                "saes) on the first alone"
            )
        else:
            advice = f"; sa.evaluate(models[:{n_saes}], saes) takes the first" if n_saes < n_models else ""
        raise ArgumentError(
            f"saes are {n_saes} imported for {n_models} toy models: must be one a toy model, in their order"
            f"{advice}"
        )
    if saes.toy_model.max(initial=0) >= n_models:
        raise ArgumentError(
            f"saes are of toy models up to number {saes.toy_model.max()}, counted from 0: must be of models, "
            f"which are {n_models}"
        )
