# Helpers of the tests: plain programs that nothing of ours is preloaded into.
SINK_OBJ := $(call obj,tests/support/sink.c exporter/json.c exporter/buffer.c preload/attrs.c) $(PROTO_OBJ)
$(call obj,tests/support/sink.c): | $(PROTO_GEN)
$(BUILD)/support/sink: $(SINK_OBJ)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -l:libprotobuf-c.a -lz -lm
