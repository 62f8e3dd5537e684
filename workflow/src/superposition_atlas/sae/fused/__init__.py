"""The compiled SAE engine."""
