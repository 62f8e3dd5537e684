"""Attention pivot tables on known features, slide 3: no recipe is published, so the construction is ours.

Tokens are sparse combinations of known features that a trained toy model has pushed through its bottleneck,
h = W x. One layer of attention learns a planted rule: a query with feature i looks for a token with feature j
and writes output o. Its scores split exactly into cells, one a pair of features, off which the rule is read:
with the true directions, and with those of an SAE's decoder.

`sequences` has the tokens and the rule, `models` the layer, `training` trains it, `pivot` splits it,
`tables` measures it.
"""
