"""What the workflow's rules ask for, in plain Python without Snakemake."""
