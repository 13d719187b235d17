# Tagalong: see README.md. Everything is built below $(BUILD); `make SAN=address,undefined` and
# `make SAN=thread` build a variant of everything in a directory of its own.
SHELL := /bin/bash
CC ?= gcc
PREFIX ?= /usr/local
VERSION := 0.1.0
SAN ?=
BUILD ?= build$(if $(SAN),/san-$(firstword $(subst $(comma), ,$(SAN))))
comma := ,

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow=local -Wvla -Wundef
WARN := $(if $(findstring clang,$(CC)),$(subst -Wshadow=local,-Wshadow,$(WARN)),$(WARN))
OPT ?= -O2 -g
CPPFLAGS := -I. -I$(BUILD) -D_GNU_SOURCE -DTAGALONG_VERSION='"$(VERSION)"' -U_FORTIFY_SOURCE
# A loop of stores, not the start-up cost of rep stos.
TUNE := $(if $(findstring clang,$(CC)),,-mmemset-strategy=vector_loop:512:noalign$(comma)libcall:-1:noalign)
CFLAGS := -std=gnu11 $(OPT) $(TUNE) $(WARN) -fvisibility=hidden -fexceptions -ftls-model=initial-exec \
	-fno-strict-aliasing -fstack-protector-strong $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) \
	$(if $(findstring thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan)) # fences of our seqlocks
PIC := -fPIC
LDFLAGS := $(if $(SAN),-fsanitize=$(SAN))
STATIC_LIBS := -l:libprotobuf-c.a -l:libnghttp2.a -l:libz.a

.DEFAULT_GOAL := all
.PHONY: all deps test demo bench fuzz lint install clean
.DELETE_ON_ERROR:

# --- sources: one object per file, found by place -------------------------------------------------------
PRELOAD_SRC := $(wildcard preload/*.c)
PROTOCOL_SRC := $(wildcard hooks/protocols/*.c)
HOOKS_SRC := $(wildcard hooks/*.c)
EXPORTER_SRC := $(wildcard exporter/*.c)
CLI_SRC := $(wildcard exporter/cli/*.c)
PROTO_SRC := $(wildcard exporter/proto/*.proto)
PROTO_GEN := $(PROTO_SRC:exporter/proto/%.proto=$(BUILD)/proto/%.pb-c.c)
PROTO_OBJ := $(PROTO_GEN:.c=.o)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(PRELOAD_SRC) $(PROTOCOL_SRC) $(HOOKS_SRC) $(EXPORTER_SRC)) $(PROTO_OBJ)
# The command-line program shares the settings' table (preload/config.def), and no object.
CLI_OBJ := $(call obj,$(CLI_SRC))

# What each request goes through is inlined across files, and only functions with a buffer of characters in their frame are
# guarded there: a fifth of its instructions. These objects can be linked both ways: nothing but the library is linked so,
# which takes seconds.
LTO ?= $(if $(SAN)$(findstring clang,$(CC)),,yes)
HOT_SRC := $(addprefix hooks/,io.c libc_io.c libc_wait.c openssl.c openssl_session.c protocols/http_describe.c) \
	$(wildcard $(addprefix hooks/protocols/,db_*.c http1*.c http2*.c mysql*.c postgres*.c redis*.c sql_*.c) preload/session*.c) \
	hooks/libpq.c hooks/mysql.c \
	$(addprefix preload/,activity.c asked.c attrs.c clock.c conn.c conn_io.c context.c context_hex.c context_w3c.c exchange.c \
	exchange_client.c exchange_fields.c given.c handoff.c id.c later.c loop.c pool.c protocol_memo.c queue.c \
	sampler.c span.c worker.c)
ifeq ($(LTO),yes)
INLINE := $(foreach limit,max-inline-insns-auto=60 max-inline-insns-single=400 inline-unit-growth=300 \
	large-function-growth=2000,--param $(limit))
$(call obj,$(HOT_SRC)): CFLAGS += $(INLINE) -fno-stack-protector -fstack-protector -flto -ffat-lto-objects
LINK_LIB := -O2 -flto=auto -flto-partition=one $(INLINE)
LINK_TEST := -fno-lto
endif

all: $(BUILD)/libtagalong.so $(BUILD)/tagalong

$(BUILD)/libtagalong.so: $(LIB_OBJ) $(BUILD)/exports.map
	$(CC) -shared $(LINK_LIB) $(LDFLAGS) -static-libgcc -Wl,-soname,libtagalong.so -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,--exclude-libs,ALL \
		-Wl,--version-script=$(BUILD)/exports.map $(if $(SAN),,-Wl,-z,defs) -o $@ $(LIB_OBJ) $(STATIC_LIBS)

$(BUILD)/tagalong: $(CLI_OBJ)
	$(CC) $(LDFLAGS) -o $@ $(CLI_OBJ) -ljansson

# The export list is what the hooks declare in their WRAP rows, and nothing else.
$(BUILD)/exports.map: $(HOOKS_SRC) tests/lint/exports.awk
	@mkdir -p $(@D)
	awk -f tests/lint/exports.awk -v map=1 $(HOOKS_SRC) > $@

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PIC) -MMD -MP -c -o $@ $<

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h: exporter/proto/%.proto
	@mkdir -p $(BUILD)/proto
	@command -v protoc-c >/dev/null || { echo "protoc-c is missing: 'make deps' installs what the build needs" >&2; exit 1; }
	protoc-c --c_out=$(BUILD)/proto --proto_path=exporter/proto $<

$(BUILD)/proto/%.o: $(BUILD)/proto/%.c
	$(CC) $(CPPFLAGS) $(filter-out -Wundef,$(CFLAGS)) $(PIC) -c -o $@ $<

# Generated headers must be there before anything of the exporter or its tests is compiled.
$(call obj,$(EXPORTER_SRC)): | $(PROTO_GEN)

# --- unit tests: tests/unit/<room>/test_<file>.c ---------------------------------------------------------
# Each links every object of the library but hooks and init (no interposition in a unit test).
UNIT_SRC := $(shell find tests/unit -name 'test_*.c' 2>/dev/null)
UNIT_BIN := $(UNIT_SRC:tests/%.c=$(BUILD)/%)
UNIT_OBJ := $(filter-out $(BUILD)/obj/preload/init.o,$(call obj,$(PRELOAD_SRC) $(PROTOCOL_SRC) $(EXPORTER_SRC))) $(PROTO_OBJ)
$(BUILD)/libunit.a: $(UNIT_OBJ)
	rm -f $@; $(AR) rcs $@ $^
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libunit.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LINK_TEST) $(LDFLAGS) -o $@ $< $(BUILD)/libunit.a $(STATIC_LIBS) -lcmocka -ldl -lpthread
$(UNIT_SRC:tests/%.c=$(BUILD)/%): | $(PROTO_GEN)

.PHONY: unit unit-programs
unit-programs: $(UNIT_BIN)
# As many at a time as there are processors, two at the most.
UNIT_JOBS ?= $(shell n=$$(nproc); echo $$((n < 2 ? n : 2)))
unit: $(UNIT_BIN)
	@rm -f $(UNIT_BIN:=.passed); \
	printf '%s\n' $(UNIT_BIN) | xargs -P $(UNIT_JOBS) -n 1 sh -c '"$$0" >"$$0.log" 2>&1 && touch "$$0.passed" || true'; \
	failed=0; passed=0; for t in $(UNIT_BIN); do \
		if [ -e $$t.passed ]; then passed=$$((passed + 1)); \
		else failed=$$((failed + 1)); echo "FAILED  $$t"; grep -vE '\[ +(RUN|OK) ' $$t.log | tail -n 40; fi; \
	done; echo "unit tests$(if $(SAN), with $(SAN)): $$passed passed, $$failed failed"; [ $$failed = 0 ]

install: all
	install -d $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/libtagalong.so $(DESTDIR)$(PREFIX)/lib/libtagalong.so
	install -m 755 $(BUILD)/tagalong $(DESTDIR)$(PREFIX)/bin/tagalong
	install -m 644 exporter/cli/tagalong.1 $(DESTDIR)$(PREFIX)/share/man/man1/tagalong.1

clean:
	rm -rf build

include $(wildcard demo/*.mk tests/*.mk)
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
