"""Code shared by figures."""
