# Benchmarks: plain programs, no project headers, so that the same binary runs bare and preloaded.
BENCH_BIN := $(BUILD)/bench/bench_untracked $(BUILD)/bench/bench_pair $(BUILD)/bench/bench_spawn
$(BENCH_BIN): $(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $<

bench: all $(BENCH_BIN) $(BUILD)/support/sink
	@BUILD=$(BUILD) QUICK=$(QUICK) tests/bench/run.sh
