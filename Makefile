# `make` reproduces the talk and ends with what was found and the path of the PDF; `make test` runs the tests.
# Requires python3 (3.11 or newer) with venv.
#   make CORES=4              use four cores
#   make PYTHON=python3.12    use another Python
#   make PIP_FLAGS=...        pass flags to pip install, such as --index-url

PYTHON ?= python3
CORES ?= all
PIP_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
# Python compiles modules when it imports them; pip would compile all of every package, which takes half a minute.
PIP := $(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check --constraint constraints.txt \
  $(PIP_FLAGS)

# The scripts of an environment name its folder. In a checkout that was moved or copied, they would run the Python of
# the other folder.
MOVED := $(shell test -e $(VENV)/.installed && ! grep -qsF '$(CURDIR)/$(BIN)/' $(BIN)/snakemake && echo yes)

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Settings of pip that would install somewhere else than into the environment.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONHOME

.DELETE_ON_ERROR:
.PHONY: all smoke test check format docs clean

all: $(VENV)/.installed
	snakemake --cores $(CORES) all
	@python -m superposition_atlas summary

# Runs the whole chain on a tiny configuration, in about a minute, in a folder of its own.
smoke: $(VENV)/.installed
	snakemake --cores $(CORES) --directory smoke --configfile config/smoke.yaml -- all
	@cd smoke && python -m superposition_atlas summary

# One process more than there are cores: a few tests wait for a browser or for Slurm.
test: $(VENV)/.installed-dev
	pytest -n $$(($$(nproc) + 1)) --dist loadgroup --no-loadscope-reorder -m "not slow"

check: $(VENV)/.installed-dev
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow/rules
	mypy
	lint-imports --no-cache --no-logo
	snakemake --lint

format: $(VENV)/.installed-dev
	ruff check --fix
	ruff format
	snakefmt Snakefile workflow/rules

# The site, in site/; needs no network once the packages are installed.
docs: $(VENV)/.installed
	$(PIP) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "The site: $(CURDIR)/site/README.html"

clean:
	rm -rf results .snakemake smoke site

ifdef MOVED
.PHONY: $(VENV)/.installed
endif

$(VENV)/.installed: pyproject.toml constraints.txt
	$(if $(MOVED),@echo "$(VENV) was made for another folder: it is made anew" && rm -rf $(VENV))
	@command -v $(PYTHON) > /dev/null || { echo "error: no $(PYTHON): install Python 3.11 or newer (Debian, Ubuntu: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), but 3.11 or newer is needed: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "error: $(PYTHON) has no venv (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into $(VENV) (a few minutes, 2 GB)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[workflow]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@
