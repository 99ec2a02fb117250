# rstorigin: every task of a developer. "make" alone lists them.

# The Python to build the environment with, 3.11 or newer: export PYTHON=python3.12
PYTHON ?= python3
# More for pytest: make test PYTEST_ARGS="-k rulebook -x"
PYTEST_ARGS ?=

export PYTHON

BIN := .venv/bin
PLUGIN := plugins/rstorigin.lua

.DEFAULT_GOAL := help
# Targets share .venv and apt's lock: one after another, also with -j.
.NOTPARALLEL:
.PHONY: help setup setup-dev demo plugin docs test lint test-versions test-gui test-random fuzz pictures lab clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what rstorigin needs to run: tshark, and .venv with the rstorigin command
	@scripts/system-packages.sh run
	@scripts/venv.sh run

setup-dev: ## the same, and what tests and lint need
	@scripts/system-packages.sh run lua test lint
	@scripts/venv.sh dev

demo: setup plugin ## judge the resets of the example captures, from nothing
	$(BIN)/rstorigin summarize examples/first-five-minutes

plugin: setup ## write plugins/ anew from the rulebook
	$(BIN)/rstorigin plugin generate

docs: setup-dev ## write share/ and the generated parts of docs/ and README.md anew
	sed -i '/^<!-- written by/q' docs/observables.md && echo >> docs/observables.md
	$(BIN)/rstorigin rules observables --format markdown >> docs/observables.md
	printf '\n## ICMP errors\n\n%s\n\n' \
	    'What the condition of an `[[icmp]]` entry can ask for; the *probe* is the packet that an error rejects and quotes.' \
	    >> docs/observables.md
	$(BIN)/rstorigin rules observables --icmp --format markdown >> docs/observables.md
	$(BIN)/python -m generator.output_docs .
	$(BIN)/python -m generator.device_docs .
	PYTHONPATH=.:tests $(BIN)/python tests/docs/quoted_output.py
	$(BIN)/python tests/docs/method_picture.py
	$(BIN)/python scripts/command_line_files.py .
	$(BIN)/python -m postproc.cli.reference > docs/reference.md

test: ## run the tests, on the Wireshark that is installed
	@scripts/system-packages.sh run lua test
	@scripts/venv.sh dev
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: ## check style, types and who imports whom, Python and Lua
	@scripts/system-packages.sh python lua lint
	@scripts/venv.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	luac5.2 -p $(PLUGIN)
	luac5.4 -p $(PLUGIN)
	luacheck plugins

test-gui: ## run the tests that drive Wireshark's window, and those that open reports in Chromium
	@scripts/system-packages.sh run gui
	@scripts/venv.sh dev
	$(BIN)/python -m pytest -m gui tests/engines/test_gui.py tests/case_report/test_browser.py $(PYTEST_ARGS)

pictures: ## make the pictures in docs/pictures anew; look at them
	@scripts/system-packages.sh run gui
	@scripts/venv.sh dev
	PYTHONPATH=.:tests $(BIN)/python tests/docs/pictures.py docs/pictures

# Status 77 says: cannot be had on this machine, and the script has told why.
test-versions: ## run the tests that compare Wireshark 4.0, 4.4 and 4.6 (needs root, or sudo)
	@scripts/system-packages.sh run lua
	@scripts/venv.sh dev
	@status=0; scripts/wireshark-versions.sh || status=$$?; \
	case $$status in \
	0) echo "$(BIN)/python -m pytest -n auto -m versions $(PYTEST_ARGS)"; \
	   $(BIN)/python -m pytest -n auto -m versions $(PYTEST_ARGS) ;; \
	77) echo "test-versions: SKIPPED, for the reason above" ;; \
	*) exit $$status ;; \
	esac

test-random: ## compare both engines on many more random captures than test does
	@scripts/system-packages.sh run lua
	@scripts/venv.sh dev
	HYPOTHESIS_PROFILE=more $(BIN)/python -m pytest -n auto tests/engines/test_parity_random.py $(PYTEST_ARGS)

# How long, and more for tests/fuzz: make fuzz FUZZ_SECONDS=600 FUZZ_ARGS="--only differential --seed 7"
FUZZ_SECONDS ?= 300
FUZZ_ARGS ?=

fuzz: ## look for inputs that crash a reader, or on which tshark, the fast path and the plugin differ
	@scripts/system-packages.sh run lua
	@scripts/venv.sh dev
	PYTHONPATH=.:tests $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_ARGS)

# Other paths and scenarios: make lab LAB_ARGS="--seed 4 7 --scenario reject-syn-middle" (python -m tests.lab --list)
LAB_ARGS ?= --seed 1
LAB_OUT ?= build/lab

lab: ## make captures whose truth is known, in network namespaces (root, or a user who may have them)
	@scripts/system-packages.sh python
	@tests/lab/packages.sh
	$(PYTHON) -m tests.lab --out $(LAB_OUT) $(LAB_ARGS)

clean: ## remove .venv, caches and build results (not the Wiresharks of test-versions)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .luacheckcache
	find bench generator heuristics postproc tests -name __pycache__ -type d -prune -exec rm -rf {} +
