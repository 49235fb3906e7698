# make demo   sets everything up in .venv, then runs the main job on a real CT
# make desktop CT=...   opens the window
# make test   sets everything up, then passes the whole test suite (.ci/run calls exactly this)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Test processes. A file's tests stay together: they share what takes long to make.
WORKERS ?= 2
# One thread per process: several on few cores spin each other to death.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 0

.PHONY: demo desktop test lint bench clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/freetumor demo

desktop: $(VENV)/.ready
	$(BIN)/freetumor desktop $(CT)

lint: $(VENV)/.ready
	$(BIN)/ruff check FreeTumorSlicer Testing
	$(BIN)/ruff format --check FreeTumorSlicer Testing

test: lint
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --cov --cov-report=term

bench: $(VENV)/.ready
	$(BIN)/python Testing/benchmarks/synthesis.py

clean:
	rm -rf $(VENV) demo-output* .pytest_cache .ruff_cache .hypothesis .coverage*
