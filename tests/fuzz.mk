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
FUZZ_LIB_SRC += exporter/symbols.c exporter/modules.c exporter/demangle.c
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
	$(FUZZ_CC) $(FUZZ_FLAGS) -MMD -MP -MF $@.d -fsanitize=fuzzer -o $@ $< $(FUZZ_ARCHIVE) -l:libnghttp2.a -l:libz.a -ljansson -lpthread -ldl

# As many at a time as there are processors: each is one thread, and its time is the clock's.
FUZZ_JOBS ?= $(shell nproc)
.PHONY: fuzz
fuzz: $(FUZZ_BIN)
	@printf '%s\n' $(FUZZ_BIN) | xargs -P $(FUZZ_JOBS) -n 1 tests/support/fuzz_one.sh $(SECONDS) $(FUZZ_DIR) || \
		{ cat $(FUZZ_DIR)/failed-*; false; }
# What the headers are of, wherever the rest is built (the Makefile includes what is below $(BUILD)).
ifneq ($(BUILD),build)
-include $(shell find $(FUZZ_DIR) -name '*.d' 2>/dev/null)
endif
