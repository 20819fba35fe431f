# What a person types. Everything is installed into .tools/, pinned and with hashes; nothing outside changes.

.DEFAULT_GOAL := help
.PHONY: help demo demo-organization local test quick readme schemas verify bench tools lock clean

UV   := .tools/uv/bin/uv
DEV  := .tools/dev/bin
LOCK := local/requirements

# uv's downloads stay in here too, and it uses the Python that is there.
export UV_CACHE_DIR := $(CURDIR)/.tools/uv-cache
export UV_PYTHON_DOWNLOADS := never

help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1 \2/p' $(MAKEFILE_LIST) | \
	  while read -r name text; do printf '  make %-17s %s\n' "$$name" "$$text"; done

demo: tools ## From an EC2 change to a message, on this machine
	@$(DEV)/python -m local.demo

demo-organization: tools ## The same for an organization of five accounts in three Regions, with one hub
	@$(DEV)/python -m local.demo_organization

local: tools ## A local cloud that stays up, for `cargo lambda watch` and `cargo lambda invoke`
	@$(DEV)/python -m local.serve

# Each worker of pytest has its own local cloud. The tests wait more than they compute, so there are more workers than
# processors.
WORKERS ?= 4

test: tools ## All tests: Rust, Rust on the local cloud, the deployed template end to end
	cargo test
	$(DEV)/python -m local.run cargo test -- --ignored
	$(DEV)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15

quick: ## The tests of the pure part, in seconds
	cargo test --no-default-features

schemas: ## Writes the JSON Schemas in schemas/ from the types
	UPDATE_SCHEMAS=1 cargo test --no-default-features --lib the_schema_of

readme: ## Writes the table of checks in README.md from the list of checks
	UPDATE_README=1 cargo test --no-default-features --test readme

# `make verify PART=left` prints what is left; tests/verify.py names the parts. FUZZ_SECONDS is for each fuzz target,
# SOAK_RUNS for the soak test.
PART ?= all

verify: tools .tools/cargo/.installed ## Long checks, in parts: fuzzing, mutation testing, random tests, a benchmark, a soak test
	@python3 tests/verify.py $(PART)

verify: export PATH := $(CURDIR)/.tools/cargo/bin:$(PATH)

# `make bench PART=cold,sweep` runs some of the parts; bench/__main__.py names them. RUNS is how often each measurement is
# repeated.
bench: .tools/bench/.installed ## Measures the release binary, and prints the table of the README
	@.tools/bench/bin/python -m bench $(PART)

# --- Tools ------------------------------------------------------------------------------------------------------------

tools: .tools/cloud/.installed .tools/custodian/.installed .tools/dev/.installed ## Installs what the others need

.tools/uv/.installed: $(LOCK)/uv.txt
	@echo "Installing uv"
	@python3 -m venv --clear .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.tools/%/.installed: $(LOCK)/%.txt .tools/uv/.installed
	@echo "Installing $(LOCK)/$*.txt"
	@$(UV) venv --quiet --clear --python "$$(command -v python3)" .tools/$*
	@$(UV) pip sync --quiet --python .tools/$*/bin/python --require-hashes $<
	@touch $@

.tools/cargo/.installed: Makefile
	@echo "Installing cargo-fuzz and cargo-mutants"
	@cargo install --quiet --locked --root .tools/cargo cargo-fuzz --version 0.13.2
	@cargo install --quiet --locked --root .tools/cargo cargo-mutants --version 27.1.0
	@touch $@

lock: .tools/uv/.installed ## Pins anew what local/requirements/*.in ask for
	for name in uv cloud custodian dev bench; do \
	  $(UV) pip compile --quiet --upgrade --universal --python-version 3.10.2 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command 'make lock' --output-file $(LOCK)/$$name.txt $(LOCK)/$$name.in; \
	done

clean: ## Removes what was installed and built
	rm -rf .tools .aws-sam target
