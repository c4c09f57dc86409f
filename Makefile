# What a user needs: Python 3.11 or newer, and make. Everything else is installed into .venv, from
# the lock files in requirements/ and checked against their hashes.

PYTHON ?= python3
RAW    ?= $(or $(CLSIMPACT_RAW),data/raw)
OUT    ?= outputs
ARGS   ?=

VENV  := .venv
VENV2 := .venv-pandas2
ORACLES := .venv-oracles
AUDIT := .venv-audit
ADVISORIES := .advisories
FUZZ  := .venv-fuzz
MUTATION := .venv-mutation
BIN   := $(VENV)/bin
BIN2  := $(VENV2)/bin

LOCKED  := install --quiet --quiet --no-compile --require-hashes
PACKAGE := install --quiet --quiet --no-deps --no-build-isolation --no-index
# One process a core and one file in one process; one thread each, so that they do not fight for cores.
PARALLEL := -n auto --dist loadfile
SOURCES := pyproject.toml src/clsimpact/_version.py

export MPLBACKEND := Agg
test-newest test-pandas2 coverage: export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help replicate demo test lint data bench bench-peers bench-inference oracles round-trip size scale recovery flips detection interruptions credibility fuzz corruption coverage versions fuzz-coverage mutation docs site audit audit-offline sbom test-pythons test-browser hooks lock clean env env-dev env-pandas2 \
        test-wheel test-newest test-pandas2 python-check FORCE

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=python3.12 chooses the interpreter, ARGS='...' is handed on to the program."

# --- what users run ---------------------------------------------------------------------------------

replicate: env ## rebuild every published figure from the committed data, into outputs/
	@echo "==> replicate: the ledger, tables and figures into $(OUT)/"
	@$(BIN)/clsimpact replicate --out "$(OUT)" $(ARGS)

demo: env ## run the whole study on made-up returns: estimate against the truth put in (outputs/demo)
	@$(BIN)/clsimpact demo --out "$(OUT)/demo" $(ARGS)

data: env ## rebuild data/processed from the publishers' files (RAW=folder, or CLSIMPACT_RAW)
	@echo "==> data: read the publishers' files in $(RAW)"
	@$(BIN)/clsimpact build --raw "$(RAW)" $(ARGS)

test: lint audit-offline site test-wheel test-pythons test-newest test-pandas2 ## lint, known vulnerabilities, documentation, the wheel on its own, every test with new pandas and with pandas 2.2

lint: env-dev ## ruff (rules and format) and mypy
	@echo "==> lint: ruff check"
	@$(BIN)/python -m ruff check .
	@echo "==> lint: ruff format"
	@$(BIN)/python -m ruff format --check .
	@echo "==> lint: mypy"
	@$(BIN)/python -m mypy

# Benchmarks that need the environment of the other packages, or take long: they have commands of their own.
BESIDE := benchmarks/peers.py benchmarks/inference.py benchmarks/scale.py

bench: env-dev ## run the benchmarks
	@for script in $(sort $(filter-out benchmarks/_% $(BESIDE),$(wildcard benchmarks/*.py))); do \
	  echo "==> bench: $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; done

bench-peers: $(ORACLES)/.package ## time the estimators beside other Python packages, in an environment that has them
	@OMP_NUM_THREADS=1 $(ORACLES)/bin/python benchmarks/peers.py $(ARGS)

bench-inference: $(ORACLES)/.package ## time wild bootstrap and permutation of all terms beside other packages (two cores)
	@$(ORACLES)/bin/python benchmarks/inference.py $(ARGS)

scale: env-dev ## slow: growth of time and memory, what a machine holds, Dask (docs/scale.md; half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/scale.py $(ARGS)

oracles: ## slow: ask every other package again and rewrite tests/reference (needs python3.11, python3.12 and R)
	@sh tests/oracles/run.sh "$(or $(DIR),.oracles)"

round-trip: env-dev ## slow: write and read back every made-up publication for five seeds (docs/round-trip.md)
	@$(BIN)/python tools/round_trip.py $(ARGS)

size: env-dev ## slow: measure size and power of inference on made-up panels (docs/size.md; about two hours on two cores)
	@$(BIN)/python tools/size.py $(ARGS)
	@$(BIN)/python tools/size.py --shapes --panels 1000 --classic 0 --out docs/size/shapes.csv
	@$(BIN)/python tools/size_large.py
	@$(BIN)/python tools/size_page.py

recovery: env-dev ## slow: how often intervals hold the truth, over twenty made-up worlds (docs/recovery.md)
	@$(BIN)/python tools/recovery.py $(ARGS)

flips: env-dev ## slow: flip each claim in made-up worlds and see whether its verdict follows (docs/flips.md)
	@$(BIN)/python tools/flips.py $(ARGS)

detection: env-dev ## slow: how often each check finds its fault and cries wolf, 200 made-up studies (docs/detection.md)
	@$(BIN)/python tools/detection.py $(ARGS)

interruptions: env-dev ## slow: kill and starve every command in every way (docs/explanation/interruptions.md; half an hour, as root on Linux)
	@$(BIN)/python tools/interruptions.py $(ARGS)

credibility: env-dev ## rewrite docs/how-this-could-be-wrong.md and the list of checks, from a run
	@$(BIN)/python tools/credibility.py $(ARGS)

fuzz: env-dev ## slow: break 20,000 files and have every loader read them (docs/fuzzing.md; ARGS='--files 500 --seed 2')
	@$(BIN)/python tools/fuzz.py $(ARGS)

fuzz-coverage: $(FUZZ)/.made ## slow: fuzz the CSV, value and year parsers, led by coverage (tests/fuzz/corpus; ARGS='--seconds 60')
	@$(FUZZ)/bin/python tools/fuzz_coverage.py $(ARGS)

mutation: $(MUTATION)/.made ## slow: change the code of the core and see whether a test notices (docs/mutation.md; ARGS='--share 0.02 --seed 2')
	@$(MUTATION)/bin/python tools/mutation.py $(ARGS)

$(FUZZ)/.made: requirements/fuzz.lock
$(MUTATION)/.made: requirements/mutation.lock
$(FUZZ)/.made $(MUTATION)/.made: requirements/run.lock
	@$(MAKE) --no-print-directory python-check
	@echo "==> environment: $(@D), libraries of $(^F)"
	@"$(PYTHON)" -m venv $(@D)
	@for lock in $^; do $(@D)/bin/python -m pip $(LOCKED) -r $$lock || exit 1; done
	@touch $@

OLDEST := .venv-oldest

versions: env-dev env-pandas2 $(OLDEST)/.libraries ## the same numbers with the newest, with pandas 2.2, and with the oldest libraries (docs/reference/versions.md)
	@$(BIN)/python tools/versions.py "newest=$(BIN)/python" "pandas 2.2=$(BIN2)/python" "oldest=$(OLDEST)/bin/python"

$(OLDEST)/.libraries: requirements/oldest.lock
	@$(MAKE) --no-print-directory python-check
	@echo "==> environment: $(OLDEST), libraries of requirements/oldest.lock"
	@"$(PYTHON)" -m venv $(OLDEST)
	@$(OLDEST)/bin/python -m pip $(LOCKED) -r requirements/oldest.lock
	@touch $@

# Notebooks, killed runs and broken files run in processes of their own, where nothing is counted.
COUNTED := --ignore=tests/test_notebooks.py --ignore=tests/faults --ignore=tests/test_fuzz.py

coverage: env-dev ## slow: which lines and branches the tests reach (docs/coverage.md)
	@$(BIN)/python -m pytest $(PARALLEL) -q $(COUNTED) --cov --cov-report= $(ARGS)
	@$(BIN)/python -m coverage json --quiet -o .coverage.json
	@$(BIN)/python tools/covered.py .coverage.json docs/coverage.md

corruption: env-dev ## slow: change 1,000 official figures and see which rule notices (docs/corruption.md)
	@$(BIN)/python tools/corruption.py $(ARGS)

docs: env-dev ## rewrite the generated pages of docs/
	@echo "==> docs: the generated pages"
	@$(BIN)/python tools/make_docs.py $(ARGS)

SITE := docs/_build/html

site: env-dev $(VENV)/.docs ## build the documentation (docs/_build/html), warnings as errors, links checked
	@echo "==> site: $(SITE)"
	@rm -rf $(SITE) docs/reference/api
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs $(SITE)
	@$(BIN)/python tools/check_site.py $(SITE)

$(VENV)/.docs: requirements/docs.lock $(VENV)/.dev
	@echo "==> environment: tools of requirements/docs.lock"
	@$(BIN)/python -m pip $(LOCKED) -r requirements/docs.lock
	@touch $@

# The packages of the system that the browser tests need are installed where apt-get and the right to use it are there.
AXE := axe-core@4.14.1
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

test-browser: env-dev $(VENV)/.browser .browser/axe.min.js ## the report in headless Chromium: errors, requests, axe-core, print
	@command -v chromium > /dev/null && command -v pdftotext > /dev/null || { \
	  echo "==> test-browser: chromium and poppler-utils"; \
	  apt-get update -qq > /dev/null && apt-get install -y -qq --no-install-recommends chromium poppler-utils > /dev/null || { \
	  echo "Install Chromium and poppler-utils (Debian: apt-get install chromium poppler-utils)." >&2; exit 1; }; }
	@echo "==> test: the report in a browser"
	@$(BIN)/python -m pytest -p no:cacheprovider tests_browser $(ARGS)

$(VENV)/.browser: requirements/browser.lock $(VENV)/.dev
	@echo "==> environment: tools of requirements/browser.lock"
	@$(BIN)/python -m pip $(LOCKED) -r requirements/browser.lock
	@touch $@

.browser/axe.min.js:
	@echo "==> test-browser: $(AXE)"
	@mkdir -p .browser && cd .browser && npm pack --silent $(AXE) > /dev/null && tar xzf axe-core-*.tgz package/axe.min.js
	@echo "$(AXE_SHA256)  .browser/package/axe.min.js" | sha256sum --check --quiet
	@mv .browser/package/axe.min.js $@

audit: $(AUDIT)/.made ## ask the live advisory databases about the locked packages (needs a network that reaches them)
	@echo "==> audit: every lock, against the live databases"
	@for lock in $(filter-out requirements/advisories.lock,$(wildcard requirements/*.lock)); do \
	  $(AUDIT)/bin/pip-audit --requirement $$lock --require-hashes --disable-pip --strict || { \
	  echo "pip-audit named no vulnerability above? Then it could not ask: 'make audit-offline' needs no database." >&2; \
	  exit 1; }; done

# Advisories in a wheel that is opened as an archive and never installed.
audit-offline: env $(ADVISORIES)/.made ## hold every lock against a pinned copy of advisories (docs/dependency-audit.md)
	@echo "==> audit: every lock, against the advisories in $(ADVISORIES)"
	@$(BIN)/python tools/audit.py $(ADVISORIES)/*.whl $(filter --page,$(ARGS))

$(ADVISORIES)/.made: requirements/advisories.lock | $(VENV)/.made
	@echo "==> audit: the wheel of requirements/advisories.lock"
	@rm -rf $(ADVISORIES)
	@$(BIN)/python -m pip download --quiet --quiet --no-deps --only-binary :all: --require-hashes \
	  --requirement requirements/advisories.lock --dest $(ADVISORIES)
	@touch $@

SBOM := docs/explanation/sbom.json

sbom: $(AUDIT)/.made ## write the software bill of materials of what users install (CycloneDX, docs/explanation/sbom.json)
	@echo "==> sbom: $(SBOM)"
	@set -eu; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	  "$(PYTHON)" -m venv --without-pip "$$scratch/env"; \
	  $(AUDIT)/bin/python -m pip --python "$$scratch/env/bin/python" $(LOCKED) -r requirements/run.lock; \
	  $(AUDIT)/bin/cyclonedx-py environment "$$scratch/env/bin/python" --pyproject pyproject.toml \
	    --output-reproducible --output-file $(SBOM)

$(AUDIT)/.made: requirements/audit.lock
	@$(MAKE) --no-print-directory python-check
	@echo "==> environment: $(AUDIT), tools of requirements/audit.lock"
	@"$(PYTHON)" -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip $(LOCKED) -r requirements/audit.lock
	@touch $@

hooks: env-dev ## check every commit before it is made (pre-commit)
	@$(BIN)/python -m pre_commit install

clean: ## remove environments, outputs and caches; never data
	@echo "==> clean: environments, outputs and caches"
	@rm -rf $(VENV) $(VENV2) $(ORACLES) $(AUDIT) $(ADVISORIES) $(OLDEST) $(FUZZ) $(MUTATION) mutants .oracles .browser outputs build dist docs/_build docs/reference/api
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find . -name .git -prune -o -path ./data -prune -o \
	  -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# --- the parts of `make test` -----------------------------------------------------------------------

test-newest: env-dev ## every test and doctest, warnings as errors
	@echo "==> test: the newest libraries, warnings as errors"
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-pandas2: env-pandas2 ## the same tests with pandas 2.2 (but notebooks, faults, fuzzing, surroundings and what is marked `once`)
	@echo "==> test: pandas 2.2"
	@$(BIN2)/python -m pytest $(PARALLEL) -W default --disable-warnings --ignore=tests/test_notebooks.py \
	  --ignore=tests/faults --ignore=tests/test_fuzz.py --ignore=tests/test_corruption.py --ignore=tests/test_determinism.py \
	  -m "not once" $(ARGS)

# Any newer Python that the machine has, on the path or kept by pyenv: the wheel, in an empty environment of it.
test-pythons: ## use the wheel with every newer Python that the machine has
	@for version in 3.12 3.13 3.14 3.15; do \
	  for python in "python$$version" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; do \
	    if "$$python" -c 'import ensurepip, venv' > /dev/null 2>&1; then \
	      $(MAKE) --no-print-directory test-wheel INTERPRETER="$$python" || exit 1; break; \
	    fi; \
	  done; \
	done

# The Python in which the wheel is tried; it is built with that of .venv.
INTERPRETER ?= $(BIN)/python

# Source archive, wheel from that archive, and the wheel in an environment with nothing else in it.
test-wheel: env-dev ## build the wheel and use it in an empty environment
	@echo "==> test: the wheel, in an empty environment, with $$("$(INTERPRETER)" -V 2>&1)"
	@set -eu; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; trap 'exit 1' HUP INT TERM; \
	  $(BIN)/python -m build --no-isolation --outdir "$$scratch/dist" . > "$$scratch/log" 2>&1 \
	    || { cat "$$scratch/log" >&2; exit 1; }; \
	  "$(INTERPRETER)" -m venv "$$scratch/env"; \
	  "$$scratch/env/bin/python" -m pip $(LOCKED) -r requirements/run.lock; \
	  "$$scratch/env/bin/python" -m pip install --quiet --quiet --no-deps --no-index "$$scratch"/dist/*.whl; \
	  cp tools/check_installed.py "$$scratch"; cd "$$scratch"; \
	  env/bin/python check_installed.py; \
	  if test "$(INTERPRETER)" = "$(BIN)/python"; then \
	    env/bin/python -m clsimpact demo --out demo > demo.txt 2>&1 || { cat demo.txt >&2; exit 1; }; fi; \
	  env/bin/python -W error::DeprecationWarning -m clsimpact doctor > doctor.txt || { cat doctor.txt >&2; exit 1; }; \
	  env/bin/clsimpact --help > /dev/null

# --- environments -----------------------------------------------------------------------------------
# A stamp file says what an environment holds, so a second call does nothing and a changed lock installs.

env: $(VENV)/.package ## the environment of `make replicate`, in .venv
	@:
env-dev: $(VENV)/.dev $(VENV)/.package ## the same with the development tools
	@:
env-pandas2: $(VENV2)/.package ## the environment with pandas 2.2, in .venv-pandas2
	@:

python-check:
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "clsimpact needs Python 3.11 or newer, and there is no '$(PYTHON)'." \
	       "Install Python, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "clsimpact needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1)." \
	       "Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its venv module is missing." \
	       "On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.made $(VENV2)/.made $(ORACLES)/.made:
	@$(MAKE) --no-print-directory python-check
	@echo "==> environment: $(@D), with $$("$(PYTHON)" -V 2>&1)"
	@"$(PYTHON)" -m venv $(@D)
	@touch $@

$(VENV)/.run: requirements/run.lock requirements/build.lock | $(VENV)/.made
	@echo "==> environment: libraries of requirements/run.lock"
	@$(BIN)/python -m pip $(LOCKED) -r requirements/run.lock
	@$(BIN)/python -m pip $(LOCKED) -r requirements/build.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "==> environment: tools of requirements/dev.lock"
	@$(BIN)/python -m pip $(LOCKED) -r requirements/dev.lock
	@touch $@

$(VENV2)/.libraries: requirements/dev-pandas2.lock | $(VENV2)/.made
	@echo "==> environment: libraries of requirements/dev-pandas2.lock"
	@$(BIN2)/python -m pip $(LOCKED) -r requirements/dev-pandas2.lock
	@touch $@

$(ORACLES)/.libraries: requirements/oracles.lock requirements/build.lock | $(ORACLES)/.made
	@echo "==> environment: other packages of requirements/oracles.lock"
	@$(ORACLES)/bin/python -m pip $(LOCKED) -r requirements/oracles.lock
	@$(ORACLES)/bin/python -m pip $(LOCKED) -r requirements/build.lock
	@touch $@

$(VENV)/.package: $(SOURCES) $(VENV)/.run
$(VENV2)/.package: $(SOURCES) $(VENV2)/.libraries
$(ORACLES)/.package: $(SOURCES) $(ORACLES)/.libraries
$(VENV)/.package $(VENV2)/.package $(ORACLES)/.package:
	@echo "==> environment: clsimpact itself, from this folder"
	@$(@D)/bin/python -m pip $(PACKAGE) --editable .
	@echo "$(CURDIR)" > $@

# An environment that was copied or moved with its folder still points at the old one: install again.
$(foreach e,$(VENV) $(VENV2) $(ORACLES),$(if $(filter-out $(CURDIR),$(shell cat $(e)/.package 2> /dev/null)),$(eval $(e)/.package: FORCE)))

# --- locks ------------------------------------------------------------------------------------------
# One lock for every Python from 3.11 on. `make lock` keeps the versions it can; UPGRADE=1 takes the newest.

COMPILE = $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.made ## resolve the locks in requirements/ again (UPGRADE=1: newest versions)
	@echo "==> lock: uv, to resolve"
	@$(BIN)/python -m pip install --quiet --quiet "uv>=0.9"
	@echo "==> lock: requirements/dev.lock"
	@$(COMPILE) pyproject.toml --extra report --extra notebook --group dev --output-file requirements/dev.lock
	@echo "==> lock: requirements/run.lock and build.lock, the same versions"
	@$(COMPILE) pyproject.toml --extra report --constraints requirements/dev.lock --output-file requirements/run.lock
	@$(COMPILE) --group build --constraints requirements/dev.lock --output-file requirements/build.lock
	@$(COMPILE) --group browser --constraints requirements/dev.lock --output-file requirements/browser.lock
	@$(COMPILE) --group audit --output-file requirements/audit.lock
	@$(COMPILE) --no-deps --group advisories --output-file requirements/advisories.lock
	@$(COMPILE) --group fuzz --output-file requirements/fuzz.lock
	@$(COMPILE) --group mutation --constraints requirements/dev.lock --output-file requirements/mutation.lock
	@$(COMPILE) --group docs --constraints requirements/dev.lock --output-file requirements/docs.lock
	@echo "==> lock: requirements/dev-pandas2.lock"
	@$(COMPILE) pyproject.toml --extra report --group build --group test --constraints requirements/pandas2.in \
	  --output-file requirements/dev-pandas2.lock
	@echo "==> lock: requirements/oldest.lock, the oldest version of each library that is allowed"
	@$(COMPILE) --resolution lowest-direct pyproject.toml --extra report --output-file requirements/oldest.lock
	@echo "==> lock: the programs that others wrote, for tests/oracles and benchmarks/peers.py"
	@$(COMPILE) --group oracles --output-file requirements/oracles.lock
	@$(COMPILE) --group oracles-multiplegt --output-file requirements/oracles-multiplegt.lock
	@$(subst 3.11,3.12,$(COMPILE)) --group oracles-moderndid --output-file requirements/oracles-moderndid.lock
