"""What trained toy models represent (features), and what SAEs recover of it (recovery)."""

from importlib import import_module
from typing import Any

# Loaded on first use, and named here as text: a table must not be rebuilt where another table's code changes.
_WHERE = {
    "child_table": "children",
    "pair_table": "dependence",
    "set_table": "feature_sets",
    "dedicated": "features",
    "dimensionality": "features",
    "feature_table": "features",
    "interference": "features",
    "l1_norms": "features",
    "model_table": "features",
    "norms": "features",
    "overlaps": "features",
    "represented": "features",
    "evaluate": "recovery",
    "latent_table": "recovery",
    "recovered_features": "recovery",
    "sae_table": "recovery",
    "history_table": "sae_history",
    "latent_units": "polysemanticity",
    "neuron_table": "polysemanticity",
    "neuron_tables": "neurons",
    "motif_table": "motifs",
    "exact_interval": "intervals",
    "t_interval": "intervals",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
