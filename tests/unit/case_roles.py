"""The roles of the talk's cases and controls, by the names that tests give them."""

CASE_ROLES = {
    "case1": "aligned",
    "case2": "reversed",
    "case3": "random",
    "case4": "random",
    "case5": "equal",
    "post4": "equal",
    "uniform": "densities",
    "uniform_matched": "matched",
    "sparsity_0": "no_sparsity",
    "pentagon_xavier": "pentagon",
    "pentagon_talk": "pentagon",
    "pentagon_fast": "pentagon",
}
