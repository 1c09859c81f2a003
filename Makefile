# The commands of this project. Each makes .venv when it is not there; nothing else is needed but Python >= 3.11.
#
#   make demo                       the whole road on a laptop; the report's path is printed last
#   make demo TORCH_INDEX=URL       the same, with torch from another index (for instance a CPU-only one)
#   make test                       the tests
#   make test-all                   those that need a browser too; a skipped test fails
#   make bench                      every benchmark in benchmarks/, one after the other, with its small defaults
#                                   (not what learns: that asks for photographs)
#   make check                      style, types, directions of imports

PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/demo
TORCH_INDEX ?=

TORCH := $(shell grep '^torch==' constraints.txt)
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --no-input
LEARNING = benchmarks/examples.py benchmarks/lessons.py benchmarks/heads.py benchmarks/learning_%.py
LAXER = --allow-untyped-calls --no-warn-return-any --implicit-reexport
SECOND_TIER = browser or postgres or ray or compiler

.PHONY: demo test test-all bench check clean

demo: $(VENV)/.demo
	$(VENV)/bin/photogenic demo --run $(RUN)

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 -m "not ($(SECOND_TIER))"

test-all: $(VENV)/.all
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 --no-skips

bench: $(VENV)/.all
	@failed=""; for file in $(filter-out $(LEARNING),$(wildcard benchmarks/*.py)); do echo "== $$file"; \
	  OMP_NUM_THREADS=1 $(VENV)/bin/python $$file || failed="$$failed $$file"; done; \
	  if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy photogenic
	MYPYPATH=benchmarks:tests:tests/measures $(VENV)/bin/mypy $(LAXER) benchmarks/*.py
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.demo: EXTRAS = train,demo
$(VENV)/.dev: EXTRAS = train,demo,dev,s3
$(VENV)/.all: EXTRAS = train,trackers,eight-bit,demo,dev,s3,browser,postgres,ray

# Byte code is left to the first import: compiling all of torch would take longer than unpacking it.
$(VENV)/.demo $(VENV)/.dev $(VENV)/.all: pyproject.toml setup.py constraints.txt | $(VENV)
	@echo "Installing photogenic[$(EXTRAS)] into $(VENV), some minutes the first time"
	$(if $(TORCH_INDEX),$(PIP) install -q --no-compile --no-deps --index-url $(TORCH_INDEX) $(TORCH))
	$(PIP) install -q --no-compile -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "photogenic needs Python >= 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "This Python has no venv; on Debian or Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }
