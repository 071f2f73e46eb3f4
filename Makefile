# The commands of Знайка. `make run` and `make test` need Python 3.11, gcc, g++, cmake and make; they bring the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
MODEL ?=
ARGS ?=
ARCHIVE ?= $(firstword $(wildcard ../shared/data/kb/*.tar.xz))
FILES ?= 300
DATA ?= ../shared/data
SCENARIO ?=
MINUTES ?= 1
SECONDS ?= 300
HOURS ?= 0
SEED ?=
EXAMPLES ?= 5000

.PHONY: run test check format bench load crash fuzz evaluate examples docs lock audit clean help

run: ## install what is missing, start everything, answer a first question, stay up until Ctrl-C
	@sh scripts/setup.sh "$(PYTHON)" run
	@exec $(BIN)/znayka run $(if $(MODEL),--model $(MODEL))

test: ## the same set-up, then every test, with the real models
	@sh scripts/setup.sh "$(PYTHON)" test
	@$(BIN)/pytest $(ARGS)

check: ## formatting, lint, types, import rules, compose file, generated documents
	@sh scripts/setup.sh "$(PYTHON)" test
	@sh scripts/check.sh

format: ## rewrite the sources as `make check` wants them
	@sh scripts/setup.sh "$(PYTHON)" test
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: ## measure ingest, search and streaming on this machine; ARCHIVE=a tar of Markdown files, FILES=how many of them
	@sh scripts/setup.sh "$(PYTHON)" test
	@$(BIN)/python -m benchmarks.generation
	@$(if $(ARCHIVE),$(BIN)/python -m benchmarks.ingest $(ARCHIVE) --files $(FILES),echo "no ARCHIVE: the ratio of ingest is not measured")
	@$(BIN)/python -m benchmarks.service $(ARCHIVE) --files $(FILES)

load: ## a thousand questions at once, searches beside questions, slow clients; SCENARIO=soak MINUTES=60 for mixed use
	@sh scripts/setup.sh "$(PYTHON)" test
	@$(BIN)/python -m benchmarks.load $(if $(SCENARIO),--scenario $(SCENARIO)) --minutes $(MINUTES)

crash: ## upload, replace, delete, search and ask while processes are killed; SECONDS=300 or HOURS=8, SEED= replays a run
	@sh scripts/setup.sh "$(PYTHON)" test
	@$(BIN)/python -m tests.crasher --seconds $(SECONDS) --hours $(HOURS) $(if $(SEED),--seed $(SEED))

fuzz: ## damage files of each format at random and hold the readers to text or a reason; EXAMPLES=5000 of each, SEED= replays
	@sh scripts/setup.sh "$(PYTHON)" test
	@seed=$(or $(SEED),$$(date +%s)); echo "SEED=$$seed"; FUZZ_SEED=$$seed FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q \
		tests/test_ingest_fuzzing.py tests/test_ingest_fuzzing_pictures.py tests/test_ingest_fuzzing_office.py

evaluate: ## measure search, answers, refusals, citations, language, attacks; DATA=folder of the sets, ARGS="--limit 50"
	@sh scripts/setup.sh "$(PYTHON)" run
	@$(BIN)/znayka evaluate --data $(DATA) $(ARGS)

examples: ## make the example documents again from examples/source (needs LibreOffice)
	@$(BIN)/python scripts/make_examples.py

docs: ## write the table of settings into docs/configuration.md
	@$(BIN)/python scripts/settings_table.py --write

lock: ## lock pyproject.toml's packages with their hashes in requirements/; ARGS=--upgrade takes the newest versions
	@$(BIN)/python scripts/lock.py --write $(ARGS)

audit: ## look the locked packages up among known vulnerabilities; ARGS="--vulnerability-service pypi" asks the index
	@$(PYTHON) scripts/audit.py $(ARGS)

clean: ## remove the virtual environment and the tools' caches; documents and models stay
	@rm -rf $(VENV) .setup.lock build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile
