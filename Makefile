# Only Python 3.11+, pip and make are needed: everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements.lock benchmarks/peers/requirements.lock .ci/audit.lock
AUDITOR := $(VENV)/audit/bin/pip-audit
AUDIT = $(BIN)/python .ci/audit.py --tool $(AUDITOR)

# The tests begin some hundred processes, of which each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check audit format lock generated bench bench-quick bench-soak soak clean

run: $(STAMP)
	$(BIN)/xinqiao demo

# A file's tests stay together: they share servers. Four at a time, however few cores there are: many of them wait.
test: $(STAMP)
	$(BIN)/pytest --numprocesses 4 --dist loadfile

check: $(STAMP) $(AUDITOR)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(AUDIT) --where-reachable $(LOCKS)

# Known advisories about what is locked. Fails where nothing could be looked up; `check` says so, and goes on.
audit: $(STAMP) $(AUDITOR)
	$(AUDIT) $(LOCKS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The files that commands write and review should see: both schemas and the manifests' JSON Schema.
generated: $(STAMP)
	$(BIN)/xinqiao sdl > schema/schema.graphql
	$(BIN)/xinqiao sdl --admin > gateway/admin/schema.graphql
	$(BIN)/xinqiao check --json-schema > connectors/manifest.schema.json

# A hundred agencies of which twenty fail at random, for SOAK seconds.
SOAK ?= 600
soak: $(STAMP)
	SOAK=$(SOAK) $(BIN)/pytest tests/faults/test_many_agencies.py

# What the gateway costs (benchmarks/README.md): twenty minutes, or two; the soak by itself, SOAK seconds.
bench: $(STAMP)
	$(BIN)/python -m benchmarks

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks --quick

bench-soak: $(STAMP)
	$(BIN)/python -m benchmarks soak --soak $(SOAK)

lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade --all-extras \
		--python-version 3.11 --group dev --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade --python-version 3.11 \
		--custom-compile-command "make lock" benchmarks/peers/requirements.in -o benchmarks/peers/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade --python-version 3.11 \
		--custom-compile-command "make lock" .ci/audit.in -o .ci/audit.lock

# In an environment of its own: the tool brings two dozen packages that nothing else needs.
$(AUDITOR): .ci/audit.lock $(STAMP)
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .ci/audit.lock
	touch $(AUDITOR)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
