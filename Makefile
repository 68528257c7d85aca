# Everything a newcomer or a pipeline runs. `make help` lists it.
PYTHON := .venv/bin/python -u
DOCKER := scripts/with-docker.sh

.DEFAULT_GOAL := help
.PHONY: help setup lock docker images lint test test-unit test-host test-faults test-faults-rest demo bench docs up down clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: ## prepare .venv (quick when nothing has changed)
	@scripts/setup.sh

lock: ## write requirements.lock anew from pyproject.toml, and that of Bugsink
	@scripts/setup.sh lock

docker: ## make Docker usable: a daemon that runs is left alone, one is installed and started where there is none
	@scripts/docker.sh ensure

images: setup docker ## prepare the testbed's images
	@scripts/images.sh

lint: setup ## style, types, layers, the engine's Python floor, shell scripts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/vermin -t=3.9- --no-tips --violations src/fairway/engine src/fairway/remote/installer.py
	.venv/bin/shellcheck -x -P SCRIPTDIR scripts/*.sh .ci/run testbed/images/*/*.sh

test: setup ## all tests; prepares Docker and the images first, leaves nothing running
	@$(DOCKER) scripts/test.sh

test-unit: setup ## the tests that need no Docker
	@scripts/test-tools.sh unit
	@$(PYTHON) -m pytest tests/unit

test-host: setup ## the tests on real hosts; FAIRWAY_TESTBED=dev uses the testbed of `make up`
	@$(DOCKER) scripts/test.sh tests/host

test-faults: setup ## every fault in every step of a deployment, hours; writes docs/explanation/faults.md
	@rm -f tests/faults/seen.jsonl
	@$(DOCKER) scripts/test.sh tests/faults --all-faults --dist load; code=$$?; $(PYTHON) -m tests.faults.results && exit $$code

test-faults-rest: setup ## go on with the faults after an interruption
	@$(DOCKER) scripts/test.sh tests/faults --rest-of-faults --dist load; code=$$?; $(PYTHON) -m tests.faults.results && exit $$code

demo: setup ## a release built, staged, promoted under load and rolled back, on this machine
	@$(DOCKER) $(PYTHON) -m testbed demo

bench: setup ## measure Fairway, and the plain shell way beside it; a quarter of an hour, writes benchmarks/RESULTS.md
	@$(DOCKER) $(PYTHON) -m benchmarks

docs: setup ## write the generated part of docs/reference anew
	.venv/bin/typer fairway.cli.app utils docs --name fairway --output docs/reference/commands.md
	$(PYTHON) -m scripts.recovery_table
	$(PYTHON) -m scripts.verdicts
	$(PYTHON) scripts/schemas.py
	$(PYTHON) -m scripts.bundle_policy

up: setup docker ## leave a registry and two hosts running, to develop with
	@$(PYTHON) -m testbed up

down: setup docker ## remove what `make up` left running
	@$(PYTHON) -m testbed down

clean: setup ## remove everything that was made: containers, networks, volumes, images, certificates, .venv
	@scripts/clean.sh
	rm -rf .testbed .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
