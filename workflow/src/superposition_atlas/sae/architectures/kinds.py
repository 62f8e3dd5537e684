"""Kinds of architectures: how sparse an SAE is to be is set by its λ, by its k, or not at all.

By itself, so that figures and configurations can ask without depending on the code of SAEs.
"""

BY_K = ("topk", "batch_topk", "matryoshka")
"""Architectures with so many active latents a sample; the others that are trained have λ."""
UNTRAINED = ("random", "pca")
"""Neither λ nor k means anything to them."""
