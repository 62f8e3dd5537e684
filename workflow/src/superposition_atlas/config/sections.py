"""Sections of the two further papers, `results/tms.pdf` and `results/structure.pdf`, and what each needs."""

from collections.abc import Mapping
from typing import Literal

Section = Literal[
    "",
    "basic_results",
    "phase_diagram",
    "geometry",
    "perturbation",
    "energy_levels",
    "vulnerability",
    "privileged_basis",
    "absolute_value",
    "pairs",
    "correlated_sets",
    "hierarchy",
]

PAPERS: Mapping[str, tuple[Section, ...]] = {
    "tms": (
        "basic_results",
        "phase_diagram",
        "geometry",
        "perturbation",
        "correlated_sets",
        "energy_levels",
        "vulnerability",
        "privileged_basis",
        "absolute_value",
    ),
    "structure": ("pairs", "correlated_sets", "hierarchy"),
}
"""Sections of each paper, in order; a paper has those that a configuration has. `tms` is about the figures of
*Toy Models of Superposition* (Elhage et al. 2022), `structure` about features that depend on one another."""

TABLES: Mapping[Section, tuple[str, ...]] = {
    "geometry": ("polytopes", "fractions"),
    "energy_levels": ("jumps", "learning", "jump_rates"),
    "vulnerability": ("attacks",),
    "pairs": ("pairs",),
    "correlated_sets": ("sets",),
    "hierarchy": ("pairs", "children"),
    "privileged_basis": ("neuron_models", "neurons", "neuron_features"),
    "absolute_value": ("neuron_models", "neurons", "neuron_features", "motifs"),
}
"""Tables of `storage.layout.SECTION_TABLES` that each case of a section's experiments has."""

TRAINED: Mapping[Section, Mapping[str, tuple[object, ...]]] = {
    "privileged_basis": {"hidden": ("relu",), "output_weights": ("tied",), "target": ("inputs",)},
    "absolute_value": {"hidden": ("relu",), "output_weights": ("untied",), "target": ("absolute",)},
}
"""Settings of training that a section is about, with their values."""
