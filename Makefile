# The only door. Everything happens in .venv, which is made from requirements/*.lock on first use (every file checked against its
# hash) and left alone afterwards; nothing is written outside this checkout. No package index is named: pip's own configuration
# decides (pip.conf, PIP_INDEX_URL), and so a mirror or an air gap is the environment's affair.
#
#   make PYTHON=python3.12 ...   another interpreter (3.11 to 3.13); .venv is rebuilt if its version differs
#   make test ARGS="-k vault"    ARGS reaches the command behind test, sandbox, demo and the benchmarks

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
TOOLS := $(VENV)/.tools-ready
READY := $(VENV)/.ready
BENCH_READY := $(BENCH_VENV)/.ready
INSTALL := sh requirements/install.sh

#: Workers of the unit tests; the slow ones start whole servers and run one after another.
WORKERS ?= 2

# Airflow reads airflow.cfg here, and without this would make itself a home outside the checkout.
export AIRFLOW_HOME := $(CURDIR)
# uv's cache: inside, so that an empty or read-only HOME works. Point it elsewhere to share it between checkouts.
export UV_CACHE_DIR ?= $(CURDIR)/.venv-cache
export PYTHONUNBUFFERED := 1
export SQLALCHEMY_SILENCE_UBER_WARNING := 1

# An interpreter that was asked for by name must be the one that is used, whatever an earlier run left behind.
ifdef PYTHON
ifneq ($(shell $(PYTHON) -c 'import sys; print(sys.version_info[:2])' 2>&1),$(shell $(BIN)/python -c 'import sys; print(sys.version_info[:2])' 2>&1))
.PHONY: $(TOOLS)
endif
endif

.PHONY: help
help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(READY) ## Run everything on invented leads: sandbox, intake, Airflow. ONESHOT=1 ends by itself.
	$(BIN)/leadgate demo $(if $(ONESHOT),--oneshot) $(ARGS)

.PHONY: up
up: $(READY) ## Run a whole installation on this machine: Postgres, ledger, intake, Airflow. Data stay in .leadgate.
	$(BIN)/leadgate up $(ARGS)

.PHONY: test
test: export AIRFLOW_HOME := $(CURDIR)/.pytest_cache/airflow
test: $(READY) ## Run all tests: first the quick ones, then those that start Postgres and Airflow.
	@status=0; \
	run() { $(BIN)/python -m pytest "$$@" $(ARGS) || [ $$? = $(if $(ARGS),5,0) ] || status=1; }; \
	run -m "not airflow and not postgres" -n $(WORKERS); \
	run -m "airflow or postgres"; \
	exit $$status

.PHONY: lint
lint: $(READY) ## Check style, types and who imports whom. Needs no network and starts nothing.
	@status=0; \
	for check in "ruff check ." "ruff format --check ." "python -m mypy" "lint-imports"; do \
	    echo "== $$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

.PHONY: sandbox
sandbox: $(READY) ## Start the simulated call centers and CRMs, with their failure knobs.
	$(BIN)/leadgate sandbox $(ARGS)

.PHONY: bench
bench: $(READY) $(BENCH_READY) ## Deliver 85,000 leads side by side with drt and dlt; print ratios, CPU seconds, peak memory.
	$(BIN)/python bench/throughput.py --peers "$(CURDIR)/$(BENCH_VENV)/bin/python" $(ARGS)

.PHONY: bench-latency
bench-latency: $(READY) ## Time 50 single leads from webhook to acceptance, through Airflow.
	$(BIN)/python bench/latency.py $(ARGS)

.PHONY: bench-log
bench-log: $(READY) $(BENCH_READY) ## Time the log: appends, proofs, verification, re-audit and tokens, beside pymerkle.
	$(BIN)/python bench/log.py --peers "$(CURDIR)/$(BENCH_VENV)/bin/python" $(ARGS)

.PHONY: kill-test
kill-test: $(READY) ## Kill the worker 50 times at random moments; count what was lost or doubled.
	$(BIN)/python bench/kill_test.py $(ARGS)

.PHONY: soak
soak: $(READY) ## Run an hour's worth of DAG runs on the embedded Postgres, with bursts of API writes; count what failed.
	$(BIN)/python bench/soak.py $(ARGS)

.PHONY: lock
lock: $(TOOLS) ## Write requirements/*.lock anew from pyproject.toml, keeping versions (UPGRADE=1: take newer ones).
	$(INSTALL) lock $(VENV) $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what can be made again: environments and caches. Never .leadgate or .airflow: keys and the ledger live there.
	rm -rf $(VENV) .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TOOLS): requirements/bootstrap.lock requirements/install.sh
	@$(INSTALL) tools $(VENV) "$(PYTHON)"
	@touch $@

$(READY): $(TOOLS) requirements/leadgate.lock pyproject.toml
	@$(INSTALL) product $(VENV)
	@touch $@

$(BENCH_READY): $(TOOLS) requirements/bench.lock
	@$(INSTALL) peers $(VENV) $(BENCH_VENV)
	@touch $@
