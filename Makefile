# The work on codeb-mcp, each step one command. `make help` lists them.

MAKEFLAGS += --no-print-directory
BIN := .venv/bin
INSTALLED := .venv/.installed
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The system tests need root. Run through sudo they write nothing into the tree, or its owner
# could no longer delete it.
ifneq ($(shell id -u),0)
AS_ROOT := sudo --preserve-env=CI,CODEB_CACHE_DIR,CODEB_EXAMPLES,CODEB_REQUIRE_SYSTEM \
	env PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/var/cache/codeb-mcp/hypothesis
ROOT_PYTEST_FLAGS := -p no:cacheprovider
endif

.PHONY: install
install: $(INSTALLED) ## Build .venv with the commands codeb and codeb-mcp (the default)

# An existing environment is kept as long as its Python suits; pip brings it up to date.
$(INSTALLED): pyproject.toml constraints.txt
	@python=$$(scripts/find-python) && \
	if ! PYTHON=$(BIN)/python scripts/find-python >/dev/null 2>&1; then \
		echo "Building .venv with $$python"; "$$python" -m venv --clear .venv; \
	fi
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

.PHONY: check
check: $(INSTALLED) ## Lint, formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy codeb_mcp tests benchmarks examples
	$(BIN)/lint-imports

.PHONY: test-fast
test-fast: $(INSTALLED) ## The tests that need neither root nor other programs
	$(BIN)/python -m pytest -m "not system" -n 2 $(PYTEST_FLAGS)

# how much hostile text each place that takes values is tried with
.PHONY: test
test: export CODEB_EXAMPLES ?= 10000
test: ## Every test, after installing what they need (root or sudo)
	@scripts/prepare-host test
	@$(MAKE) install
	$(AS_ROOT) $(BIN)/python -m pytest $(ROOT_PYTEST_FLAGS) $(PYTEST_FLAGS)

.PHONY: demo
demo: ## Deploy the example on this machine, after installing what that needs
	@scripts/prepare-host demo
	@$(MAKE) install
	@$(BIN)/python examples/demo.py

.PHONY: demo-clean
demo-clean: $(INSTALLED) ## Remove everything the demo made
	@$(BIN)/python examples/demo.py --clean

.PHONY: clean
clean: ## Remove .venv, caches and build products of this folder
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
