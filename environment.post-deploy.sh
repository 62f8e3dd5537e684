#!/usr/bin/env bash
# Snakemake runs this in each environment that it makes of environment.yml (--sdm conda): the rules' commands are
# those of this checkout's package, which conda's channels do not have.
set -euo pipefail
python -m pip install --no-deps --editable "${SUPERPOSITION_ATLAS_CHECKOUT:-$PWD}"
