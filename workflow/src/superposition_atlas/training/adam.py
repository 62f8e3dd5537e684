"""Adam's constants, those of torch.optim, for toy models and SAEs alike (Kingma and Ba 2014)."""

ADAM_BETA_1 = 0.9
ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-8
