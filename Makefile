# One entry for people and CI. Each target sets up what it needs; a second run reuses everything.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
export AWS_EC2_METADATA_DISABLED := true
export UV_PYTHON_DOWNLOADS := never
# Company networks often sign with a certificate of their own, which only the system knows.
export UV_SYSTEM_CERTS := true
export NODE_USE_SYSTEM_CA := 1
# An activated environment of something else must not become the target of uv.
unexport VIRTUAL_ENV

PYTHON ?= python3
STAGE ?= dev

.PHONY: help setup demo test check lint types synth permissions calls snapshot bench explore mutants docs local local-down clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .build/ready ## Install everything the other targets need (they do it themselves)

# Debian's python3 comes without venv's ensurepip, others without pip: either will do.
.build/uv/bin/uv:
	@$(PYTHON) -m venv .build/uv >/dev/null 2>&1 && .build/uv/bin/pip install --quiet --disable-pip-version-check uv \
	  || $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .build/uv uv

.build/ready: pyproject.toml uv.lock package.json package-lock.json
	@mkdir -p .build
	@command -v uv >/dev/null 2>&1 || $(MAKE) --no-print-directory .build/uv/bin/uv
	@echo "Setting up Python packages …"
	@uv=$$(command -v uv || echo .build/uv/bin/uv); \
	  $$uv sync --frozen --quiet --python $(PYTHON); \
	  UV_PROJECT_ENVIRONMENT=.venv-engine $$uv sync --frozen --quiet --only-group engine --python $(PYTHON)
	@echo "Setting up the CDK CLI …"
	@npm ci --silent --no-fund --no-audit
	@touch $@

# It pins old versions of what the other environments use, so uv cannot lock it with them.
CHECKOV := checkov==3.3.30
.venv-checkov/ready: Makefile
	@command -v uv >/dev/null 2>&1 || $(MAKE) --no-print-directory .build/uv/bin/uv
	@echo "Setting up checkov …"
	@uv=$$(command -v uv || echo .build/uv/bin/uv); \
	  $$uv venv --quiet --allow-existing --python $(PYTHON) .venv-checkov; \
	  $$uv pip install --quiet --python .venv-checkov $(CHECKOV)
	@touch $@

demo: .build/ready ## Deploy to a local cloud and migrate the sample servers (AUTH=1 enforces IAM)
	@python -m localcloud demo $(if $(AUTH),--auth)

local: .build/ready ## Start the local cloud, deploy to it and leave it running
	@python -m localcloud up $(if $(AUTH),--auth)

local-down: .build/ready ## Stop the local cloud and remove what it left
	@python -m localcloud down

MEASURED := tests/unit/runtime
RULES := runtime/logic/*,runtime/models/*

# Both parts always run. The branches of the rules are counted in the part that is about them: elsewhere it would cost
# more than it tells. Files are not kept together: the slowest have the fewest tests, and would begin last.
test: .build/ready ## Run all tests, and tell which branches of the rules they miss
	@rm -rf .build/coverage* .build/calls
	@export RECORD_CALLS=1; status=0; \
	  echo "1 of 2: the rules, and which of their branches are missed"; \
	  COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml pytest -q -n 2 --dist worksteal $(MEASURED) || status=1; \
	  coverage combine --quiet && coverage report --include "$(RULES)" || status=1; \
	  echo "2 of 2: all else, which takes about twice as long"; \
	  pytest -q -n 2 --dist worksteal $(MEASURED:%=--ignore=%) || status=1; \
	  exit $$status

check: .build/ready .venv-checkov/ready lint types synth ## What CI runs besides the tests: lint, types, synth, policies
	@cfn-lint --non-zero-exit-code error cdk.out/dev/*.template.json cdk.out/prod/*.template.json
	@.venv-checkov/bin/checkov --directory cdk.out/prod --quiet --compact & checkov=$$!; status=0; \
	  pytest -q tests/policies || status=1; \
	  wait $$checkov || status=1; \
	  exit $$status

permissions: .build/ready ## Judge the calls that `make test` saw, and write out/permissions.md
	@python -m tests.policies

calls: .build/ready ## Accept the calls that `make test` saw as the new list
	@python -m tests.policies --accept

lint: .build/ready ## Ruff and import rules
	@ruff check .
	@ruff format --check .
	@lint-imports

types: .build/ready ## mypy, strict
	@mypy

synth: .build/ready ## Write the CloudFormation templates of dev and prod to cdk.out/
	@for stage in dev prod; do cdk synth --quiet --context stage=$$stage --output cdk.out/$$stage; done

snapshot: .build/ready ## Accept the present templates and screens as the new snapshots
	@pytest -q tests/snapshot tests/cli/test_terminal.py --snapshot-update

bench: .build/ready ## Print the figures of the simulator and of the pipeline (about five minutes)
	@python -m simulator.bench
	@python -m tests.integration.bench
	@python -m tests.pipeline.bench
	@python -m localcloud bench

explore: .build/ready ## Play random schedules with faults and judge each (SEEDS=200, SECONDS=, SEED=the first; alone: tell it)
	@python -m tests.exploration $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(SEED),--seed $(SEED))

mutants: .build/ready ## List the changes of runtime/logic that no unit test notices (ONLY=pattern: some of them)
	@uv run --frozen --quiet --group mutants python -m tests.mutants $(if $(ONLY),'$(ONLY)')

docs: .build/ready ## Regenerate the published schemas and the page of the command line
	@migrate schema --write docs/schemas
	@python -m cli.manual docs/cli.md

clean: ## Remove everything the other targets made
	@rm -rf .build .venv .venv-checkov .venv-engine node_modules cdk.out out .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage mutants
