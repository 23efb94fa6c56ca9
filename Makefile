# The course's commands. `make` alone lists them. Works with GNU make 3.81 (macOS) and newer.
SHELL := /bin/bash
PY := .venv/bin/python
COURSE := $(PY) -m tutorial_lib
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
CHAPTERS := $(if $(CH),--chapters $(CH))

.PHONY: help lab test build new-chapter progress doctor survey lock clean
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "CH=01,03 picks chapters, PORT=8899 the port of make lab, ARGS=... goes on to the program."

lab: .venv/.ready  ## set up, then open your copy of the chapters in JupyterLab
	@$(COURSE) lab $(CHAPTERS) $(if $(PORT),--port $(PORT)) $(ARGS)

test: .venv/.ready  ## set up, then run every test and every notebook
	@$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile \
	    --nbval --nbval-current-env solutions tests $(CHAPTERS) $(ARGS)

build: .venv/.ready  ## authors: make the notebooks from chapters/*.md
	@$(COURSE) build $(CHAPTERS) $(ARGS)

new-chapter: .venv/.ready  ## authors: start the chapter CH=04 of survey.toml
	@$(COURSE) new-chapter $(or $(CH),$(error name the chapter: make new-chapter CH=04))

progress: .venv/.ready  ## show which exercises you have solved
	@$(COURSE) progress

doctor: .venv/.ready  ## check this machine and the install; paste this into a bug report
	@$(COURSE) doctor

survey: .venv/.ready  ## authors: rewrite the pages made from survey.toml
	@$(COURSE) survey

lock:  ## authors: rewrite requirements.lock from pyproject.toml (newest: ARGS=--upgrade)
	@$(ensure_venv)
	@$(PY) -m pip install -q uv
	@$(PY) -m uv pip compile --universal --python-version 3.11 pyproject.toml \
	    -o requirements.lock -q $(ARGS)

clean:  ## remove caches and build/, never work/ or .venv/
	@rm -rf build .pytest_cache .ruff_cache *.egg-info
	@find . -path ./.venv -prune -o -path ./work -prune -o -name __pycache__ -prune \
	    -exec rm -rf {} +

# A working .venv: kept if it runs, made anew by the first candidate that is Python 3.11 to 3.13.
define ensure_venv
if ! $(PY) -m pip --version >/dev/null 2>&1; then \
    for p in $(CANDIDATES); do \
        version=$$($$p -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) \
            || continue; \
        found="$$found $$p is $$version;"; \
        case $$version in 3.11|3.12|3.13) ;; *) continue;; esac; \
        if ! $$p -c 'import ensurepip, venv' 2>/dev/null; then \
            found="$$found it has no venv: install the package python$$version-venv;"; continue; \
        fi; \
        echo "Making .venv with $$p ($$version)"; \
        $$p -m venv --clear .venv && exit 0 || exit 1; \
    done; \
    echo "The course needs Python 3.11, 3.12 or 3.13. Tried $(CANDIDATES):$${found:- none is there.}"; \
    echo "Install one (https://www.python.org/downloads or your package manager), then name it:"; \
    echo "    make lab PYTHON=/path/to/python3.13"; \
    exit 1; \
fi
endef

# The stamp is written last, so an install that was cut off is taken up by the next make.
# Compiled bytecode saves seconds at each start of a notebook; files that cannot be compiled are
# other people's test data.
.venv/.ready: pyproject.toml requirements.lock
	@[ ! -L .venv ] || { echo ".venv is a link: installing would change the course it is of."; exit 1; }
	@$(ensure_venv)
	@echo "Installing the course into .venv; the first time this takes some minutes."
	@set -o pipefail; $(PY) -m pip install -c requirements.lock -e . 2>&1 \
	    | tee .venv/install.log \
	    | awk '/Downloading .* [MG]B\)/ || /^ERROR/ {print "  " $$0; fflush()} \
	           /^Installing coll/ {print "  unpacking"; fflush()}' \
	    || { tail -n 25 .venv/install.log; \
	         echo "The install failed (above, and .venv/install.log). make tries again."; exit 1; }
	@PYTHONDONTWRITEBYTECODE= $(PY) -m compileall -qq -j 0 .venv/lib >/dev/null 2>&1 || true
	@touch $@
