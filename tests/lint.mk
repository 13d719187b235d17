# make lint: what the compiler does not know of our rules. make lint-selftest: each lint can fail.
LINT_OBJ := $(call obj,$(PRELOAD_SRC) $(PROTOCOL_SRC) $(EXPORTER_SRC))
FORMATTED := $(shell git ls-files 'preload/*.[ch]' 'hooks/*.[ch]' 'hooks/protocols/*.[ch]' 'exporter/*.[ch]' 2>/dev/null)

.PHONY: readme
readme:
	@tests/lint/readme.sh --update
	@bash tests/integration/cli_help.sh --update

.PHONY: lint lint-fast lint-selftest format tidy
lint-fast: $(BUILD)/libtagalong.so $(LINT_OBJ)
	@tests/lint/layers.sh
	@tests/lint/exports.sh $(BUILD)/libtagalong.so
	@tests/lint/selfcall.sh $(LINT_OBJ)
	@tests/lint/sizes.sh
	@tests/lint/top.sh
	@tests/lint/words.sh
	@tests/lint/vendor.sh
	@tests/lint/readme.sh
	@bash tests/integration/cli_help.sh --page

lint: lint-fast lint-selftest tidy
	@if command -v clang-format >/dev/null; then clang-format --dry-run -Werror $(FORMATTED); \
	else echo "lint: clang-format is not installed: layout not checked"; fi
	@echo "lint: clean"

lint-selftest: $(BUILD)/libtagalong.so
	@tests/lint/selftest.sh $(BUILD)

format:
	clang-format -i $(FORMATTED)

# One file at a time, so that a finding names its file; settings in .clang-tidy.
tidy: | $(PROTO_GEN)
	@if command -v clang-tidy >/dev/null; then \
	tests/lint/tidy.sh $(CPPFLAGS) -std=gnu11 -- $(PRELOAD_SRC) $(PROTOCOL_SRC) $(HOOKS_SRC) $(EXPORTER_SRC); \
	else echo "lint: clang-tidy is not installed: left out"; fi
