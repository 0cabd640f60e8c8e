# Every verb is documented by the comment behind it; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3.11
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install params repro from-scratch smoke published ablations bench site test lint lab clean lock

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## make .venv and install the package with the locked versions

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e ".[cards,dask,dev,ray,research,site,slurm]"
	touch .venv/installed

params: .venv/installed ## write params.yaml from conf/ (after every edit there)
	python -m twophase params

# `dvc repro` alone does the same, one stage after the other; here the domains' notebooks are executed side by side.
DOMAINS := $(basename $(notdir $(wildcard conf/domain/*.yaml)))
NOTEBOOKS := $(filter-out 08_% 09_% 16_%,$(basename $(notdir $(wildcard notebooks/[0-9]*.ipynb))))

# A source archive has no .git, and DVC would not begin.
.dvc/config.local:
	@test -e .git || printf '[core]\n    no_scm = true\n' > $@

repro: .venv/installed .dvc/config.local ## run what is missing or stale (installs first)
	@python -m reproduction.stages check
	dvc repro $(FORCE) claims metrics
	@printf '%s\n' $(DOMAINS) | xargs -P 2 -I{} dvc --wait-for-lock repro $(FORCE) --single-item $(NOTEBOOKS:%=%@{})
	dvc repro

from-scratch: .venv/installed .dvc/config.local ## run everything, with an empty cell store (kept afterwards)
	@folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && TWOPHASE_CACHE=$$folder $(MAKE) repro FORCE=--force && \
	cp -r $$folder/. "$$(python -c 'from twophase.infra.store import cache_folder; print(cache_folder())')"

smoke: .venv/installed ## the same stages on a handful of models, in a clone under build/smoke (about four minutes)
	@test -e .git || { echo "make smoke clones this repository, and here is no .git: get it by git clone, or run make repro" >&2; exit 2; }
	rm -rf build/smoke && git clone -q . build/smoke
	git ls-files -z -co --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C build/smoke
	cd build/smoke && export PYTHONPATH=$$PWD/src && python -m twophase params profile=smoke && dvc repro

published: .venv/installed .dvc/config.local ## read other groups' records (downloads 3 MB, or reads TWOPHASE_MIRROR) and run their notebooks
	@python -m reproduction.stages check
	@python -m twophase records get > /dev/null
	dvc repro notebooks/published/dvc.yaml
	cp results/published/claims.csv results/claims/published.csv
	dvc repro --single-item 09_claims

ablations: .venv/installed ## run the experiments of conf/ablations.yaml, one parameter at a time (a few minutes)
	python -m reproduction.sweep

bench: .venv/installed ## measure speed and memory beside what one would use instead, into results/bench/
	python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e ".[bench]"
	python -m reproduction.bench $(ARGS)

site: .venv/installed ## render executed notebooks, guides and the library's reference to build/site/index.html
	python -m sphinx -q -W -b html -c docs . build/site

test: .venv/installed ## run all tests, side by side but for those that time what processes do (a part: make test ARGS="-m 'not slow'")
ifdef ARGS
	python -m pytest -q $(ARGS)
else
	python -m pytest -q -m "not alone" -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	python -m pytest -q -m alone
endif

lint: .venv/installed ## check style, and that imports point down one list of layers
	ruff check . && ruff format --check . && lint-imports

lab: .venv/installed ## open the notebooks
	jupyter lab notebooks

clean: .venv/installed ## remove the cell store (asks first) and what builds left behind
	python -m twophase clean
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis

# Later releases of soupsieve need Python 3.11.5; Debian 12 has 3.11.2.
lock: .venv/installed ## resolve pyproject.toml anew into constraints.txt
	@report=$$(mktemp) && trap "rm -f $$report" EXIT && \
	python -m pip install -q --disable-pip-version-check --dry-run --ignore-installed --report $$report \
	-c <(echo 'soupsieve<3') ".[bench,cards,dask,dev,ray,research,site,slurm]" && \
	{ grep '^#' constraints.txt; python -c "import json, re, sys; \
	rows = [item['metadata'] for item in json.load(open(sys.argv[1]))['install']]; \
	print(*sorted(re.sub('[-_.]+', '-', row['name'].lower()) + '==' + row['version'].split('+')[0] for row in rows \
	if row['name'] != 'twophase'), sep='\n')" $$report; } > constraints.new && mv constraints.new constraints.txt
