# The demo's programs include nothing of ours.
DEMO_BIN := $(BUILD)/demo/stock $(BUILD)/demo/orders
$(BUILD)/demo/stock: demo/stock.c demo/http.c demo/http.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ demo/stock.c demo/http.c -lpthread
$(BUILD)/demo/orders: demo/orders.c demo/http.c demo/http.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -I/usr/include/postgresql -o $@ demo/orders.c demo/http.c -lcurl -lpq -lpthread

# Two steps: what the build needs may have to be installed before make looks for it.
demo:
	@$(MAKE) -s --no-print-directory deps-demo
	@$(MAKE) -s --no-print-directory all $(DEMO_BIN)
	@BUILD=$(BUILD) KEEP=$(KEEP) demo/run.sh
