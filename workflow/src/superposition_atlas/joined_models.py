"""Ensembles of toy models put together: several as one, and one without any."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from superposition_atlas.sampling.structure import independent
from superposition_atlas.toy_model import (
    TENSORS,
    ToyModels,
    TrainingSettings,
    history_tensor_names,
)


def joined(ensembles: Sequence[ToyModels]) -> ToyModels:
    """Several ensembles of one size, one way of training and one engine as one, in this order."""
    filled = [one for one in ensembles if len(one)] or ensembles[:1]
    names = TENSORS if filled[0].W_out is None else (*TENSORS, "W_out")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in filled]) for name in names}
    if any(one.structure is not None for one in filled):
        arrays["structure"] = np.concatenate(
            [independent(one.probability.shape) if one.structure is None else one.structure for one in filled]
        )
    histories = [one.history for one in filled if one.history is not None]
    if not histories:
        return replace(filled[0], **arrays)
    recorded = {
        name: np.concatenate([getattr(one, name) for one in histories], axis=1)
        for name in history_tensor_names(histories[0])
    }
    return replace(filled[0], **arrays, history=replace(histories[0], **recorded))


def no_models(n_features: int, n_hidden: int, settings: TrainingSettings, engine: str) -> ToyModels:
    """An ensemble without toy models, and without what they would have recorded."""
    values = np.zeros((0, n_features))
    W = np.zeros((0, n_hidden, n_features), dtype=np.float32)
    return ToyModels(
        W=W,
        b=values.astype(np.float32),
        loss=values[:, 0],
        seeds=np.zeros(0, dtype=np.uint64),
        importance=values,
        probability=values,
        settings=replace(settings, record_steps=()),
        engine=engine,
        W_out=W.copy() if settings.output_weights == "untied" else None,
    )
