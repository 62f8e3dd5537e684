"""A toy model's exact loss, the best solutions for a schedule, and the structure that wins."""
