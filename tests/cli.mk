# The command-line program's tests link the program instead of the library: everything of it but main().
CLI_TEST_OBJ := $(filter-out $(BUILD)/obj/exporter/cli/main.o,$(CLI_OBJ))

$(BUILD)/unit/exporter/cli/%: tests/unit/exporter/cli/%.c $(CLI_TEST_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(CLI_TEST_OBJ) -ljansson -lcmocka -lpthread -ldl
