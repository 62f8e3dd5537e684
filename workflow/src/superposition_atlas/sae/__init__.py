"""Sparse autoencoders on toy models' hidden activations: `training.train_saes`, one module an architecture.

Nothing is imported here: a configuration reads `ensemble`, and must not depend on the code that trains.
"""
