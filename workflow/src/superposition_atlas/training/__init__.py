"""Training of toy models: one `train`, and one engine a room behind it."""
