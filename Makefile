# The commands of this repository. They need nothing but Python 3.11 or newer: what else they need, they install into
# .venv/ and frontend/node_modules/.

# Another interpreter: make run PYTHON=python3.13. Without one, the first of these that is new enough is taken.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
ifndef PYTHON
PYTHON := $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$candidate $(NEW_ENOUGH) >/dev/null 2>&1; then echo $$candidate; exit; fi; done; echo python3)
endif

VENV := .venv/bin
INSTALL = @$(PYTHON) -m backend.embedded.install
MANAGE := $(VENV)/python backend/manage.py
NPM := $(VENV)/python -m backend.embedded.node
PYTEST := $(VENV)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-containers lint bench chaos verify backup restore audit-dependencies check-python

help:
	@echo "make run        everything a fresh machine needs, then Verbatim itself; Ctrl+C stops it"
	@echo "make test       every test, also in a real browser and with the real model"
	@echo "make test-fast  the tests without a browser and without the real model"
	@echo "make test-containers  the tests of the containers; needs Docker with Compose, builds the images first"
	@echo "make lint       all checks of the source text"
	@echo "make bench      the measurements in tests/bench/"
	@echo "make chaos      kills every part at random during fifty replies; nothing may be missing (SEED=7 SECONDS=120)"
	@echo "make backup TO=FOLDER     saves the database and the keys; make restore FROM=FOLDER brings them back"
	@echo "make audit-dependencies  asks the public services whether a package is known to be unsafe"
	@echo "make verify     proves that every recorded model call can be rebuilt, and that no event was changed"

check-python:
	@$(PYTHON) $(NEW_ENOUGH) >/dev/null 2>&1 || { \
	echo "Verbatim needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1 | head -n 1`." \
	"Install a newer one, or name it: make run PYTHON=/path/to/python3" >&2; exit 2; }

run: check-python
	$(INSTALL) run
	@exec $(VENV)/python -m backend.embedded.run --stop-with-parent

# Each suite is a process of its own; the first that fails ends the run.
test: check-python
	$(INSTALL) test
	$(PYTEST) tests/unit tests/contract tests/integration tests/acceptance
	CHROMIUM=`$(VENV)/python -m tests.support.chromium` && CHROMIUM=$$CHROMIUM $(PYTEST) tests/browser
	$(NPM) test

test-fast: check-python
	$(INSTALL) test
	$(PYTEST) tests/unit tests/contract tests/integration tests/acceptance -m "not real_model"
	$(NPM) test

# COMPOSE_FILE=docker-compose.yml:docker-compose.dmr.yml make test-containers: the same with Docker Model Runner.
test-containers: check-python
	$(INSTALL) check
	$(PYTEST) tests/containers

lint: check-python
	$(INSTALL) check
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	VERBATIM_WITHOUT_DATABASE=1 $(VENV)/mypy
	$(VENV)/lint-imports
	$(NPM) run lint
	$(NPM) run typecheck

bench: check-python
	$(INSTALL) test
	@ls tests/bench/bench_*.py >/dev/null 2>&1 || echo "There is nothing to measure yet: tests/bench/ holds no bench_*.py."
	@for file in tests/bench/bench_*.py; do [ ! -f "$$file" ] || { echo "== $$file"; $(VENV)/python "$$file" || exit 1; }; done

# Without SEED one is drawn and printed, so that a storm that found something can be repeated.
chaos: check-python
	$(INSTALL) test
	$(VENV)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(REPLIES),--replies $(REPLIES))

verify: check-python
	$(INSTALL) run
	$(MANAGE) verify prompts --all
	$(MANAGE) verify coverage
	$(MANAGE) verify log

# Not part of `make test`: it needs services elsewhere, and what they say changes without us.
audit-dependencies: check-python
	$(INSTALL) check
	$(VENV)/python tools/audit_dependencies.py

# The database at this moment, and the keys: make backup TO=/mnt/backups/monday
backup: check-python
	@[ -n "$(TO)" ] || { echo "Name a new folder: make backup TO=/mnt/backups/monday" >&2; exit 2; }
	$(INSTALL) run
	@$(VENV)/python -m backend.embedded.backup make "$(TO)"

# Into an empty database: make restore FROM=/mnt/backups/monday DATA_DIR=./var-new
restore: check-python
	@[ -n "$(FROM)" ] || { echo "Name the backup's folder: make restore FROM=/mnt/backups/monday" >&2; exit 2; }
	$(INSTALL) run
	@$(VENV)/python -m backend.embedded.backup restore "$(FROM)"
