# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0

VENV := .venv
BIN := $(VENV)/bin
HOST := deploy/host
# Packages that hold Python of ours, in the order the data walks.
ROOMS := penstock wire plumbing sim bpf agent estimator extender carbon fleet_router gitops bench tests
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint fix bench docs bpf lock proto clean ready ready-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ready ## start agent, extender and fleet router on this machine (ARGS="--simulate nodes=50,pods=500")
	@exec $(BIN)/penstock up $(ARGS)

test: ready-test ## run all tests (ARGS="tests/flow -k ledger")
	@$(BIN)/python -m pytest -n $${PENSTOCK_TEST_JOBS:-4} $(ARGS)

lint: ready-test ## formatting, lints, types, import contracts, spelling, generated files
	@$(BIN)/ruff format --check $(ROOMS)
	@$(BIN)/ruff check $(ROOMS)
	@$(BIN)/codespell
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/python -m tests.generated

fix: ready-test ## format, apply safe lint fixes
	@$(BIN)/ruff check --fix-only $(ROOMS)
	@$(BIN)/ruff format $(ROOMS)

bench: ready-test ## list the benchmarks, or run one (ARGS="agent --json out.json")
	@if [ -n "$(ARGS)" ]; then $(BIN)/python -m bench.$(firstword $(ARGS)) $(wordlist 2,99,$(ARGS)); \
	else ls bench | sed -n '/^figures/d; s/^\([a-z][a-z_]*\)\(\.py\)*$$/  make bench ARGS=\1/p'; fi

docs: ready-test ## regenerate what is generated (protobuf module, tables, reference pages)
	@$(BIN)/python -m tests.generated --write

bpf: ready-test ## compile the kernel programs anew (bpf/sched.bpf.o; commit it)
	@sh bpf/build.sh bpf/sched.bpf.o > bpf/sched.bpf.txt

lock: ready-test ## resolve pyproject.toml anew into requirements/*.txt (hashes, no index address)
	@$(BIN)/uv lock --quiet --upgrade
	@$(BIN)/uv export --quiet --no-header --no-annotate --no-emit-project --extra roles --extra build > requirements/run.txt
	@$(BIN)/uv export --quiet --no-header --no-annotate --no-emit-project --extra roles --extra build --extra test > requirements/test.txt
	@rm -f uv.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build dist

ready:
	@sh $(HOST)/venv.sh $(VENV) requirements/run.txt

ready-test:
	@sh $(HOST)/packages.sh $(HOST)/packages-test.txt \
	|| echo "penstock: tests that need a missing package will say so"
	@sh $(HOST)/venv.sh $(VENV) requirements/test.txt
