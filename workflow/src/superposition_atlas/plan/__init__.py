"""Targets, inputs, params and resources of the workflow's rules, in plain Python without Snakemake."""
