# `make` lists what can be made.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
NPM ?= npm
# Where results count, the lock file is taken as it is.
LOCKED := $(if $(CI),--locked)
# `cargo test` alone ignores, with the reason, what needs more than Rust. The mocks are run by tests/clients/assistant.
ALL_TESTS := -- --include-ignored --skip assistant::mocks
CARGO_DENY := 0.20.2

# npm ci takes the lock file's versions; no package may run code of its own while it is installed.
NPM_CI := $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
BETTER_AUTH := tests/clients/better-auth
SCHEMA_TOOLS := tests/clients/schema
SCHEMATHESIS := target/schemathesis
PACKAGES := clients
PACKAGES_TEST := tests/clients/packages
PACKAGES_SOURCES := $(shell find $(PACKAGES) -type f -not -path '*/node_modules/*' -not -path '*/dist/*')
PAGES := web/chat web/graphiql
# The chat is built on the client package and the one for assistant-ui.
PAGE_SOURCES := $(shell find web $(PACKAGES)/client/src $(PACKAGES)/assistant-ui/src -type f -not -path '*/node_modules/*' -not -path '*/dist/*')

.PHONY: help run test api chaos measure measure-page screenshots hostile fuzz bench bench-growth bench-search instructions web schema release-schema configuration fmt lint audit client-tools clients example-nextjs clean
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The debug profile: a first run then waits a few minutes less, and the server is quick enough for one person.
run: ## start a development server, with its pages if Node is there
	@if ! command -v $(NPM) >/dev/null; then \
	  echo 'npm was not found: the server will be without its pages'; \
	elif ! $(MAKE) --no-print-directory web; then \
	  echo 'the pages could not be built: the server will be without them, or with the last ones'; \
	fi
	$(CARGO) run $(LOCKED) -- serve --dev $(ARGS)

test: web lint audit $(BETTER_AUTH)/node_modules/.package-lock.json ## everything: style, licences, tests on both databases, clients against the real server
	scripts/with-postgres $(CARGO) test $(LOCKED) --workspace --no-fail-fast $(ALL_TESTS)
	$(MAKE) --no-print-directory instructions
	$(MAKE) --no-print-directory chaos ARGS='--seconds 20'
	$(MAKE) --no-print-directory chaos ARGS='--seconds 10 --sqlite'
	$(MAKE) --no-print-directory --jobs=4 client-tools
	$(MAKE) --no-print-directory clients

api: web $(BETTER_AUTH)/node_modules/.package-lock.json ## the API's tests, those with PostgreSQL too; ARGS='tree:: --nocapture' chooses
	scripts/with-postgres $(CARGO) test $(LOCKED) --test api $(ALL_TESTS) $(ARGS)

# --only takes kill, freeze, renew, restart, outage, long-outage, black-hole, latency and fail-over.
chaos: ## break servers and the database under load, and check every promise; ARGS='--seconds 600 --seed 7 --only fail-over,kill', ARGS=--sqlite
	scripts/with-postgres --durable $(CARGO) test $(LOCKED) --test chaos -- $(ARGS)

measure: ## tell what 1,000 idle readers and 200 replies at once cost a server
	scripts/with-postgres --durable $(CARGO) test $(LOCKED) --release --test chaos -- measure

# CHAOS_SERVER names another build of the server, for figures side by side.
hostile: ## fail if hostile clients cost the others too much; ARGS='--seconds 120 --sqlite --ratio 2 --only "token storms,snippets"'
	scripts/with-postgres --durable $(CARGO) test $(LOCKED) --release --test chaos -- hostile $(ARGS)

measure-page: tests/clients/node_modules/.package-lock.json web ## tell what the chat page costs a browser; ARGS=--record writes docs/performance.md
	$(CARGO) build $(LOCKED) --release
	chromium=$$(scripts/browser chromium) && CHROMIUM=$$chromium node tests/clients/chat/measure.mjs --binary target/release/causerie $(ARGS)

screenshots: tests/clients/node_modules/.package-lock.json web ## take pictures of every view of the chat page into target/screenshots; ARGS=--record takes the README's anew
	$(CARGO) build $(LOCKED)
	chromium=$$(scripts/browser chromium) && CHROMIUM=$$chromium node tests/clients/chat/screenshots.mjs --binary target/debug/causerie $(ARGS) target/screenshots

# It stops at the first input that breaks a promise, and keeps it in fuzz/artifacts. What it learns stays beside the
# committed corpus.
fuzz: ## look for inputs that break promises: TARGET=cursor, query_guard, sse or token; needs nightly Rust and cargo-fuzz
	mkdir -p fuzz/target/corpus/$(TARGET)
	$(CARGO) +nightly fuzz run $(TARGET) fuzz/target/corpus/$(TARGET) fuzz/corpus/$(TARGET) $(ARGS)

# Its clusters write to the disk, and have memory as a small server has. BENCH_SERVER names another build of the server.
BENCH = scripts/with-postgres --durable --set shared_buffers=512MB --set max_wal_size=4GB python3 benches/compare
bench: ## compare the server with one written by hand, on both databases, in 10 minutes; ARGS='--only requests --database postgres'
	$(BENCH) $(ARGS)

bench-growth: ## tell whether a request costs more among more messages; MESSAGES='1000 100000 10000000'
	$(BENCH) --growth $(or $(MESSAGES),1000 100000) $(ARGS)

bench-search: ## measure a search among a million messages of others, on both databases
	scripts/with-postgres $(CARGO) bench $(LOCKED) --bench search

instructions: ## fail if a request or a word takes more instructions than recorded; ARGS=record, PROFILE=--release
	@command -v valgrind >/dev/null || scripts/install-package valgrind
	$(CARGO) test $(LOCKED) $(PROFILE) --test instructions -- $(ARGS)

web: $(PAGES:=/dist/index.html) ## bundle the chat page and GraphiQL; the next build of the server takes them in

$(PAGES:=/dist/index.html): %/dist/index.html: %/node_modules/.package-lock.json $(PAGE_SOURCES)
	cd $* && node build.mjs

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	cd $* && $(NPM_CI)
	@touch $@

# No package may run code of its own while it is installed: only what was built before is taken.
$(SCHEMATHESIS)/installed: tests/clients/rest/requirements.txt
	scripts/python-venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	@touch $@

# The packages as npm would publish them, in an app that has nothing else but the libraries that they are for.
$(PACKAGES_TEST)/node_modules/@causerie/installed: $(PACKAGES)/node_modules/.package-lock.json $(PACKAGES_TEST)/node_modules/.package-lock.json $(PACKAGES_SOURCES)
	cd $(PACKAGES) && node_modules/.bin/tsc --build
	rm -rf target/packages && mkdir -p target/packages
	cd $(PACKAGES) && $(NPM) pack --workspaces --pack-destination ../target/packages --loglevel=error
	rm -rf $(PACKAGES_TEST)/node_modules/@causerie
	cd $(PACKAGES_TEST) && $(NPM) install --no-save --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error ../../../target/packages/*.tgz
	@touch $@

EXAMPLE := examples/nextjs
$(EXAMPLE)/node_modules/@causerie/installed: $(PACKAGES_TEST)/node_modules/@causerie/installed $(EXAMPLE)/node_modules/.package-lock.json
	rm -rf $(EXAMPLE)/node_modules/@causerie
	cd $(EXAMPLE) && $(NPM) install --no-save --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error \
	  ../../target/packages/causerie-client-*.tgz ../../target/packages/causerie-assistant-ui-*.tgz
	@touch $@

example-nextjs: $(EXAMPLE)/node_modules/@causerie/installed ## run the example with Next.js and Better Auth; examples/nextjs/README.md tells how to run the server
	cd $(EXAMPLE) && NEXT_TELEMETRY_DISABLED=1 $(NPM) run dev

# Writes what a command prints; the file stays as it is when the server cannot be built.
WRITE = new=$$(mktemp) && trap "rm -f $$new" EXIT && $(CARGO) run $(LOCKED) --quiet -- $@ > $$new && cat $$new >

schema: ## write schema.graphql anew from the code
	$(WRITE) schema.graphql

# Run it with each release, and commit what it writes.
release-schema: ## make the schema as it is now the one that later changes must not break
	cp schema.graphql schema.released.graphql

configuration: ## write docs/configuration.md anew from the code
	$(WRITE) docs/configuration.md

fmt: ## format the Rust code
	$(CARGO) fmt --all
	cd benches && $(CARGO) fmt --all

lint: $(PAGES:=/node_modules/.package-lock.json) $(PACKAGES)/node_modules/.package-lock.json ## check formatting, clippy's lints, and the types of the pages and the packages
	$(CARGO) fmt --all --check
	cd benches && $(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets --test chaos --test instructions -- -D warnings
	for page in $(PAGES); do (cd $$page && node_modules/.bin/tsc) || exit; done
	cd $(PACKAGES) && node_modules/.bin/tsc --build

audit: ## check the licences, sources and known faults of what is linked in
	@scripts/audit $(CARGO_DENY)

# What they need is mostly waited for: `make test` installs it side by side.
client-tools: tests/clients/node_modules/.package-lock.json $(SCHEMA_TOOLS)/node_modules/.package-lock.json $(SCHEMATHESIS)/installed $(EXAMPLE)/node_modules/@causerie/installed

clients: client-tools web ## run GraphQL clients, the npm packages and a browser against the real server
	$(CARGO) build $(LOCKED)
	chromium=$$(scripts/browser chromium) && firefox=$$(scripts/browser firefox) && \
	  CHROMIUM=$$chromium FIREFOX=$$firefox scripts/with-postgres node tests/clients/run.mjs $(SUITES)

clean: ## remove everything that was built
	$(CARGO) clean
	rm -rf $(PAGES:=/node_modules) $(PAGES:=/dist/index.html) $(PAGES:=/dist/assets) tests/clients/node_modules \
	  $(BETTER_AUTH)/node_modules $(SCHEMA_TOOLS)/node_modules $(PACKAGES)/node_modules $(PACKAGES)/*/dist \
	  $(PACKAGES_TEST)/node_modules $(EXAMPLE)/node_modules $(EXAMPLE)/.next
