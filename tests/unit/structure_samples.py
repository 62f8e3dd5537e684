"""Random structures for tests: groups of every form that the probabilities allow."""

import numpy as np
from superposition_atlas.sampling.structure import ALL, Group, intervals_of
from superposition_atlas.schedules import Schedule

FIVE = (
    {"form": "together", "features": [0, 3]},
    {"form": "tree", "features": [1, 4], "parents": [-1, 1]},
)
"""Groups of five features that leave feature 2 alone; they fit probabilities that fall."""


def five(n_instances: int | None = None) -> Schedule:
    """Five features, four of them in groups, with one row or with others for each instance."""
    probability = np.array([0.6, 0.5, 0.3, 0.2, 0.1])
    if n_instances is not None:
        probability = np.linspace(1.0, 0.4, n_instances)[:, None] * probability
    return Schedule(0.9 ** np.arange(5), probability).with_structure(list(FIVE))


def random_groups(random: np.random.Generator, probability: np.ndarray) -> list[Group]:
    """Groups of one to four features until none is left."""
    left, groups = random.permutation(len(probability)).tolist(), []
    while left:
        size = int(random.integers(1, 5))
        features, left = left[:size], left[size:]
        p = probability[features]
        forms = ["together", "intervals", "tree", *(["exclusive"] if p.sum() <= 1 else [])]
        group: dict = {"form": str(random.choice(forms)), "features": features}
        if group["form"] == "intervals":
            group["starts"] = [float(random.uniform(0.0, 1.0 - one)) for one in p]
        if group["form"] == "tree":
            group["features"] = [int(features[k]) for k in np.argsort(-p)]
            group["parents"] = [-1, *group["features"][:-1]]
        groups.append(group)
    return groups


def random_schedule(seed: int, most: int = 6) -> Schedule:
    """A schedule of two to `most` features with random groups."""
    random = np.random.default_rng(seed)
    n_features = int(random.integers(2, most + 1))
    probability = np.exp(random.uniform(np.log(0.02), 0.0, n_features))
    groups = random_groups(random, probability)
    return Schedule(random.uniform(0.2, 1.0, n_features), probability).with_structure(groups)


def ends(groups: list[Group], probability: np.ndarray) -> list[tuple[float, float]]:
    """Interval of each feature, as shares of all words."""
    structure = intervals_of(groups, probability)
    assert structure is not None
    starts = structure[:, 1] / ALL
    return list(zip(starts.tolist(), (starts + np.rint(probability * ALL) / ALL).tolist(), strict=True))
