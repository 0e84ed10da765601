# Every target does the set-up it needs; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PATHS ?= field-report=snapshots/field-report snapshots/lab

.PHONY: help run test check fix goldens shots bench soak differential faults lab lab-down clean
help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/run: requirements/run.lock pyproject.toml
	@scripts/venv $(PYTHON) requirements/run.lock && touch $@
.venv/dev: requirements/dev.lock pyproject.toml
	@scripts/venv $(PYTHON) requirements/dev.lock && touch $@ .venv/run

run: .venv/run ## open the bundled snapshots
	@$(BIN)/calitop $(PATHS)
test: .venv/dev ## all tests; as root on Debian it first installs what the kernel tests need
	@scripts/system-packages
	@$(BIN)/pytest -n 2 --dist loadgroup
check: .venv/dev ## the whole gate: format, lint, types, walls between the rooms, tests
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(MAKE) --no-print-directory test
fix: .venv/dev ## format, and mend what ruff can mend
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
goldens: .venv/dev ## make the expected pictures anew; look at them before you commit
	@$(BIN)/pytest -m goldens --snapshot-update
shots: .venv/dev ## pictures of the demo for the docs
	@$(BIN)/python -m scripts.shots docs/pictures
bench: .venv/dev ## what reading and painting cost, as ratios within one run
	@$(BIN)/python -m tests.perf.bench
soak: .venv/dev ## an hour of changing rules and traffic under the poller (root); MINUTES=60 BACKEND=nft
	@$(BIN)/python -m tests.perf.soak $(or $(MINUTES),60) $(or $(BACKEND),nft)
differential: .venv/dev ## predicted paths beside this kernel's own trace (root); N=1000 SEED=…
	@$(BIN)/python -m tests.differential $(or $(N),1000) $(SEED)
faults: .venv/dev ## what calitop check says of every lab fault in every backend (root)
	@CALITOP_ALL_BACKENDS=1 $(BIN)/pytest tests/kernel/test_check_faults.py -q
lab: .venv/run ## two real nodes in network namespaces (root); see docs/lab.md
	@$(BIN)/python -m lab up
lab-down: .venv/run ## take the lab away; nothing stays behind
	@$(BIN)/python -m lab down
clean: ## what make has made
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
