# Each target sets up what it needs in .venv; `make` alone lists them.

PYTHON ?= python3
FUZZ_SECONDS ?= 60
TARGETS ?=

BIN := .venv/bin
DEMO := $(BIN)/teeproof demo
BENCH := $(BIN)/python -m bench.run
FUZZ := $(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz measured-boot format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/with-demo  ## the whole story in the terminal
	@$(DEMO)

test: check .venv/with-fuzz  ## format, lint, types, layers and every test
	@$(BIN)/python -m compileall -q src  # once, and not by every process that a test starts
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

check: .venv/with-dev  ## format, lint, types and layers
	@$(BIN)/ruff format --check --quiet . || { echo "to mend the format: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }
	@echo "check: format, lint, types and layers hold"

bench: .venv/with-dev  ## every speed claim, beside the limit measured in the same run
	@$(BENCH) $(TARGETS)

fuzz: .venv/with-dev .venv/with-fuzz  ## FUZZ_SECONDS (60) on each parser; TARGETS="a b" picks some
	@$(FUZZ) $(TARGETS)

measured-boot: .venv/with-dev  ## boot machines under QEMU; compare each register with what is computed
	@scripts/measured-boot

format: .venv/with-dev  ## rewrite the sources in the one format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

clean:  ## remove .venv and every cache
	@rm -rf .venv build .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .fuzz .measured-boot
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per extra; each is made again when the dependencies may have changed.
.venv/with-%: pyproject.toml scripts/environment
	@PYTHON="$(PYTHON)" scripts/environment $*
