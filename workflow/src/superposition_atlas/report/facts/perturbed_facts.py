"""One feature's density varied among equal ones: how the best structure changes, what training finds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from superposition_atlas.config import Map
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

_BRANCHES = ("varied", "importance_ratio", "structure", "relative_loss", "is_best", "room")
_CROSSINGS = ("varied", "importance_ratio", "below", "above", "is_best")
_MODELS = ("varied", "importance_ratio", "variant", "structure")
_HALF = 0.5


@dataclass(frozen=True)
class Crossing:
    """Where two structures have the same loss and none is better."""

    varied: float
    """The varied feature's density there."""
    below: str
    """The better structure where it is less frequent,"""
    above: str
    """and where it is more frequent."""


@dataclass(frozen=True)
class PerturbedFacts:
    """One map of a varied density, of its first importance ratio."""

    density: float
    """Density of the other features."""
    feature: int
    best_when_equal: str
    """Best structure at the varied density closest to that of the others,"""
    varied_when_equal: float
    """that density,"""
    n_when_equal: int
    """toy models there,"""
    n_found_when_equal: int
    """and those that have the best structure."""
    crossings: tuple[Crossing, ...]
    """Changes of the best structure, from low to high densities."""
    n_models: int
    n_best: int
    """Toy models that have the best structure of their schedule."""
    room_low: float
    """Degrees that the varied feature has to itself in the structure that is best at equal density, at the
    lowest density at which it is a minimum,"""
    room_high: float
    """and at the highest."""
    n_other: int
    """Other densities at which the structure is a minimum,"""
    n_as_frequent: int
    """and those at which the varied feature has more room than at equal density if it is more frequent there,
    and less if it is rarer."""
    mostly_from: float
    """Lowest density at which most toy models have that structure; NaN where there is none."""


def perturbed_facts(ledger: Ledger, map_: Map) -> PerturbedFacts:
    """What a map's tables of branches say, of its main way of training.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    path = layout.map_table(map_.name, "branches")
    branches = ledger.read(path, _BRANCHES)
    crossings = ledger.read(layout.map_table(map_.name, "crossings"), _CROSSINGS)
    models = ledger.read(layout.map_table(map_.name, "branch_models"), _MODELS)
    ratio = branches["importance_ratio"].iloc[0]
    branches, crossings, models = (
        table[table["importance_ratio"] == ratio] for table in (branches, crossings, models)
    )
    models = models[models["variant"] == map_.main_variant]
    density, feature = float(map_.points["density"]), int(map_.points["feature"])
    facts = facts_of_branches(branches, crossings, models, density, feature)
    noted: PerturbedFacts = ledger.note(path, map_.name, facts)
    return noted


def facts_of_branches(
    branches: pd.DataFrame, crossings: pd.DataFrame, models: pd.DataFrame, density: float, feature: int
) -> PerturbedFacts:
    """The facts of tables of one importance ratio and way of training."""
    best = branches[branches["is_best"]].drop_duplicates("varied").set_index("varied")["structure"]
    places = best.index.to_numpy(dtype=float)
    equal = float(places[np.abs(np.log(places / density)).argmin()])
    found = models["structure"] == models["varied"].map(best)
    there = models["varied"] == equal
    crossed = crossings[crossings["is_best"]].sort_values("varied")
    own = branches[branches["structure"] == best[equal]].sort_values("varied").dropna(subset="room")
    room, others = own["room"].to_numpy(), own[own["varied"] != equal]
    gains = others["room"] > own.loc[own["varied"] == equal, "room"].mean()
    share = (models["structure"] == best[equal]).groupby(models["varied"]).mean()
    most = share.index[share > _HALF].to_numpy(dtype=float)
    return PerturbedFacts(
        density=density,
        feature=feature,
        best_when_equal=str(best[equal]),
        varied_when_equal=equal,
        n_when_equal=int(there.sum()),
        n_found_when_equal=int((there & found).sum()),
        crossings=tuple(
            Crossing(float(row["varied"]), str(row["below"]), str(row["above"]))
            for row in crossed.to_dict("records")
        ),
        n_models=len(models),
        n_best=int(found.sum()),
        room_low=float(room[0]) if len(room) else float("nan"),
        room_high=float(room[-1]) if len(room) else float("nan"),
        n_other=len(others),
        n_as_frequent=int((gains == (others["varied"] > equal)).sum()),
        mostly_from=float(most.min()) if len(most) else float("nan"),
    )
