# make run [STUB=nbb-xor] [SEED=3]   one experiment with its contrasts, then its claims
# make test                          the whole test suite
PYTHON ?= python3
STUB ?= adding-problem
SEED ?= 0
VENV := .venv
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: run test clean

run: $(VENV)/ready
	$(VENV)/bin/python -m catalog run $(STUB) --seed $(SEED)

test: $(VENV)/ready-test
	$(VENV)/bin/python -m pytest -n auto

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
