"""The compiled engine: a whole training step in one vectorised kernel."""
