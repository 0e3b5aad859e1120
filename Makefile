# `make` lists what there is. A newcomer needs two of them: `make run` and `make test`.
# Settings come from the shell, from .env, or from the command line (`make run PORT=9000`): README.md, Settings.

.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MANAGE = $(DEVELOPMENT) $(BIN)/python manage.py
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile
ROOMS := orchestrator tasks runs versioning agents

# A development server, unless the shell or .env says what DEBUG is.
DEVELOPMENT := $(if $(DEBUG)$(shell grep -sE '^(export +)?DEBUG *=' .env),,DEBUG=true)
# The empty values win over .env: a test never touches a database that somebody works with.
SQLITE := DATABASE_URL= DATABASE_PATH= DB_HOST= REDIS_URL= REDIS_ADDR=

# $(call install,FILE): what FILE pins, unless the copy of FILE in .venv says that it is there already.
define install
	@cmp -s $(1) $(VENV)/$(1) || { echo "Installing $(1) (once; a minute or two)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) && cp $(1) $(VENV)/; }
endef

.PHONY: help run run-cluster test test-sqlite test-browser test-postgres test-thread test-events lint format types bench lock vendor screenshots seed clean \
	install-backend install-dev setup-db db-upgrade dev-backend compose-up compose-down

help:  ## Lists the targets
	@sed -nE 's/^([a-z -]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

# --- use it ----------------------------------------------------------------------------------------------------------

# With a trap of its own the shell lets Ctrl-C through to the server, and make has nothing to complain about.
run: install-backend  ## Installs, migrates, seeds and serves; a second time it just starts
	@trap : INT; $(MANAGE) serve --prepare

run-cluster: install-dev  ## Two webs, three workers and a scheduler on Celery, with the servers that they need
	@trap : INT; $(DEVELOPMENT) $(BIN)/python -m tests.cluster

seed: install-backend  ## Makes the development org, its user and some work to look at
	@$(MANAGE) seed

setup-db db-upgrade: install-backend  ## Brings the database to the newest migration
	@$(MANAGE) migrate

dev-backend: install-backend  ## The server, restarted whenever a file changes
	@trap : INT; $(DEVELOPMENT) $(BIN)/python -m uvicorn orchestrator.asgi:application --reload \
		--host $(or $(HOST),127.0.0.1) --port $(or $(PORT),8000) --timeout-graceful-shutdown 1

compose-up:  ## Web, worker, scheduler, PostgreSQL and Redis in containers (SECRET_KEY must be set)
	docker compose up --build --detach

compose-down:  ## Stops the containers; their data stays
	docker compose down

# --- test it ---------------------------------------------------------------------------------------------------------

test: test-sqlite test-browser test-postgres  ## The whole suite on SQLite, in Chromium, on PostgreSQL and Redis; needs no server

test-sqlite: install-dev  ## The suite on SQLite, without what needs a browser
	$(SQLITE) $(PYTEST) -m "not browser"

test-browser: install-dev  ## The journeys of users, and every page by axe-core and html-validate, in Chromium
	$(SQLITE) $(PYTEST) -m browser tests/e2e tests/pages

test-postgres: install-dev  ## The suite on PostgreSQL and Redis: those of DATABASE_URL and REDIS_URL, else its own
	$(PYTEST) -p tests.servers

test-thread: install-dev  ## The steel thread: sign in, create a task, list it, health
	$(SQLITE) $(PYTEST) tests/contract/test_steel_thread.py orchestrator/identity orchestrator/api tasks

test-events: install-dev  ## The org's log and all streams
	$(SQLITE) $(PYTEST) orchestrator/events orchestrator/streams runs -k "event or stream or sse or hub or tail"

lint: install-dev  ## ruff, djlint and the import order
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m djlint --check --lint --quiet templates
	$(BIN)/lint-imports

format: install-dev  ## Lets ruff and djlint mend what they can
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(BIN)/python -m djlint --reformat --quiet templates

types: install-dev  ## mypy
	DEBUG=true $(BIN)/python -m mypy $(ROOMS)

screenshots: install-dev  ## Takes pictures of every page for docs/img
	$(BIN)/python -m tests.pages.screenshots

bench: install-dev  ## Measures the figures of docs/performance.md
	$(BIN)/python -m bench

# --- keep it ---------------------------------------------------------------------------------------------------------

install-backend: $(BIN)/pip
	$(call install,requirements.txt)

install-dev: $(BIN)/pip
	$(call install,requirements-dev.txt)
	@cp requirements.txt $(VENV)/

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

lock: install-dev  ## Pins requirements*.in in requirements*.txt, with hashes
	$(BIN)/uv pip compile --quiet $(LOCK) requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet $(LOCK) requirements-dev.in -o requirements-dev.txt
LOCK := --generate-hashes --no-emit-index-url --no-header --python-version 3.11

vendor:  ## Copies icons, base styles and checkers of pages from npm; only this needs npm
	npm ci --ignore-scripts
	node tests/vendor/build.mjs

clean:  ## Removes caches and what tests left; never data/ or .venv
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles test-results node_modules
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
