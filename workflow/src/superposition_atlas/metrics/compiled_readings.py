"""The loops over samples of `polysemanticity.readings`, compiled: in numpy they are most of the measuring."""

import numpy as np

from superposition_atlas.backends.numba_cache import compile_kernel


@compile_kernel(fastmath=False)
def best_thresholds(activity, order, active, f1, threshold):  # type: ignore[no-untyped-def]
    """Best F1 of "activity ≥ threshold" for "active", and that threshold, for each feature.

    Activity is [sample], `order` sorts it from the highest to the lowest, active is [feature, sample].
    """
    n_features, n_samples = active.shape
    # How many samples reach a sample's own activity: no threshold separates those that are equal.
    reach = np.empty(n_samples, np.int64)
    reach[-1] = n_samples
    for place in range(n_samples - 2, -1, -1):
        is_last = activity[order[place]] != activity[order[place + 1]]
        reach[place] = place + 1 if is_last else reach[place + 1]
    of_active = np.empty_like(reach)
    for feature in range(n_features):
        n_active = 0
        for place in range(n_samples):
            of_active[n_active] = reach[place]
            n_active += active[feature, order[place]]
        # F1 = 2 hits / (reached + active) is highest where one more active sample is just reached. Fractions
        # are compared as products of integers.
        best_hits, best_whole, best_reach = 0, 1, reach[0]
        for hit in range(n_active):
            hits, whole = hit + 1, of_active[hit] + n_active
            is_better = hits * best_whole > best_hits * whole
            best_hits = hits if is_better else best_hits
            best_whole = whole if is_better else best_whole
            best_reach = of_active[hit] if is_better else best_reach
        f1[feature] = 2.0 * best_hits / best_whole
        # Midway to the next activity: other samples fall on both sides of those that were seen.
        lowest = np.float64(activity[order[best_reach - 1]])
        following = np.float64(activity[order[best_reach]]) if best_reach < n_samples else -np.inf
        threshold[feature] = (lowest + following) / 2.0


@compile_kernel(fastmath=False)
def count_readings(activity, sign, threshold, active, n_fires, both):  # type: ignore[no-untyped-def]
    """Numbers of samples in which sign · activity reaches a feature's threshold, and of those in which it
    is active.
    """
    n_features, n_samples = active.shape
    for feature in range(n_features):
        side, level = sign[feature], threshold[feature]
        n_reached, n_hits = 0, 0
        for sample in range(n_samples):
            fires = side * activity[sample] >= level
            n_reached += fires
            n_hits += fires & active[feature, sample]
        n_fires[feature], both[feature] = n_reached, n_hits
