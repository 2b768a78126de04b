# One command does here what CI does. Needs Python 3.11 or newer, make and git; everything else goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo demo-chain sandbox test bench bench-starts lint format generate config-schema screenshots requirements image \
	image-chain audit release-tools release-rehearsal clean

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that is new enough; say `make PYTHON=/path/to/python` for another. A candidate is run and not only
# looked up: a version manager's shim exists for versions that are not there.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# The packages are used from the checkout; nothing of ours is installed.
RUN := PYTHONPATH=src $(BIN)/python

PYTEST_ARGS ?=
# More than cores: half of the time a whole run waits, as the service makes it wait. Stealing: else one worker is left with
# the long ones in the end.
WORKERS ?= 6
# The real parts need ../shared, a network and minutes: .ci/run has them.
FAST := not real_s3 and not real_image and not real_act and not real_release and not real_core and not real_nemo and not soak and not hostile
WORKFLOWS := $(wildcard .github/workflows/*.yml examples/workflows/*.yml)

help: ## what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 27

DEMO_ARGS ?=
demo: $(VENV)/ready ## deploy examples/hello-truss to the sandbox as the runner would; DEMO_ARGS=--unfold for the whole log
	@$(RUN) scripts/demo.py $(DEMO_ARGS)

demo-chain: $(VENV)/ready ## the same with examples/hello-chain, which the real truss pushes; fetches truss, once
	@$(BIN)/python -m venv $(VENV)/chain
	@$(VENV)/chain/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-chain.txt
	@BASETEN_DEPLOY_TRUSS_PYTHON=$(CURDIR)/$(VENV)/chain/bin/python $(RUN) scripts/demo_chain.py

sandbox: $(VENV)/ready ## start the sandbox and print what to set to deploy to it
	@$(RUN) -m baseten_sandbox

# Bytecode, that of pytest's rewritten assertions too, is kept whatever the environment says: else each of hundreds of
# processes compiles anew.
BYTECODE := PYTHONDONTWRITEBYTECODE=
test: $(VENV)/ready ## all tests that need nothing but this checkout
	$(BYTECODE) scripts/run_tests.sh --ignore tests/hostile -n $(WORKERS) --dist worksteal -m "$(FAST)" $(PYTEST_ARGS)

# Each contender in an environment of its own, with what it needs and no more.
BENCH_ARGS ?=
bench: $(VENV)/ready ## compare with `truss push` and a shell script; BENCH_ARGS=--quick for a try
	@for name in bench truss; do $(BIN)/python -m venv $(VENV)/$$name || exit 1; done
	@$(VENV)/bench/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@$(VENV)/truss/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-truss.txt
	@PYTHONPATH=src $(BIN)/python -m benchmarks.checks_overhead
	@PYTHONPATH=src $(BIN)/python -m benchmarks.discover
	@$(BIN)/python -m benchmarks --python $(VENV)/bench/bin/python --truss-python $(VENV)/truss/bin/python $(BENCH_ARGS)

bench-starts: release-tools ## until the first request: image pulled, image built, truss installed; needs ../shared
	@$(BIN)/python -m benchmarks.starts $(BENCH_ARGS)

lint: $(VENV)/ready ## format, lint, types, generated files, workflows, Dockerfile
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-cache --no-logo
	$(RUN) scripts/generate.py --check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml chain/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/zizmor --offline --quiet --persona auditor action.yml chain .github $(wildcard examples/workflows/*.yml)
	$(BIN)/actionlint $(WORKFLOWS)
	$(BIN)/hadolint Dockerfile
	@echo "lint: all clean"

format: $(VENV)/ready ## rewrite the Python files as the formatter wants them
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

generate: $(VENV)/ready ## write what the code says once into action.yml, README.md, docs/, CONTRIBUTING.md and schemas/
	$(RUN) scripts/generate.py

# For maintainers, after a change of requirements-truss.txt: what a config may have is what that truss says.
config-schema: $(VENV)/ready ## read anew what a config may have from the JSON Schema of the truss package
	@$(BIN)/python -m venv $(VENV)/truss
	@$(VENV)/truss/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-truss.txt
	@$(VENV)/truss/bin/python scripts/config_schema.py

screenshots: $(VENV)/ready ## photograph the summaries for docs/images; needs npm, Chromium and an emoji font
	@$(RUN) scripts/screenshots.py

# For maintainers, after a change of the dependencies in pyproject.toml; `UPGRADE=--upgrade` raises everything.
# One file for all Python versions from 3.11 and all platforms. No index or link of this machine gets in.
UPGRADE ?=
UV := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet $(UPGRADE) \
	--no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make requirements"
COMPILE := $(UV) pyproject.toml
requirements: $(VENV)/ready ## pin the dependencies of pyproject.toml anew, in requirements*.txt
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --output-file requirements.txt > /dev/null
	$(COMPILE) --output-file requirements-dev.txt --constraint requirements.txt --extra sandbox --group dev > /dev/null
	$(COMPILE) --output-file requirements-truss.txt --constraint requirements.txt --extra sandbox --group truss > /dev/null
	$(UV) --output-file requirements-chain.txt --constraint requirements-truss.txt --group pyproject.toml:chain > /dev/null
	$(UV) --group release --output-file requirements-release.txt > /dev/null

image: ## build the image
	docker build --tag baseten-deploy .

image-chain: ## build the image that has truss besides, for Chains
	docker build --target chain --tag baseten-deploy-chain .

# AUDIT_ARGS=--must-look makes it red when it could not look.
AUDIT_ARGS ?=
audit: $(VENV)/ready ## the pinned packages against what is known to be vulnerable; says so when it could not look
	@$(RUN) scripts/audit.py $(AUDIT_ARGS)

# What is installed, on Debian: a registry, rsync, act, gitlab-ci-local. See the script.
release-tools: $(VENV)/ready
	@PYTHON=$(BIN)/python scripts/release_tools.sh

release-rehearsal: release-tools ## a whole release against loopback, then used by its tag; needs ../shared
	$(BIN)/python -m pytest -m real_release -v $(PYTEST_ARGS)

clean: ## remove what these commands made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# All of requirements-dev.txt is pinned, so nothing is resolved. A half-made environment is never used: the stamp comes last.
$(VENV)/ready: requirements-dev.txt
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a symlink; make will not clear what it points to" >&2; exit 1; }
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"No Python 3.11 or newer here. Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module." \
		"On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); about half a minute, once"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --no-deps --only-binary :all: --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib src > /dev/null || true  # pip would do it with one core
	@touch $@
