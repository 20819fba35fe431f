# What a person types. Everything is installed into .tools/, pinned and with hashes; nothing outside changes.

.DEFAULT_GOAL := help
.PHONY: help demo local test quick schemas verify tools lock clean

UV   := .tools/uv/bin/uv
DEV  := .tools/dev/bin
LOCK := local/requirements

# uv's downloads stay in here too, and it uses the Python that is there.
export UV_CACHE_DIR := $(CURDIR)/.tools/uv-cache
export UV_PYTHON_DOWNLOADS := never

help: ## This list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1 \2/p' $(MAKEFILE_LIST) | \
	  while read -r name text; do printf '  make %-7s %s\n' "$$name" "$$text"; done

demo: tools ## From an EC2 change to a message, on this machine
	@$(DEV)/python -m local.demo

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

# Seconds for each of the two fuzz targets.
FUZZ_SECONDS ?= 1800

# What fuzzing finds new stays in .tools/fuzz; what is worth keeping goes to fuzz/corpus by hand, for `tests/replay.rs`.
verify: .tools/cargo/.installed ## Long checks: an hour of fuzzing (FUZZ_SECONDS is for each half), mutation testing
	mkdir -p .tools/fuzz/payload_to_scope .tools/fuzz/findings_to_message
	cargo +nightly fuzz run --target-dir target/fuzz payload_to_scope .tools/fuzz/payload_to_scope \
	  fuzz/corpus/payload_to_scope events -- -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -print_final_stats=1
	cargo +nightly fuzz run --target-dir target/fuzz findings_to_message .tools/fuzz/findings_to_message \
	  fuzz/corpus/findings_to_message -- -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -len_control=0 \
	  -print_final_stats=1
	cargo mutants --jobs 2 --output .tools

verify: export PATH := $(CURDIR)/.tools/cargo/bin:$(PATH)

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
	for name in uv cloud custodian dev; do \
	  $(UV) pip compile --quiet --upgrade --universal --python-version 3.10.2 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command 'make lock' --output-file $(LOCK)/$$name.txt $(LOCK)/$$name.in; \
	done

clean: ## Removes what was installed and built
	rm -rf .tools .aws-sam target
