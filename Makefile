# Every target works by itself on a fresh machine with Python 3.11 or later: it makes .venv, installs
# what it needs from the lock and runs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
MUTANTS_STAMP := $(VENV)/.installed-mutants
AIRFLOW_VENV := .venv-airflow
AIRFLOW_STAMP := $(AIRFLOW_VENV)/.installed
EXECUTOR_VENV := .venv-executor
EXECUTOR_STAMP := $(EXECUTOR_VENV)/.installed

# What `make bench-speed` scores and preprocesses; OUT is where the figures go.
ROWS ?= 5000000
STAGE_ROWS ?= 10000000

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-cluster test-airflow check docs package audit bench-speed bench-growth bench-quality java mutants

help: ## every target in a line
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) \
	  | awk -F '\t' '{ printf "make %-13s %s\n", $$1, $$2 }'

install: $(STAMP) java ## .venv with adlib and everything that it needs, from the lock
	@echo "Installed: $(BIN)/adlib"

demo: $(STAMP) java ## make a table of traffic with planted incidents, find them and show them
	@rm -rf demo
	@$(BIN)/python -m adlib.demo

test: $(STAMP) java ## the tests: first those that need no Java, then those that do
	@$(BIN)/python -m pytest tests/unit tests/faults tests/browser; first=$$?; \
	$(BIN)/python -m pytest tests/spark tests/jobs tests/real; second=$$?; \
	[ $$first -eq 0 ] && [ $$second -eq 0 ]

test-cluster: $(STAMP) $(EXECUTOR_STAMP) java package ## kill jobs and parts of a standalone Spark cluster; hold every master to the same output
	@$(BIN)/python -m pytest tests/cluster

test-airflow: $(STAMP) $(AIRFLOW_STAMP) java ## the DAGs of jobs/dags in a real Airflow, in an environment of its own
	@$(BIN)/python -m pytest tests/airflow

check: $(STAMP) ## format, lint, types, import contracts, docstrings
	@failed=0; \
	run() { echo "== $$*"; "$(BIN)/$$@" || failed=1; }; \
	run ruff format --check .; \
	run ruff check .; \
	run mypy; \
	run lint-imports --no-logo; \
	run flake8 adlib jobs; \
	exit $$failed

docs: $(STAMP) ## the reference pages, made of the schema and of the outputs' columns
	@$(BIN)/python -m adlib.reference docs

package: $(STAMP) ## the wheel, the zip for --py-files, the Dockerfile checked, the list of parts (SBOM): all in dist
	@rm -rf dist build
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	@cp dist/adlib-*.whl dist/adlib.zip
	@$(BIN)/python release/parts.py dist/adlib.cdx.json
	@$(BIN)/python release/images.py conf/docker/Dockerfile
	@ls -sh dist

audit: $(STAMP) ## known holes in the locked packages, where an index of them can be reached
	@$(BIN)/python release/audit.py constraints.txt

bench-speed: $(BENCH_STAMP) java ## speed beside what a user would write: ROWS=5000000 STAGE_ROWS=10000000 OUT=file.json
	@$(BIN)/python tests/benchmarks/speed.py --rows $(ROWS) --stage-rows $(STAGE_ROWS) \
	  --out $(or $(OUT),.bench/speed.json)

bench-growth: $(BENCH_STAMP) java ## time and memory of scoring 1 to 50 million rows, planning of 100,000 files: OUT=file.json
	@$(BIN)/python tests/benchmarks/growth.py --out $(or $(OUT),.bench/growth.json)

bench-quality: $(BENCH_STAMP) ## how well detectors rank labelled tables, beside rivals: DATA=dir OUT=file.json
	@[ -n "$(DATA)" ] || { echo "Say where the tables are: make bench-quality DATA=dir" >&2; exit 2; }
	@$(BIN)/python tests/benchmarks/quality.py --data $(DATA) --out $(or $(OUT),.bench/quality.json)

mutants: $(MUTANTS_STAMP) ## change publishing, thresholds and artifacts here and there, and see whether a test notices
	@$(BIN)/mutmut run $(MUTANTS)
	@$(BIN)/mutmut results

java:
	@sh .ci/java

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "adlib needs Python 3.11 or later and $(PYTHON) is not: run make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { \
	  echo "Python cannot make $(VENV): run sudo apt-get install python3-venv, remove $(VENV) and try again." >&2; \
	  exit 1; }
	@echo "Installing into $(VENV) from constraints.txt (some minutes the first time)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(BENCH_STAMP): $(STAMP)
	@echo "Installing what the benchmarks measure beside, from constraints.txt."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

$(MUTANTS_STAMP): $(STAMP)
	@echo "Installing what changes the code and runs its tests, from constraints.txt."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	@touch $@

$(AIRFLOW_STAMP): jobs/dags/constraints.txt | $(STAMP)
	@echo "Installing Airflow into $(AIRFLOW_VENV) from jobs/dags/constraints.txt (a minute the first time)."
	@[ -x $(AIRFLOW_VENV)/bin/python ] || $(PYTHON) -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c jobs/dags/constraints.txt apache-airflow apache-airflow-providers-apache-spark
	@touch $@

$(EXECUTOR_STAMP): constraints.txt | $(STAMP)
	@echo "Installing what executors need, and no PyTorch, into $(EXECUTOR_VENV) from constraints.txt."
	@[ -x $(EXECUTOR_VENV)/bin/python ] || $(BIN)/python -m venv $(EXECUTOR_VENV)
	@$(EXECUTOR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt numpy pandas pyarrow
	@touch $@
