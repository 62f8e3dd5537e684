"""What is best: a toy model's exact loss, the best solutions for a schedule, and which structure wins."""
