# make fuzz [SECONDS=60] [TARGET=name]: every tests/fuzz/fuzz_*.c with libFuzzer, ASan and UBSan, from its corpus.
SECONDS ?= 60
TARGET ?=
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_$(if $(TARGET),$(TARGET),*).c)
FUZZ_DIR := build/fuzz
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ_DIR)/%)
FUZZ_CC := clang
FUZZ_FLAGS := -g -O1 -std=gnu11 -I. -I$(FUZZ_DIR) -D_GNU_SOURCE -DTAGALONG_VERSION='"$(VERSION)"' \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Wno-everything
FUZZ_LIB_SRC := $(filter-out preload/init.c,$(PRELOAD_SRC)) $(PROTOCOL_SRC)
FUZZ_CLI_SRC := $(filter-out exporter/cli/main.c,$(CLI_SRC))

$(FUZZ_DIR)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
$(FUZZ_DIR)/libfuzz.a: $(FUZZ_LIB_SRC:%.c=$(FUZZ_DIR)/obj/%.o)
	rm -f $@; $(AR) rcs $@ $^
$(FUZZ_DIR)/libfuzzcli.a: $(FUZZ_CLI_SRC:%.c=$(FUZZ_DIR)/obj/%.o)
	rm -f $@; $(AR) rcs $@ $^
$(FUZZ_DIR)/fuzz_view $(FUZZ_DIR)/fuzz_check: FUZZ_ARCHIVE := $(FUZZ_DIR)/libfuzzcli.a
$(FUZZ_DIR)/fuzz_%: FUZZ_ARCHIVE ?= $(FUZZ_DIR)/libfuzz.a
$(FUZZ_DIR)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_DIR)/libfuzz.a $(FUZZ_DIR)/libfuzzcli.a
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_ARCHIVE) -l:libnghttp2.a -ljansson -lpthread -ldl

# Findings go to the build directory, with the input that shows them.
.PHONY: fuzz
fuzz: $(FUZZ_BIN)
	@set -e; for target in $(FUZZ_BIN); do \
		name=$${target##*/fuzz_}; corpus=$(FUZZ_DIR)/corpus/$$name; mkdir -p $$corpus; \
		echo "== fuzz $$name, $(SECONDS) s"; \
		$$target -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_DIR)/found-$$name- $$corpus tests/fuzz/corpus/$$name 2>&1 | \
			grep -vE '^(INFO|#)' | tail -n 25; \
		[ $${PIPESTATUS[0]} -eq 0 ] || exit 1; \
	done
