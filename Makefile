# Everything that a developer types. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first Python that is new enough and can make a virtual environment.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
RUN := $(BIN)/python -m
INSTALL := $(RUN) pip install -qq --disable-pip-version-check --require-hashes -r
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

.PHONY: help run demo-data test test-unit test-integration test-e2e test-compose test-faults test-browser test-openapi openapi screenshots chaos bench bench-quick lint format types lock audit sbom clean

help:  ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

run: .venv/runtime  ## Run the whole system on this machine; Ctrl-C stops it
	@$(RUN) scripts.run

ROWS ?= 100000
DATABASE_URI ?= sqlite:///$(CURDIR)/.run/api_service.sqlite3
demo-data: export APP_ENV ?= development
demo-data: export DATABASE_URI := $(DATABASE_URI)
demo-data: .venv/runtime  ## Fill johndoe's history in the database of `make run` with made-up quotes (ROWS: 100000)
	@$(BIN)/python api_service/commands.py demo-data --rows $(ROWS)

# Unit tests compute and give way to what goes beside them, for that asks for answers in time; then their lanes go on with
# tests against real brokers and databases.
REST := stock_contract service_kit amqp_rpc stock_service benchmarks tests
OF_DATABASE := tests/integration/faults/postgresql
test: .venv/development  ## Everything: lint, types, import rules, all tests (brings its own RabbitMQ)
	@$(RUN) scripts.lanes \
		parts="nice $(MAKE) --no-print-directory lint types test-unit UNIT='$(REST)' && $(MAKE) --no-print-directory test-integration" \
		api="nice $(MAKE) --no-print-directory test-unit UNIT=api_service && $(RUN) pytest tests/integration/faults --ignore=$(OF_DATABASE)" \
		systems="$(MAKE) --no-print-directory test-e2e && $(RUN) pytest $(OF_DATABASE)"

test-unit: .venv/development  ## The tests that need no other process (UNIT names some folders)
	$(RUN) pytest --ignore=tests/integration --ignore=tests/e2e $(UNIT)

test-integration: .venv/development  ## Parts of it against a real RabbitMQ, PostgreSQL and Redis, nothing broken between them
	$(RUN) pytest tests/integration --ignore=tests/integration/faults

test-e2e: .venv/development  ## Both services as real processes, in both transports
	$(RUN) pytest tests/e2e

test-faults: .venv/development  ## Everything that can break between the services, broken
	$(RUN) pytest tests/integration/faults tests/e2e/test_restarts.py tests/e2e/test_broker_kills.py tests/e2e/test_killed_api.py tests/e2e/test_two_versions.py

test-openapi: .venv/development  ## The API tried with OPENAPI_CASES (5000) generated calls against its document
	OPENAPI_CASES=$${OPENAPI_CASES:-5000} $(RUN) pytest api_service/tests/test_calls_as_documented.py

openapi: .venv/development  ## Write docs/openapi.json anew, after a call has changed
	@$(RUN) scripts.write_openapi

test-browser: .venv/development  ## The web console in a real browser (installs Debian's chromium where it may)
	$(RUN) pytest tests/browser --timeout 60

screenshots: .venv/development  ## Take the pictures of the console anew, into docs/images
	@$(RUN) tests.browser.screenshots

chaos: .venv/development  ## Random faults for CHAOS_SECONDS (600); CHAOS_SEED repeats a run
	@$(RUN) tests.chaos

bench: .venv/development .venv-peers/installed  ## Measure ours beside others, into docs/performance.md (PARTS names some)
	@$(RUN) benchmarks $(PARTS)

bench-quick: .venv/development .venv-peers/installed  ## One short round of the same, printed and not kept
	@$(RUN) benchmarks --quick $(PARTS)

test-compose: .venv/development  ## Build, start, use, break and stop the compose files (needs Docker; VARIANTS: http rpc production)
	@$(RUN) scripts.test_compose $(VARIANTS)

lint: .venv/development  ## Style, formatting and the import rules
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(BIN)/lint-imports

format: .venv/development  ## Put the code into the one format
	$(RUN) ruff format
	$(RUN) ruff check --fix

types: .venv/development  ## mypy, strict
	$(RUN) mypy

lock:  ## Pin requirements*.in with hashes (needs uv)
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-otel.in -o requirements-otel.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) benchmarks/requirements.in -o benchmarks/requirements.txt

audit: .venv/development  ## Look the pinned libraries up among known vulnerabilities (needs internet)
	$(RUN) pip_audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements-dev.txt

sbom: .venv/development  ## Write build/sbom.cdx.json: what the services run on, as CycloneDX
	@mkdir -p build
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json

clean:  ## Remove .venv, .venv-peers, build, the caches and what `make run` keeps in .run (its database too)
	rm -rf .venv .venv-peers .run build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer with its venv module" \
	  "(Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear .venv

.venv/runtime: requirements.txt | $(BIN)/python
	@echo "Installing what the services need into .venv (the first time this takes a minute) ..."
	@$(INSTALL) requirements.txt
	@touch $@

.venv/development: requirements-dev.txt | $(BIN)/python
	@echo "Installing what the services and the tests need into .venv (the first time this takes a minute) ..."
	@$(INSTALL) requirements-dev.txt
	@touch $@ .venv/runtime

.venv-peers/installed: benchmarks/requirements.txt | $(BIN)/python
	@echo "Installing what is measured beside ours into .venv-peers (the first time this takes a minute) ..."
	@$(BIN)/python -m venv --clear .venv-peers
	@.venv-peers/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	@touch $@
