.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The installer has just said why; which of these it was, its words tell better than a guess.
define SET_UP_FAILED
echo "Set-up stopped; the installer says why above. No network or index: the first run needs it, later runs do not. \
No space left: free some. A hash that differs: the index serves another file than the one in the lock; do not use it." >&2; exit 1
endef

.PHONY: help setup demo test up down lint types arrows check bench lock docs clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

$(STAMP): requirements.lock requirements-installer.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Cairn needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-installer.lock \
		|| { $(SET_UP_FAILED); }
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock \
		|| { $(SET_UP_FAILED); }
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_paths()["purelib"], "cairn-checkout.pth").write_text(str(pathlib.Path.cwd()) + "\n")'
	@printf '#!%s\nfrom cairn.__main__ import main\nmain()\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/cairn && chmod +x $(BIN)/cairn
	@touch $(STAMP)

setup: $(STAMP) ## Install everything into .venv (done by the other targets when needed)

demo: setup ## Run eighteen cases over the whole path, on real engines
	@$(BIN)/cairn demo

test: setup ## Run every test, on two workers
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

up: setup ## Start the local stack and stay in front of it
	@$(BIN)/cairn up

down: setup ## Stop the local stack
	@$(BIN)/cairn down

lint: setup ## Style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup ## Static types (strict on contracts, kit, workflows and every domain)
	@$(BIN)/pyright

arrows: setup ## Who may import whom
	@$(BIN)/lint-imports

check: lint types arrows ## Everything but the tests

bench: setup ## Every benchmark; writes docs/benchmarks.md
	@$(BIN)/cairn bench all

docs: setup ## Regenerate docs/api from the code
	@$(BIN)/cairn docs

lock: setup ## Renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --extra local --extra dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --constraint requirements.lock pyproject.toml -o requirements-production.lock
	@echo 'uv==0.13.9' | $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 - -o requirements-installer.lock

clean: ## Remove everything that was built or run here
	@rm -rf $(VENV) .cairn .pytest_cache .ruff_cache .hypothesis
