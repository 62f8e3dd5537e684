"""The one stream of samples, in numpy, numba and Triton."""
