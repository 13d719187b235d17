# The command-line program's tests link the program instead of the library: everything of it but main().
CLI_TEST_OBJ := $(filter-out $(BUILD)/obj/exporter/cli/main.o,$(CLI_OBJ))

$(BUILD)/unit/exporter/cli/%: tests/unit/exporter/cli/%.c $(CLI_TEST_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(CLI_TEST_OBJ) -ljansson -lcmocka -lpthread -ldl

# Fuzz targets are built whole, from source, so that coverage reaches into what they test.
FUZZ_CLI_CC ?= clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
$(BUILD)/fuzz/fuzz_view $(BUILD)/fuzz/fuzz_check: $(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(CLI_SRC)
	@mkdir -p $(@D)
	$(FUZZ_CLI_CC) $(CPPFLAGS) -std=gnu11 -o $@ $< $(filter-out exporter/cli/main.c,$(CLI_SRC)) -ljansson
