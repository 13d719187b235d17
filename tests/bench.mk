# Benchmarks: plain programs, no project headers, so that the same binary runs bare and preloaded.
BENCH_BIN := $(BUILD)/bench/bench_untracked $(BUILD)/bench/bench_pair $(BUILD)/bench/bench_spawn $(BUILD)/bench/bench_waits
$(BENCH_BIN): $(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $<

# The queue and the exporter without a program around them: linked with the library's objects.
$(BUILD)/bench/bench_export: tests/bench/bench_export.c $(BUILD)/libunit.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINK_TEST) -o $@ $< $(BUILD)/libunit.a $(STATIC_LIBS) -ldl -lpthread

# Only where there is a libssl to link with.
HAVE_SSL := $(if $(wildcard /usr/include/openssl/ssl.h),$(BUILD)/bench/bench_tls)
$(BUILD)/bench/bench_tls: tests/bench/bench_tls.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $< -lssl -lcrypto

HAVE_SQLITE := $(if $(wildcard /usr/include/sqlite3.h),$(BUILD)/bench/bench_sqlite)
$(BUILD)/bench/bench_sqlite: tests/bench/bench_sqlite.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $< -lsqlite3

bench: all $(BENCH_BIN) $(HAVE_SSL) $(HAVE_SQLITE) $(BUILD)/bench/bench_export $(BUILD)/support/sink
	@BUILD=$(BUILD) QUICK=$(QUICK) tests/bench/run.sh

# The parser alone, with the project's headers: not part of `make bench`, which compares whole programs.
$(BUILD)/bench/bench_http1: tests/bench/bench_http1.c $(BUILD)/libunit.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINK_TEST) -o $@ $< $(BUILD)/libunit.a $(STATIC_LIBS) -ldl -lpthread
.PHONY: bench-http1
bench-http1: $(BUILD)/bench/bench_http1
	@$<
