# Octopus Cards. `make` alone lists the targets.
# CARGO_TARGET_DIR and the OCTOPUS_… settings of the caller are honoured.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# What the playground is built from; anything newer than the built page builds it again.
playground_sources := $(shell find playground -type f \
	-not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: deps-run playground/dist/index.html ## Build and serve the sandbox at http://localhost:8080
	@cargo build --release --locked --bin octopus
	@OCTOPUS_ENV="$${OCTOPUS_ENV:-sandbox}" exec cargo run --quiet --release --locked --bin octopus -- serve

.PHONY: build
build: deps-run playground/dist/index.html ## The release binary `octopus`, playground inside
	@cargo build --release --locked --bin octopus

.PHONY: check
check: ## The inner loop: format, lints, types, spelling; seconds when warm
	@scripts/check

.PHONY: test
test: deps ## Everything a fresh machine needs, then the whole suite on both databases
	@scripts/test

.PHONY: soak
soak: deps playground/dist/index.html ## The long proofs: every seed of every fault, and that sown bugs are caught
	@scripts/soak

.PHONY: bench
bench: deps-run playground/dist/index.html ## Measure the main job beside pgbench and write benches/REPORT.md
	@scripts/with-postgres --durable cargo bench --quiet --locked --bench main_job | tee benches/REPORT.md

.PHONY: deps
deps: ## Install what is missing to build and test (apt, only when something lacks)
	@scripts/deps test

.PHONY: deps-run
deps-run:
	@scripts/deps build

.PHONY: docs
docs: playground judges ## Write docs/ again from the contract and a running server; a test tells when due
	@OCTOPUS_WRITE_DOCS=1 cargo test --quiet --locked --test it -- reference examples browser --skip ::postgres

.PHONY: playground
playground: playground/dist/index.html ## The web page that the binary serves at /

# The npm projects that judge the server from outside; the tests start them.
judges := $(patsubst %/package-lock.json,%,$(wildcard tests/*/package-lock.json))

.PHONY: judges
judges: $(judges:%=%/node_modules/.package-lock.json) ## Install the npm programs that the tests start

%/node_modules/.package-lock.json: %/package-lock.json
	@cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

playground/dist/index.html: playground/node_modules/.package-lock.json $(playground_sources)
	@cd playground && npm run --silent build
	@touch build.rs $@
