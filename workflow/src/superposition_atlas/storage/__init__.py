"""Artefacts on disk: where they are, how they are written, what they carry."""
