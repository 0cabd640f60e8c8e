# Every verb is documented by the comment behind it; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3.11
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install params repro from-scratch smoke test lint lab clean lock

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/bin/python ## make .venv and install the package with the locked versions
	python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"

.venv/bin/python:
	$(PYTHON) -m venv .venv

params: ## write params.yaml from conf/ (after every edit there)
	python -m twophase params

repro: ## run what is missing or stale
	dvc repro

from-scratch: ## run everything, with an empty cell store
	@folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && TWOPHASE_CACHE=$$folder dvc repro --force

smoke: ## the same stages on a handful of models, in a clone under build/smoke (about a minute)
	rm -rf build/smoke && git clone -q . build/smoke
	git ls-files -z -co --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C build/smoke
	cd build/smoke && export PYTHONPATH=$$PWD/src && python -m twophase params profile=smoke && dvc repro

test: ## run all tests (the quick ones alone: make test ARGS="-m 'not slow'")
	python -m pytest -q $(ARGS)

lint: ## check style
	ruff check . && ruff format --check .

lab: ## open the notebooks
	jupyter lab notebooks

clean: ## remove the cell store (asks first) and what builds left behind
	python -m twophase clean
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis

lock: ## resolve pyproject.toml anew into constraints.txt
	@report=$$(mktemp) && trap "rm -f $$report" EXIT && \
	python -m pip install -q --disable-pip-version-check --dry-run --ignore-installed --report $$report ".[dev]" && \
	{ grep '^#' constraints.txt; python -c "import json, sys; \
	rows = [item['metadata'] for item in json.load(open(sys.argv[1]))['install']]; \
	print(*sorted(row['name'].lower() + '==' + row['version'].split('+')[0] for row in rows \
	if row['name'] != 'twophase'), sep='\n')" $$report; } > constraints.new && mv constraints.new constraints.txt
