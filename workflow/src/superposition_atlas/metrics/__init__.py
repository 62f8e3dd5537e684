"""Measures of trained toy models (features) and of the features that SAEs recover (recovery)."""
