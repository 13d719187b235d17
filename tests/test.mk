# make test: everything that must be true of a commit, within ten minutes on two cores.
SUPPORT_BIN := $(BUILD)/support/sink
SUPPORT_BIN += $(BUILD)/support/load
$(BUILD)/support/load: tests/support/load.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $<

.PHONY: integration test-parts
integration: all $(SUPPORT_BIN) $(DEMO_BIN)
	@$(if $(SAN),SAN_RUNTIME=$(shell $(CC) -print-file-name=lib$(if $(findstring thread,$(SAN)),t,a)san.so)) \
		BUILD=$(BUILD) tests/integration/run.sh $(ONLY)

# Two steps: deps may install what make is to look for.
test:
	@$(MAKE) -s --no-print-directory deps
	@$(MAKE) -s --no-print-directory test-parts
test-parts: all lint-fast lint-selftest unit integration

# Other people's suites, bare and traced.
.PHONY: suites
suites:
	@$(MAKE) -s --no-print-directory deps
	@$(MAKE) -s --no-print-directory all
	@BUILD=$(BUILD) bash tests/integration/suites.sh

# The library itself sanitized, in front of programs that are not: those that bear the sanitizer's runtime. Left out: what
# Debian's curl is part of (it hangs at start under ASan's, bare as well), bad pointers, vfork children and cleared environments
# (which the runtime itself does not survive). Under TSan, which holds signals back, the test that is made of threads.
.PHONY: sanitized
sanitized:
	@$(MAKE) -s --no-print-directory SAN=address,undefined integration ONLY="threads carried descriptors nginx_counts \
		exact_bytes exact_refusals calls resource parents interop libpq stack"
	@$(MAKE) -s --no-print-directory SAN=thread integration ONLY=threads
