# Everything this project does has a name here. `make` alone lists them.
PYTHON ?= python3
# One more than two cores: tests wait for the disk, for processes and for each other.
JOBS ?= 3
BIN := .venv/bin
RUN := .venv/.ready-run
DEV := .venv/.ready-dev
LOCKS := requirements-setup.lock requirements-data.lock

.DEFAULT_GOAL := help
.PHONY: help setup check fix test soak bench demo demo-check schemas lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

setup: $(DEV) ## make .venv with everything for work on the product (again when a lock file changed)

$(RUN): requirements.lock $(LOCKS) tools/setup
	@PYTHON='$(PYTHON)' tools/setup run
	@touch $@

$(DEV): requirements-dev.lock requirements.lock $(LOCKS) tools/setup
	@PYTHON='$(PYTHON)' tools/setup dev
	@touch $(RUN) $@

check: $(DEV) ## formatting, lints, types, import rules, SQL rules
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/check

fix: $(DEV) ## format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Tests start processes of the hub by the dozen: they are compiled once.
test soak: export PYTHONDONTWRITEBYTECODE :=

test: $(DEV) ## all checks and all tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/check $(BIN)/pytest -n $(JOBS) --dist worksteal

soak: $(DEV) ## the long runs, and every property with many examples and fresh chance
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m 'soak or hypothesis' --hypothesis-profile=soak

bench: $(DEV) ## measure, beside the limit each figure is held against
	$(BIN)/comity bench intake
	$(BIN)/comity bench redeem
	$(BIN)/comity bench unify
	$(BIN)/comity bench ledger
	$(BIN)/comity bench bulk
	$(BIN)/comity bench simulate

demo: $(RUN) ## three simulated CRMs and the hub, the main job told as it runs; stays up
	@$(BIN)/comity demo

demo-check: $(RUN) ## the demo without an audience: ends by itself, fails when a figure is missed
	@$(BIN)/comity demo --check

schemas: $(DEV) ## write what is generated anew: schema.sql of each room, JSON Schemas of the definitions, docs/reference
	$(BIN)/python tools/dump_schema.py
	$(BIN)/python -m tools.reference

lock: $(DEV) ## write the lock files anew (make lock UPGRADE=--upgrade for the newest releases)
	tools/lock $(UPGRADE)

clean: ## remove what was built here
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
