"""The GPU engine: Triton kernels and what launches them."""
