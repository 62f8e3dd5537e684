"""Sparse autoencoders on toy models' hidden activations: one `train_saes`, one module an architecture."""

from superposition_atlas.sae.ensemble import ARCHITECTURES, SAEs, SAESettings
from superposition_atlas.sae.forward import encode, reconstruct
from superposition_atlas.sae.training import train_saes

__all__ = ["ARCHITECTURES", "SAESettings", "SAEs", "encode", "reconstruct", "train_saes"]
