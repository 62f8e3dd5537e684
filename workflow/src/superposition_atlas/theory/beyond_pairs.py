"""The limit of the matching: do five rare features in two dimensions beat two pairs?

The matching represents at most two features a dimension. Where all are rare a pentagon, five features in two
dimensions, costs less than two pairs and an absent feature, and so do other dense arrangements in more
dimensions, which have no closed form. One test, made without training, tells these schedules from the others.
"""

import numpy as np

from superposition_atlas.theory.matching import Matching
from superposition_atlas.theory.predictor import predict
from superposition_atlas.theory.structures import PerFeature, drop_costs, pair_costs

_CORNERS = 5


def pentagon_gain(importance: PerFeature, probability: PerFeature, matching: Matching) -> float:
    """Loss saved if the two rarest pairs and the most valuable absent feature form a pentagon.

    Costs are exact losses at the best shape (`predict`), in which pairs may change their lengths and biases
    as well; the gain is over the matching's cost of these five features.

    Args:
        importance: I_i ≥ 0.
        probability: 0 < p_i ≤ 1.
        matching: of this schedule.

    Returns:
        The gain as a share of the loss of representing none of the five, in [0, 1]. It is 0 where pairs are
        better: the matching's features can be relied on there, and toy models represent at most two features
        a dimension. It is 0 also where there are no two pairs or nothing is absent.
    """
    importance, probability = np.asarray(importance, np.float64), np.asarray(probability, np.float64)
    if len(matching.pairs) < 2 or not matching.absent:
        return 0.0
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    rarest = sorted(matching.pairs, key=lambda pair: probability[list(pair)].sum())[:2]
    absent = list(matching.absent)
    joining = absent[int(dropped[absent].argmax())]
    five = sorted([*rarest[0], *rarest[1], joining])
    nothing = dropped[five].sum()
    if dropped[joining] == 0.0:
        return 0.0
    best = predict(importance[five], probability[five], 2)
    if max(map(len, best.structure.groups)) < _CORNERS:
        return 0.0
    matched = dropped[joining] + paired[rarest[0]] + paired[rarest[1]]
    return float(np.clip((matched - _CORNERS * best.cost) / nothing, 0.0, 1.0))
