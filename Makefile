# make book     build the book into _build/html          make live      open the chapters in JupyterLab
# make test     lint, unit tests, chapters, pages        make refresh   execute the chapters in place (stored outputs)
# make check    lint, types, spelling, quick unit tests
# make lock     pins of all that requirements.txt brings make newest    quick tests with the newest versions allowed
# make fuzz     fuzz tests on inputs that differ each time
# make coverage lines of the library that its tests do not reach
# make assignments   notebooks for students and for the instructor, in _build/assignments
# make clean    remove everything that was built, the virtual environment included
# Each starts by setting up .venv (once: about two minutes, 1 GB).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
NEWEST := _build/newest
# Tests of the book, the pages and the packages, which say nothing about the library's lines; and fuzz tests.
BESIDE := access assess_chapter assignments book_structure course csp fuzz_command_line fuzz_library lock notation \
          packaging pages print quizzes same_kernels site slides structure
EXTRAS := book,cluster,assess,course,test
CHAPTERS = $(sort $(wildcard book/*.ipynb))
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Two processes run side by side here, one thread each: more threads than cores fight, at ten times the processor time.
book test check fuzz coverage newest refresh: export NUMBA_NUM_THREADS = 1
book test check fuzz coverage newest refresh: export OPENBLAS_NUM_THREADS = 1

.PHONY: help book test lint check fuzz coverage live refresh assignments clean setup javascript lock newest

help:
	@sed -n '1,9s/^# //p' Makefile

$(STAMP): requirements.txt requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: try 'make PYTHON=python3.12 ...'"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv and installing requirements.txt (once, about two minutes, 1 GB) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

setup: $(STAMP)

javascript: $(STAMP)
	@$(BIN)/python book/_tools/vendor.py

lint: $(STAMP)
	@echo "Lint, types, spelling ..."
	$(BIN)/ruff check mlipgen tests benchmarks book/_tools binder
	$(BIN)/ruff format --check mlipgen tests benchmarks book/_tools binder
	$(BIN)/mypy mlipgen
	$(BIN)/python -m codespell_lib

check: lint
	@echo "Quick unit tests (with the above under two minutes) ..."
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not browser and not slow"

fuzz: $(STAMP)
	FUZZ=fresh $(BIN)/python -m pytest -q -n 2 tests/test_fuzz_library.py tests/test_fuzz_command_line.py

coverage: export COVERAGE_FILE = $(CURDIR)/_build/coverage/data
coverage: $(STAMP)
	@echo "Tests of the library, those of pages and fuzz tests left out, under coverage (about half an hour) ..."
	@rm -rf _build/coverage && mkdir -p _build/coverage
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile -m "not browser" $(BESIDE:%=--ignore=tests/test_%.py)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

book: javascript
	@$(BIN)/python book/_tools/build.py

test: lint book
	@echo "Unit tests and the built pages in Chromium ..."
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@echo "Every chapter against its stored outputs (up to a minute a chapter) ..."
	$(if $(CHAPTERS),$(BIN)/python -m pytest --nbval-lax --nbval-current-env -n 2 --dist loadfile $(CHAPTERS),@echo "  no chapters yet")
	@echo "All tests passed."

live: $(STAMP)
	@echo "Opening JupyterLab on the chapters; stop it with Ctrl-C ..."
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) book

refresh: $(STAMP)
	@for chapter in $(CHAPTERS); do echo "executing $$chapter (up to a minute)"; \
	  $(BIN)/jupyter execute --inplace --timeout=900 $$chapter || exit 1; done

assignments: $(STAMP)
	@$(BIN)/python book/_tools/assignments.py

lock: $(STAMP)
	@echo "Resolving requirements.txt ..."
	@$(BIN)/python book/_tools/lock.py

newest:
	@echo "Setting up $(NEWEST) with the newest versions that pyproject.toml allows ..."
	@test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager -e ".[$(EXTRAS)]"
	@$(NEWEST)/bin/python -m pip list --disable-pip-version-check --format=freeze > $(NEWEST)/versions.txt
	@echo "Quick unit tests with them (versions in $(NEWEST)/versions.txt) ..."
	PATH="$(CURDIR)/$(NEWEST)/bin:$$PATH" $(NEWEST)/bin/python -m pytest -q -n 2 --dist loadfile -m "not browser and not slow"

clean:
	rm -rf $(VENV) _build .cache book/_static/js mlipgen.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
