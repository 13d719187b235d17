/* JSON from a span's encoding, against what json_message() makes of the message that protobuf-c unpacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/json.h"
#include "exporter/json_wire.h"
#include "proto/otlp.pb-c.h"

static uint64_t dice = 88172645463325252u;

static uint64_t roll(uint64_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % below;
}

/* The library's structures, made of what the generator says and given back all at once. */
static char arena[1 << 20];
static size_t used;

static void *get(size_t size)
{
	void *at = arena + used;
	used += (size + 15) & ~(size_t)15;
	assert_true(used <= sizeof(arena));
	memset(at, 0, size);
	return at;
}

static char *some_text(void)
{
	static const char *const pieces[] = {"\"",       "\\",   "\n",       "\x01", "\x7f",
					     "\xc3\xa4", "\xff", "\xe2\x82", "~",    " "};
	size_t len = roll(4) ? roll(24) : roll(300);
	char *text = get(len + 8);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + roll(26));
	if (len && !roll(3)) {
		const char *piece = pieces[roll(10)];
		memcpy(text + roll(len), piece, strlen(piece));
	}
	return text;
}

static ProtobufCBinaryData some_bytes(size_t len)
{
	ProtobufCBinaryData data = {len, get(len)};
	for (size_t i = 0; i < len; i++)
		data.data[i] = (uint8_t)roll(256);
	return data;
}

static uint64_t some_number(void)
{
	return roll(3) ? roll(1000) : dice >> roll(64);
}

static Otlp__AnyValue *some_value(int depth);

static Otlp__KeyValue *some_pair(int depth)
{
	Otlp__KeyValue *pair = get(sizeof(*pair));
	otlp__key_value__init(pair);
	pair->key = some_text();
	pair->value = roll(20) ? some_value(depth) : NULL;
	return pair;
}

static Otlp__KeyValue **some_pairs(size_t *count, int depth)
{
	*count = roll(6);
	Otlp__KeyValue **pairs = get(6 * sizeof(*pairs));
	for (size_t i = 0; i < *count; i++)
		pairs[i] = some_pair(depth);
	return pairs;
}

static Otlp__AnyValue *some_value(int depth)
{
	static const double reals[] = {0.5, -1e300, 0, 3, NAN, INFINITY, -INFINITY};
	Otlp__AnyValue *any = get(sizeof(*any));
	otlp__any_value__init(any);
	any->value_case = (Otlp__AnyValue__ValueCase)roll(depth > 3 ? 5 : 8);
	switch (any->value_case) {
	case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
		any->string_value = some_text();
		break;
	case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
		any->bool_value = (protobuf_c_boolean)roll(2);
		break;
	case OTLP__ANY_VALUE__VALUE_INT_VALUE:
		any->int_value = (int64_t)(roll(2) ? some_number() : 0 - some_number());
		break;
	case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
		any->double_value = reals[roll(7)];
		break;
	case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
		any->array_value = get(sizeof(*any->array_value));
		otlp__array_value__init(any->array_value);
		any->array_value->n_values = roll(4);
		any->array_value->values = get(4 * sizeof(void *));
		for (size_t i = 0; i < any->array_value->n_values; i++)
			any->array_value->values[i] = some_value(depth + 1);
		break;
	case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
		any->kvlist_value = get(sizeof(*any->kvlist_value));
		otlp__key_value_list__init(any->kvlist_value);
		any->kvlist_value->values = some_pairs(&any->kvlist_value->n_values, depth + 1);
		break;
	case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
		any->bytes_value = some_bytes(roll(9));
		break;
	default:
		break;
	}
	return any;
}

static void fill_ends(Otlp__Span *span)
{
	span->n_events = roll(3);
	span->events = get(3 * sizeof(void *));
	for (size_t i = 0; i < span->n_events; i++) {
		Otlp__SpanEvent *event = span->events[i] = get(sizeof(*event));
		otlp__span_event__init(event);
		event->time_unix_nano = some_number();
		event->name = some_text();
		event->attributes = some_pairs(&event->n_attributes, 0);
		event->dropped_attributes_count = (uint32_t)roll(2);
	}
	span->n_links = roll(3);
	span->links = get(3 * sizeof(void *));
	for (size_t i = 0; i < span->n_links; i++) {
		Otlp__SpanLink *to = span->links[i] = get(sizeof(*to));
		otlp__span_link__init(to);
		to->trace_id = some_bytes(16);
		to->span_id = some_bytes(8);
		to->trace_state = some_text();
		to->attributes = some_pairs(&to->n_attributes, 0);
		to->flags = (uint32_t)some_number();
	}
	if (!roll(2))
		return;
	span->status = get(sizeof(*span->status));
	otlp__span_status__init(span->status);
	span->status->code = (int32_t)roll(3);
	span->status->message = some_text();
}

static struct bytes some_span(void)
{
	static uint8_t packed[1 << 18];
	Otlp__Span span = OTLP__SPAN__INIT;
	used = 0;
	span.trace_id = some_bytes(roll(2) * 16);
	span.span_id = some_bytes(8);
	span.parent_span_id = some_bytes(roll(2) * 8);
	span.trace_state = some_text();
	span.name = some_text();
	span.kind = (int32_t)roll(6);
	span.start_time_unix_nano = some_number();
	span.end_time_unix_nano = dice;
	span.attributes = some_pairs(&span.n_attributes, 0);
	span.dropped_attributes_count = (uint32_t)some_number();
	span.dropped_links_count = (uint32_t)roll(2);
	span.flags = (uint32_t)roll(0x400);
	fill_ends(&span);
	assert_true(otlp__span__get_packed_size(&span) <= sizeof(packed));
	return (struct bytes){(char *)packed, otlp__span__pack(&span, packed)};
}

static void compare(struct bytes encoded)
{
	static struct buffer direct, through;
	Otlp__Span *span = otlp__span__unpack(NULL, encoded.len, (const uint8_t *)encoded.ptr);
	assert_non_null(span);
	buffer_clear(&direct);
	buffer_clear(&through);
	json_message(&through, &span->base);
	assert_true(json_wire_span(&direct, encoded));
	buffer_byte(&direct, 0);
	buffer_byte(&through, 0);
	assert_string_equal(direct.data, through.data);
	otlp__span__free_unpacked(span, NULL);
}

static void test_says_what_the_message_says(void **state)
{
	(void)state;
	for (int i = 0; i < 4000; i++)
		compare(some_span());
	compare(BYTES_NONE);
}

/* Fields in any order, with others between: what is repeated is one list all the same, of a choice the last
 * counts. */
static void test_any_order(void **state)
{
	(void)state;
	compare(BYTES("\x4a\x03\x0a\x01k\x2a\x01n\x4a\x03\x0a\x01l\x30\x02\x2a\x01m\x4a\x00"));
	compare(BYTES("\x4a\x0b\x0a\x01k\x12\x06\x18\x01\x0a\x02xy"));
	compare(BYTES("\x4a\x0b\x12\x06\x0a\x02xy\x18\x01\x0a\x01k"));
	compare(BYTES("\x4a\x0c\x0a\x01k\x12\x07\x0a\x05\"q\\\x7f\n"));
	compare(BYTES("\x2a\x01n\xc2\x3e\x03new\xa0\x01\x05")); /* unknown ones are passed over */
}

/* What is cut short or spoilt is refused or read as something else, never read past its end; what was written
 * of it is cut off again. Each in a block of its own size, so that AddressSanitizer sees a step beyond. */
static void test_spoilt(void **state)
{
	(void)state;
	struct buffer out = {0};
	buffer_text(&out, "before");
	for (int i = 0; i < 3000; i++) {
		struct bytes span = some_span();
		size_t len = roll(2) ? span.len : roll(span.len + 1);
		char *copy = malloc(len ? len : 1);
		memcpy(copy, span.ptr, len);
		for (uint64_t spoil = roll(4); spoil && len; spoil--)
			copy[roll(len)] = (char)roll(256);
		if (!json_wire_span(&out, (struct bytes){copy, len}))
			assert_int_equal(out.len, 6);
		out.len = 6;
		free(copy);
	}
	char deep[200];
	size_t len = 0, top = 2;
	for (int i = 0; i < 40; i++) { /* lists in lists, built from the inside */
		memmove(deep + top, deep, len);
		memcpy(deep, (char[]){i % 2 ? 0x2a : 0x0a, (char)len}, 2);
		len += 2;
	}
	memmove(deep + 4, deep, len);
	memcpy(deep, (char[]){0x4a, (char)(len + 2), 0x12, (char)len}, 4);
	assert_false(json_wire_span(&out, (struct bytes){deep, len + 4}));
	assert_int_equal(out.len, 6);
	buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_the_message_says),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_spoilt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
