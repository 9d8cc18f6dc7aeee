# Everything is made inside this folder: Python packages in .venv, the pages in gateway/static, data in data/.
# A stamp file (.venv/.something) stands for a step that is done, so that a second `make` starts at once.
# All paths are relative: make cannot name a file with a space, and this folder may lie in one.

# Without its compiled modules each start of the gateway takes half a second longer, and tests start it a hundred times.
unexport PYTHONDONTWRITEBYTECODE

PIP := .venv/bin/python -m pip install -qq --disable-pip-version-check
PYTEST := .venv/bin/python -m pytest
# Tests wait for two seconds of three: tests/shares.py sees that what listens, what looks and what computes run beside each
# other. More make sound late on two cores, and fewer leave them idle: docs/decisions/0154-what-runs-beside-what.md.
WORKERS := 4
# A file's tests stay together, in the order in which they were collected.
SHARED := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
TEST_PACKAGES := baresip-core linphone-cli libopus0 sip-tester chromium fonts-wqy-microhei postgresql tshark kamailio kamailio-tls-modules rtpengine-daemon systemd
# What the targets for longer runs give pytest: one at a time, with time to spare.
LONG := --long --timeout 7200 -p no:xdist

ifneq ($(wildcard web/package.json),)
PAGES := gateway/static/.built
PAGES_CHECKED := web/node_modules/.checked
PAGE_SOURCES := $(shell find web -type f -not -path '*/node_modules/*')
endif

# An environment whose Python has gone (the machine's was renewed) is made anew.
ifneq ($(wildcard .venv/.made),)
ifneq ($(shell .venv/bin/python -c 'print("works")' 2>/dev/null),works)
.PHONY: .venv/.made
endif
endif

.NOTPARALLEL:
.PHONY: help setup run test check format lock bench screens languages lighthouse channel chaos soak fuzz clean system-packages

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F '|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: .venv/.project $(PAGES) ## the environment, the command .venv/bin/yihao, the pages

run: setup .venv/.dial .venv/.sound ## set up and answer: ARGS="--set http.port=9000" is passed on
	@exec .venv/bin/yihao up --data data $(ARGS)

test: system-packages setup .venv/.dev .venv/.dial check ## set up, check, and run the tests
	$(PYTEST) $(SHARED) $(ARGS) || tools/again

check: .venv/.project .venv/.dev $(PAGES) $(PAGES_CHECKED) ## lint, format, types, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/lint-imports

format: .venv/.dev ## put the code into form
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

lock: .venv/.dev ## take changed dependencies into requirements/; ARGS=--upgrade renews all
	tools/lock $(ARGS)

bench: .venv/.project .venv/.dev .venv/.dial ## every benchmark in short, or one: NAME=queue
	@$(MAKE) -s .venv/.peers || echo "Other programs could not be installed: what is measured beside them stands alone."
	@tools/bench $(NAME) $(ARGS)

screens: TEST_PACKAGES += pngquant
screens: system-packages setup .venv/.dev .venv/.dial ## take the pictures of docs/screens, every look of every page
	$(PYTEST) --screens --timeout 600 -p no:xdist $(ARGS)

languages: system-packages setup .venv/.dev .venv/.dial ## the tests that look at pages, each in Chinese and in English
	$(PYTEST) --language zh $(SHARED) $(ARGS) || tools/again --language zh
	$(PYTEST) --language en $(SHARED) $(ARGS) || tools/again --language en

lighthouse: system-packages setup .venv/.dev tools/lighthouse/node_modules/.installed ## have Lighthouse judge the citizen's page, and a site that hosts it
	$(PYTEST) $(LONG) -m lighthouse -s $(ARGS)

chaos: setup .venv/.dev .venv/.dial ## kill gateways and stores a hundred times
	$(PYTEST) $(LONG) -m chaos $(ARGS)

soak: setup .venv/.dev .venv/.dial ## run for long under load, watch for leaks
	$(PYTEST) $(LONG) -m soak -s $(ARGS)

fuzz: setup .venv/.dev ## throw made-up input at every parser
	$(PYTEST) $(LONG) -m fuzz $(ARGS)

channel: .venv/.project .venv/.dev ## begin a channel: NAME=parcels; docs/add-a-channel.md says the rest
	@.venv/bin/python tools/new_channel.py $(NAME)

clean: ## remove what was made here, but never data/
	rm -rf .venv gateway/static web/node_modules tools/lighthouse/node_modules build *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-packages:
	@tools/system-packages $(TEST_PACKAGES)

.venv/.made: tools/make-venv
	@tools/make-venv
	@touch $@

.venv/.run: requirements/build.txt requirements/run.txt .venv/.made
	$(PIP) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@touch $@

.venv/.dev .venv/.dial .venv/.sound .venv/.web: .venv/.%: requirements/%.txt .venv/.run
	$(PIP) --require-hashes -r $<
	@touch $@

# Programs that benchmarks measure ours against, in an environment of their own: their needs are not ours.
.venv/.peers: requirements/peers.txt .venv/.made
	.venv/bin/python -m venv .venv/peers
	.venv/peers/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Each room's __init__.py: an editable install knows the top-level packages that there were when it was made.
.venv/.project: pyproject.toml .venv/.run $(wildcard */__init__.py)
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

web/node_modules/.installed: web/package-lock.json web/package.json | .venv/.run
	tools/npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# A lock of its own: it is larger than all that the pages are made with. tools/npm works in web/.
tools/lighthouse/node_modules/.installed: tools/lighthouse/package-lock.json tools/lighthouse/package.json | .venv/.run
	tools/npm --prefix ../tools/lighthouse ci --no-audit --no-fund --loglevel=error
	@touch $@

gateway/static/.built: web/node_modules/.installed $(PAGE_SOURCES)
	tools/npm run --silent build
	@touch $@

# Their types and tests take longer than all other checks together: again only where they have changed.
web/node_modules/.checked: gateway/static/.built
	tools/npm run --silent check
	@touch $@
