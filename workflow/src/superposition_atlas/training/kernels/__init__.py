"""The GPU engine's kernels, in Triton's language: what runs on the device. Its types are no Python's."""
