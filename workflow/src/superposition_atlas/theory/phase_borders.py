"""Borders of the phase diagrams in closed form: one feature more than there are dimensions.

The features are equally frequent, with density s, and of importance 1 but for the last, the extra feature, of
importance r. Four solutions compete (Elhage et al. 2022, *Toy Models of Superposition*, and Wattenberg's
notebook to it): the extra feature is dropped, r V; one of the others is dropped, V; the extra feature and one
of the others are an antipodal pair, (1 + r) s² / 6; two of the others are, s² / 3. V = s/3 - s²/4.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.arguments import numbers, size
from superposition_atlas.errors import ArgumentError
from superposition_atlas.theory.structures import TRIPLE_POINT

NOT_REPRESENTED, SUPERPOSITION, DEDICATED = PHASES = ("not represented", "superposition", "dedicated")
"""What becomes of the extra feature."""

_ALLOWED = "densities above 0 and at most 1"


def phase_borders(densities: Float[np.ndarray, " value"], n_hidden: int) -> pd.DataFrame:
    """The lines between the phases of the extra feature, with n_hidden + 1 features.

    Not represented and in superposition cost the same at r = 2s / (4 - 5s), for s ≤ 4/7. In superposition and
    dedicated do at r = (4 - 5s) / 2s in one dimension, where the other feature is dropped instead, and at
    r = 1 in more, where two of the others are the pair. Above 4/7 no pair pays, and the more important
    feature is kept.

    Args:
        densities: s in (0, 1], the lines' parameter; the triple point, 4/7, joins them.
        n_hidden: m, at least 1.

    Returns:
        One row a point of a line.

        below, above: the phases on both sides, at smaller and at larger importance. density: p_i of all
        features. relative_importance: importance of the last feature on the line.

    Raises:
        ArgumentError: if a value is out of its range.
    """
    densities = numbers("densities", densities, _ALLOWED, ndim=(1,))
    n_hidden = size("n_hidden", n_hidden)
    if not ((densities > 0) & (densities <= 1)).all():
        raise ArgumentError(
            f"densities go from {densities.min():g} to {densities.max():g}: must be {_ALLOWED}"
        )
    low, high = float(densities.min()), float(densities.max())
    inside = [TRIPLE_POINT] if low <= TRIPLE_POINT <= high else []
    every = np.unique(np.concatenate([densities, inside]))
    sparse, dense = every[every <= TRIPLE_POINT], every[every >= TRIPLE_POINT]
    joins = 2 * sparse / (4 - 5 * sparse)
    frees = 1 / joins if n_hidden == 1 else np.ones_like(sparse)
    lines = (
        (NOT_REPRESENTED, SUPERPOSITION, sparse, joins),
        (SUPERPOSITION, DEDICATED, sparse, frees),
        (NOT_REPRESENTED, DEDICATED, dense, np.ones_like(dense)),
    )
    return pd.concat(
        [
            pd.DataFrame({"below": below, "above": above, "density": s, "relative_importance": r})
            for below, above, s, r in lines
        ],
        ignore_index=True,
    )
