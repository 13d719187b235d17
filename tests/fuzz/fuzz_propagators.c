/* Any headers, any choice of formats: what comes out is well formed, and means the same when read again.
 * First byte: the formats; then lines "name: value". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/context.h"
#include "preload/sampler.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void configure(uint8_t choice)
{
	enum context_format formats[8];
	size_t count = 0;
	for (unsigned i = 0; i < 7; i++)
		if (choice & 1u << i)
			formats[count++] = (enum context_format)(1u << i);
	formats[count] = (enum context_format)0;
	context_configure(formats);
}

static void collect(struct bytes rest, struct extraction *fields)
{
	struct bytes line;
	extraction_init(fields);
	while (bytes_next(&rest, '\n', &line)) {
		size_t colon = bytes_find(line, ':');
		struct bytes name = bytes_until(line, colon), value = bytes_trim(bytes_from(line, colon + 1));
		if (value.len && value.ptr[value.len - 1] == '\r')
			value.len--;
		context_field_env(name);
		extraction_add(fields, context_field(name), name, value);
	}
}

/* No value may end its own line or start another one. */
static void check_put(void *arg, struct bytes name, struct bytes value)
{
	struct context *context = arg;
	uint32_t field = context_field(name);
	char env[320];

	CHECK(name.len && field);
	for (size_t i = 0; i < value.len; i++)
		CHECK(value.ptr[i] == '\t' || (value.ptr[i] >= 0x20 && value.ptr[i] <= 0x7e));
	CHECK(context_env_name(name, env, sizeof(env)) == name.len);
	CHECK(context_field_env(bytes_of(env)) == field);
	int at = context_span_offset(field, value, context);
	CHECK(at < 0 || (size_t)at + 16 <= value.len);
	if (field == FIELD_TRACEPARENT)
		CHECK(at == 36);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first_text[CONTEXT_STATE_MAX + CONTEXT_BAGGAGE_MAX], second_text[sizeof(first_text)];
	static char lines[65536];
	char state[CONTEXT_STATE_MAX];
	struct extraction fields;
	struct context first, second, child;

	if (!size)
		return 0;
	configure(data[0]);
	collect((struct bytes){(const char *)data + 1, size - 1}, &fields);
	for (uint32_t i = 0; i < fields.count; i++)
		context_span_offset(fields.seen[i].field, fields.seen[i].value,
				    &(struct context){.valid = true});
	size_t cap = size > 2 && data[size - 1] == '!' ? data[1] : sizeof(first_text);
	CHECK(context_extract(&fields, &first, first_text, cap) == first.valid);
	CHECK(first.tracestate.len + first.baggage.len <= cap);
	context_inject(&first, 0, check_put, &first);

	size_t len = context_inject_lines(&first, 0, lines, sizeof(lines));
	collect((struct bytes){lines, len}, &fields);
	bool again = context_extract(&fields, &second, second_text, sizeof(second_text));
	if (first.valid && data[0] & FORMAT_TRACECONTEXT && !(data[0] & FORMAT_OTTRACE)) {
		CHECK(again && !memcmp(first.trace_id, second.trace_id, 16));
		CHECK(!memcmp(first.span_id, second.span_id, 8));
		CHECK((first.flags ^ second.flags) <= FLAG_RANDOM);
	}
	child = first;
	if (!first.valid)
		child.trace_id[0] = child.trace_id[15] = 1;
	sampler_configure(&(struct sampler){SAMPLER_RATIO, (data[0] & 0x80) != 0, 0.5, 0, ""});
	sampler_decide(&first, &child, state, sizeof(state));
	return 0;
}
