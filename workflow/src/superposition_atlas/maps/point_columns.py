"""Columns of points.parquet that figures and report read, apart from the code that computes them."""

TRAINED_BESIDE_BEST = (
    "key",
    "family",
    "importance_ratio",
    "order",
    "variant",
    "n_seeds",
    "n_represented",
    "keeps_best",
    "median_excess",
    "least_excess",
    "frugal_keeps_best",
    "best_n_represented",
)
"""Columns of points.parquet that set a schedule's toy models beside its best solution."""
