# The course's commands, for who has make: each calls course.py, so there is one way.
# `make` alone lists them. Works with GNU make 3.81 (macOS) and newer.
START := $(firstword $(foreach p,python3 python python3.13 python3.12 python3.11,\
           $(if $(shell command -v $(p) 2>/dev/null),$(p))) "$(PYTHON)")
RUN = @$(START) course.py $@ $(if $(PYTHON),--python "$(PYTHON)")
CHAPTERS = $(if $(CH),--chapters "$(CH)")

.PHONY: help lab test check progress review quiz explainer doctor bench setup build new-chapter survey lock clean
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "CH=01,03 picks chapters, PORT=8899 the port of make lab, PYTHON=... the Python of .venv,"
	@echo "ARGS=... goes on to the program. Without make: python course.py"

lab:  ## set up, then open your copy of the chapters in JupyterLab
	$(RUN) $(CHAPTERS) $(if $(PORT),--port "$(PORT)") $(ARGS)

test:  ## set up, then run every test and every notebook
	$(RUN) $(CHAPTERS) $(ARGS)

check:  ## check what you wrote in an editor, work/mine/: CH=05, ARGS=--watch
	$(RUN) $(CHAPTERS) $(ARGS)

progress:  ## show which exercises you have solved
	$(RUN)

review:  ## ask again, after a while, what you have solved
	$(RUN)

quiz:  ## write the quiz "Which mistake is it?" as one page, build/quiz.html
	$(RUN) $(ARGS)

explainer:  ## write the Vision Transformer that runs in a page, build/vit-explainer.html
	$(RUN) $(ARGS)

doctor:  ## check this machine and the install; paste this into a bug report
	$(RUN)

bench:  ## measure this course's code beside what people would pick instead: ARGS="--only Swin"
	$(RUN) $(ARGS)

setup:  ## only set up
	$(RUN)

build:  ## authors: make the notebooks from chapters/*.md
	$(RUN) $(CHAPTERS) $(ARGS)

new-chapter:  ## authors: start the chapter CH=04 of survey.toml
	$(RUN) $(or $(CH),$(error name the chapter: make new-chapter CH=04))

survey:  ## authors: rewrite the pages made from survey.toml
	$(RUN)

lock:  ## authors: rewrite requirements.lock from pyproject.toml (newest: ARGS=--upgrade)
	$(RUN) $(ARGS)

clean:  ## remove caches and build/, never work/ or .venv/
	$(RUN)
