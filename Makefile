# `make up` serves the site, `make demo` does the main job without a browser, `make test` tests.
# Everything is installed into .venv and node_modules of this folder; no root, no server needed.

# The first that really runs and is new enough: version managers leave names that don't run.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes

.PHONY: help up demo test lint assets lock gpu licences mongo-server screenshots clean

help:
	@echo "make up          the site on http://127.0.0.1:8000 (Ctrl-C stops it)"
	@echo "make demo        teacher data -> training -> MD -> RDF, without a browser"
	@echo "make test        every test; says which ones miss a program of the system"
	@echo "make gpu         what the engine needs to run on an NVIDIA GPU of this machine"
	@echo "make lint        ruff, mypy, import-linter, migrations, deployment checks"
	@echo "make screenshots pictures of the running demo site for the documentation"

.venv/bin/python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed and $(or $(PYTHON),none) was found. Install it, or run: make PYTHON=/path/to/python3.12 up"; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "The venv module is missing. On Debian/Ubuntu: apt-get install python3-venv"; exit 1; }

.venv/.installed: requirements.lock | .venv/bin/python
	@echo "Installing the locked dependencies into .venv"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@echo "Installing what the tests need into .venv"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-dev.lock
	@touch $@

node_modules/.installed: package.json package-lock.json | .venv/.installed
	@echo "Installing the front-end packages"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

static/vendor/.installed: node_modules/.installed
	@$(BIN)/python manage.py collect_vendor
	@touch $@

assets: static/vendor/.installed

up: .venv/.installed assets
	@exec $(BIN)/python manage.py up

demo: .venv/.installed assets
	@$(BIN)/python manage.py demo

# A file is the unit that is handed out: its servers and trained potentials are made once.
WORKERS ?= 2
test: .venv/.installed-dev assets
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: .venv/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@MLMD_HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING

# FerretDB, which speaks the MongoDB protocol, for the tests of the document store.
mongo-server: tests/mongo_server/mongo-server

tests/mongo_server/mongo-server: tests/mongo_server/main.go tests/mongo_server/go.mod tests/mongo_server/go.sum
	@cd tests/mongo_server && go build -o mongo-server .

# Some 300 MB: only for machines with a GPU.
gpu: .venv/.installed
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-gpu.lock

licences: .venv/.installed-dev
	@$(BIN)/python -m pytest tests/portal/test_licences.py

lock:
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --no-header requirements-dev.in -o requirements-dev.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --no-header -c requirements-dev.lock requirements.in -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --no-header -c requirements.lock containers/mlmd.in -o containers/mlmd.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --no-header -c requirements.lock requirements-gpu.in -o requirements-gpu.lock

screenshots: .venv/.installed-dev assets
	@$(BIN)/python docs/screenshots.py

clean:
	rm -rf var demo-output static/vendor node_modules .venv
