# Everything one does here. Needs python3 (3.11 or newer) and make; the rest is fetched into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo run worker migrate migration release test check exam fix openapi lint-openapi lives fuzz mutants bench plans conformance drill rolling rotating night lock clean

READY := .venv/.ready
BIN := .venv/bin
UV_COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes \
	--no-emit-index-url --python-version 3.11 --quiet

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock scripts/bootstrap.py
	python3 scripts/bootstrap.py
	@touch $@

demo: $(READY) ## Play the whole story over HTTP, then keep serving; Ctrl-C stops all of it
	$(BIN)/python -m demo

run: $(READY) ## Migrate, then serve web and worker on http://127.0.0.1:8000, or on port=…
	$(BIN)/python scripts/run.py $(if $(port),--port "$(port)")

worker: $(READY) ## Run one more job runner
	$(BIN)/tonghu worker

migrate: $(READY) ## Bring the database to this version's schema
	$(BIN)/tonghu migrate

migration: $(READY) ## Write the next schema revision: message="…", and fill=TABLE to change rows
	$(BIN)/tonghu revision "$(message)" $(if $(fill),--fill "$(fill)")

release: $(READY) ## Keep this version's backup and statements, for the tests of later ones
	$(BIN)/python -m scripts.keep_release

test: $(READY) ## Run the tests on a real PostgreSQL, without measuring coverage
	$(BIN)/pytest -q -n 2

check: $(READY) ## Run what CI runs
	$(BIN)/python scripts/check.py

lives: $(READY) ## Drive 100 random lives and see that no evidence, alert, report or duty is lost
	TONGHU_LIVES=100 $(BIN)/pytest -q -n 2 tests/lives

exam: $(READY) ## Run what takes longer than CI may: the long tests, lives, fuzz, bench, mutants
	$(BIN)/pytest -q -n 2 -m long
	TONGHU_MATRIX=whole $(BIN)/pytest -q -n 2 tests/matrix
	TONGHU_PARTED=1 $(BIN)/pytest -q -n 2
	$(MAKE) lives
	$(BIN)/python -m scripts.rotating 20 60
	$(MAKE) fuzz
	$(MAKE) bench
	$(MAKE) night
	$(MAKE) mutants

fix: $(READY) ## Format, and fix what can be fixed by machine
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

openapi: $(READY) ## Write openapi/v1.json and docs/roles.md from the code
	$(BIN)/python -m scripts.write_openapi
	$(BIN)/python -m scripts.write_roles

openapi/node_modules/.ready: openapi/package-lock.json
	cd openapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

lint-openapi: openapi/node_modules/.ready ## Lint openapi/v1.json with Spectral (needs npm)
	cd openapi && node_modules/.bin/spectral lint v1.json --fail-severity=hint

conformance/node_modules/.ready: conformance/package-lock.json
	cd conformance && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

conformance: $(READY) conformance/node_modules/.ready ## Have others' OAuth libraries, and a browser, sign in over HTTP (needs npm, chromium)
	$(BIN)/pytest -q tests/conformance

fuzz: $(READY) ## Run schemathesis against the running app, two districts as peers
	$(BIN)/python -m scripts.fuzz

mutants: $(READY) ## Put faults into the code and see that tests notice; ONLY=app/… or ONLY=clauses for some
	$(BIN)/python -m tests.mutants

bench: $(READY) ## Measure against a bare app that owes the same
	$(BIN)/python -m bench

plans: $(READY) ## Hold each statement to what it may read, on a million children; TONGHU_PLANS=50000 for fewer
	$(BIN)/python -m tests.plans

drill: $(READY) ## Back up, have an accident, restore to the minute, look, serve (docs/backup.md)
	$(BIN)/python -m scripts.drill

rolling: $(READY) ## Upgrade one process after another under load: no request may fail
	$(BIN)/python -m scripts.rolling

rotating: $(READY) ## Change every key under load: no request may fail (docs/changing-keys.md)
	$(BIN)/python -m scripts.rotating

night: $(READY) ## Let what may break by night break, and see which alert fires after how long (needs Prometheus)
	$(BIN)/python -m scripts.night

lock: $(READY) ## Resolve the dependencies of pyproject.toml anew
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) --extra otel -o requirements-otel.lock
	$(UV_COMPILE) --extra otel --group dev -o requirements-dev.lock

clean: ## Remove what was fetched and built; keeps .data
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis openapi/node_modules \
		conformance/node_modules
