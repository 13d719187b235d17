/* The seven wire formats, row by row of otel.md section 4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/context.h"

#define T "0af7651916cd43dd8448eb211c80319c"
#define S "b7ad6b7169203331"

static char room[CONTEXT_STATE_MAX + CONTEXT_BAGGAGE_MAX];
static char wire[16384];
static struct context got;

static void use(int a, int b)
{
	enum context_format list[] = {(enum context_format)a, (enum context_format)b, (enum context_format)0};
	context_configure(list);
}

/* Header lines "name: value" separated by newlines, as a server would see them. */
static bool extract(const char *lines)
{
	struct extraction fields;
	struct bytes rest = bytes_of(lines), line;
	extraction_init(&fields);
	while (bytes_next(&rest, '\n', &line)) {
		size_t colon = bytes_find(line, ':');
		struct bytes name = bytes_until(line, colon);
		extraction_add(&fields, context_field(name), name, bytes_trim(bytes_from(line, colon + 1)));
	}
	return context_extract(&fields, &got, room, sizeof(room));
}

static const char *inject(uint32_t present)
{
	wire[context_inject_lines(&got, present, wire, sizeof(wire) - 1)] = '\0';
	return wire;
}

static const char *text_of(struct bytes text)
{
	static char copy[sizeof(room) + 1];
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

static void assert_ids(const char *trace, const char *span)
{
	char digits[33] = "";
	hex_encode(digits, got.trace_id, 16);
	assert_string_equal(digits, trace);
	memset(digits, 0, sizeof(digits));
	hex_encode(digits, got.span_id, 8);
	assert_string_equal(digits, span);
	assert_true(got.remote);
}

static void test_traceparent_follows_level_2(void **state)
{
	static const struct {
		const char *value;
		int flags; /* -1: invalid */
	} rows[] = {
		{"00-" T "-" S "-01", 1},
		{"00-" T "-" S "-00", 0},
		{"00-" T "-" S "-03", 3},
		{"00-" T "-" S "-ff", 3},
		{" \t00-" T "-" S "-01\t ", 1},
		{"01-" T "-" S "-01", 1},
		{"cc-" T "-" S "-01-what-comes", 1},
		{"cc-" T "-" S "-01-", 1},
		{"cc-" T "-" S "-01.what", -1},
		{"ff-" T "-" S "-01", -1},
		{"0-" T "-" S "-01", -1},
		{"0G-" T "-" S "-01", -1},
		{"0A-" T "-" S "-01", -1},
		{"00-" T "-" S "-01-", -1},
		{"00-" T "-" S "-1", -1},
		{"00-" T "-" S "-", -1},
		{"00-" T "_" S "-01", -1},
		{"00_" T "-" S "-01", -1},
		{"00-" T "-" S "_01", -1},
		{"00-0AF7651916CD43DD8448EB211C80319C-" S "-01", -1},
		{"00-" T "-B7AD6B7169203331-01", -1},
		{"00-" T "-" S "-0A", -1},
		{"00-00000000000000000000000000000000-" S "-01", -1},
		{"00-" T "-0000000000000000-01", -1},
		{"", -1},
	};
	char line[256];
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_BAGGAGE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(line, "TraceParent: ");
		strcat(line, rows[i].value);
		strcat(line, "\ntracestate: a=1");
		assert_int_equal(extract(line), rows[i].flags >= 0);
		assert_int_equal(got.tracestate.len, rows[i].flags >= 0 ? 3 : 0);
		if (rows[i].flags < 0)
			continue;
		assert_ids(T, S);
		assert_int_equal(got.flags, rows[i].flags);
		assert_memory_equal(inject(0), "traceparent: 00-" T "-" S "-0", 67);
	}
	assert_false(extract("traceparent: 00-" T "-" S "-01\ntraceparent: 00-" T "-" S "-01"));
	assert_false(extract("tracestate: a=1"));
	assert_int_equal(got.tracestate.len, 0);
}

#define PARENT "traceparent: 00-" T "-" S "-01\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64
#define TEN(x) x ",a" x ",b" x ",c" x ",d" x ",e" x ",f" x ",g" x ",h" x ",i" x

static void test_tracestate_follows_level_2(void **state)
{
	static const struct {
		const char *lines, *expected;
	} rows[] = {
		{"tracestate: foo=1,bar=2", "foo=1,bar=2"},
		{"tracestate: foo=1\ntracestate: bar=2", "foo=1,bar=2"},
		{"tracestate: foo=1 \t, \t bar=2,,", "foo=1,bar=2"},
		{"tracestate: foo= 1", "foo= 1"},
		{"tracestate: a@b@c=1", "a@b@c=1"},
		{"tracestate: 0a_-*/@=!~", "0a_-*/@=!~"},
		{"tracestate: foo=1,foo=2", "foo=1,foo=2"},
		{"tracestate: @a=1,foo=1", ""},
		{"tracestate: _a=1", ""},
		{"tracestate: Foo=1", ""},
		{"tracestate: foo=1=2", ""},
		{"tracestate: foo=", ""},
		{"tracestate: =1", ""},
		{"tracestate: foo", ""},
		{"tracestate: foo =1", ""},
		{"tracestate: foo=1,bar=\x7f", ""},
		{"tracestate: foo=\xc3\xa4", ""},
		{"tracestate: " X256 "=1", X256 "=1"},
		{"tracestate: " X256 "x=1", ""},
		{"tracestate: a=" X256, "a=" X256},
		{"tracestate: a=" X256 "x", ""},
		/* 32 members, and one more */
		{"tracestate: " TEN("1=1") "," TEN("2=1") "," TEN("3=1") ",x=1,y=1",
		 TEN("1=1") "," TEN("2=1") "," TEN("3=1") ",x=1,y=1"},
		{"tracestate: " TEN("1=1") "," TEN("2=1") "," TEN("3=1") ",x=1,y=1,z=1", ""},
		/* beyond 512: the long ones go first, then the right-most */
		{"tracestate: a=1,l=" X64 X64 ",b=" X256 ",c=" X64 X64 ",d=2",
		 "a=1,l=" X64 X64 ",b=" X256 ",d=2"},
		{"tracestate: a=" X64 ",b=" X64 ",c=" X64 ",d=" X64 ",e=" X64 ",f=" X64 ",g=" X64 ",h=" X64,
		 "a=" X64 ",b=" X64 ",c=" X64 ",d=" X64 ",e=" X64 ",f=" X64 ",g=" X64},
	};
	char lines[2048];
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_BAGGAGE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(lines, PARENT);
		strcat(lines, rows[i].lines);
		assert_true(extract(lines));
		assert_string_equal(text_of(got.tracestate), rows[i].expected);
	}
}

static void test_baggage_is_kept_in_wire_form(void **state)
{
	static const struct {
		const char *lines, *expected;
	} rows[] = {
		{"baggage: a=1,b=2", "a=1,b=2"},
		{"baggage: a = 1 ; p ; q=2 , b=2", "a=1;p ; q=2,b=2"},
		{"baggage: a=1\nBaggage: b=2", "a=1,b=2"},
		{"baggage: a=1,a=2,c=3", "a=2,c=3"},
		{"baggage: a=x=y%20z", "a=x=y%20z"},
		{"baggage: a=100%,b=%4", "a=100%25,b=%254"},
		{"baggage: a=\xc3\xa4 \"\\", "a=%C3%A4%20%22%5C"},
		{"baggage: novalue,b c=1,=2,ok=3", "ok=3"},
		{"baggage: a=", "a="},
		{"baggage: a=1;evil\rx,b=2", "b=2"},
	};
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_BAGGAGE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(extract(rows[i].lines));
		assert_string_equal(text_of(got.baggage), rows[i].expected);
	}
	assert_false(extract("baggage: a=1"));
	assert_string_equal(inject(0), "baggage: a=1\r\n");
	assert_string_equal(inject(1u << FIELD_BAGGAGE), "");
}

static void test_baggage_drops_whole_members_that_do_not_fit(void **state)
{
	struct extraction fields;
	(void)state;
	use(FORMAT_BAGGAGE, 0);
	extraction_init(&fields);
	extraction_add(&fields, FIELD_BAGGAGE, BYTES_NONE, BYTES("a=1,long=2,c=3"));
	context_extract(&fields, &got, room, 7);
	assert_string_equal(text_of(got.baggage), "a=1,c=3");
	context_extract(&fields, &got, room, 6);
	assert_string_equal(text_of(got.baggage), "a=1");
	context_extract(&fields, &got, room, 2);
	assert_int_equal(got.baggage.len, 0);
}

static void test_b3_reads_both_kinds(void **state)
{
	static const struct {
		const char *lines;
		int flags; /* -1: no context, -2: deny */
		bool debug;
	} rows[] = {
		{"b3: " T "-" S "-1", 1, false},
		{"B3: " T "-" S "-0", 0, false},
		{"b3: " T "-" S "-d", 1, true},
		{"b3: " T "-" S, 0, false},
		{"b3: " T "-" S "-1-1111111111111111", 1, false},
		{"b3: " T "-" S "-1-xyz", -1, false},
		{"b3: " T "-" S "-1111111111111111", -1, false},
		{"b3: " T "-" S "-", -1, false},
		{"b3: " T "-" S "-1-1111111111111111-", -1, false},
		{"b3: " T, -1, false},
		{"b3: 0", -2, false},
		{"b3: 1", -1, false},
		{"b3: d", -1, false},
		{"X-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Sampled: 1", 1, false},
		{"X-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Sampled: true", 1, false},
		{"X-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Sampled: false", 0, false},
		{"X-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Flags: 1", 1, true},
		{"X-B3-TraceId: " T "\nX-B3-SpanId: " S, 0, false},
		{"X-B3-TraceId: " T "\nX-B3-Sampled: 1", -1, false},
		{"X-B3-SpanId: " S, -1, false},
		{"X-B3-Sampled: 0", -2, false},
		{"b3: junk\nX-B3-TraceId: " T "\nX-B3-SpanId: " S "\nX-B3-Sampled: 1", 1, false},
	};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		use(i & 1 ? FORMAT_B3 : FORMAT_B3MULTI, 0);
		assert_int_equal(extract(rows[i / 2].lines), rows[i / 2].flags >= 0);
		assert_int_equal(got.deny, rows[i / 2].flags == -2);
		if (rows[i / 2].flags < 0)
			continue;
		assert_ids(T, S);
		assert_int_equal(got.flags, rows[i / 2].flags);
		assert_int_equal(got.debug, rows[i / 2].debug);
	}
	assert_true(extract("b3: 8448eb211c80319c-" S "-1"));
	assert_ids("00000000000000008448eb211c80319c", S);
}

static void test_b3_writes_each_kind(void **state)
{
	(void)state;
	use(FORMAT_B3, 0);
	assert_true(extract("b3: " T "-" S "-1-1111111111111111"));
	assert_string_equal(inject(0), "b3: " T "-" S "-1\r\n");
	assert_string_equal(inject(1u << FIELD_B3_TRACEID), "");
	assert_true(extract("b3: " T "-" S "-d"));
	assert_string_equal(inject(0), "b3: " T "-" S "-d\r\n");
	use(FORMAT_B3MULTI, 0);
	assert_string_equal(inject(0), "x-b3-traceid: " T "\r\nx-b3-spanid: " S "\r\nx-b3-flags: 1\r\n");
	assert_true(extract("b3: " T "-" S "-0"));
	assert_string_equal(inject(0), "x-b3-traceid: " T "\r\nx-b3-spanid: " S "\r\nx-b3-sampled: 0\r\n");
	assert_string_equal(inject(1u << FIELD_B3_TRACEID), "");
}

static void test_jaeger(void **state)
{
	(void)state;
	use(FORMAT_JAEGER, 0);
	assert_true(extract("uber-trace-id: " T ":" S ":0:1\nuberctx-User: a b\njaeger-baggage: k=v, l=w"));
	assert_ids(T, S);
	assert_int_equal(got.flags, 1);
	assert_string_equal(text_of(got.baggage), "user=a%20b,k=v,l=w");
	assert_string_equal(inject(0), "uber-trace-id: " T ":" S
				       ":0:1\r\nuberctx-user: a%20b\r\nuberctx-k: v\r\nuberctx-l: w\r\n");
	assert_true(extract("uber-trace-id: " T "%3A" S "%3a0%3A3"));
	assert_true(got.debug);
	assert_string_equal(inject(0), "uber-trace-id: " T ":" S ":0:3\r\n");
	assert_true(extract("uber-trace-id: ABC:d:0:0"));
	assert_ids("00000000000000000000000000000abc", "000000000000000d");
	assert_int_equal(got.flags, 0);
	assert_false(extract("uber-trace-id: " T ":" S ":0"));
	assert_false(extract("uber-trace-id: " T ":" S ":0:1:"));
	assert_false(extract("uber-trace-id: " T ":" S ":0:"));
	assert_false(extract("uber-trace-id: " T ":" S ":0:x"));
	assert_false(extract("uber-trace-id: 0:" S ":0:1"));
	assert_false(extract("uber-trace-id: " T ":0:0:1"));
	assert_false(extract("uber-trace-id: 1" T ":" S ":0:1"));
}

static void test_xray(void **state)
{
	static const char root[] = "Root=1-0af76519-16cd43dd8448eb211c80319c";
	(void)state;
	use(FORMAT_XRAY, 0);
	assert_true(extract("x-amzn-trace-id: Sampled=1; Parent=" S
			    ";Self=1; Root=1-0af76519-16cd43dd8448eb211c80319c"));
	assert_ids(T, S);
	assert_int_equal(got.flags, 1);
	got.baggage = BYTES("k=v;p,Root=x");
	assert_string_equal(inject(0), "X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" S
				       ";Sampled=1;k=v\r\n");
	assert_true(strstr(wire, root) != NULL);
	assert_true(
		extract("X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" S ";Sampled=?"));
	assert_int_equal(got.flags, 0);
	assert_false(extract("X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c"));
	assert_false(extract("X-Amzn-Trace-Id: Root=2-0af76519-16cd43dd8448eb211c80319c;Parent=" S));
	assert_false(extract("X-Amzn-Trace-Id: Root=1-0af7651-916cd43dd8448eb211c80319c;Parent=" S));
	assert_false(extract("X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=abc"));
}

static void test_ottrace(void **state)
{
	(void)state;
	use(FORMAT_OTTRACE, 0);
	assert_true(extract("ot-tracer-traceid: " T "\not-tracer-spanid: " S
			    "\not-tracer-sampled: true\not-baggage-K: v"));
	assert_ids(T, S);
	assert_int_equal(got.flags, 1);
	assert_string_equal(inject(0), "ot-tracer-traceid: 8448eb211c80319c\r\not-tracer-spanid: " S
				       "\r\not-tracer-sampled: true\r\not-baggage-k: v\r\n");
	assert_true(extract("ot-tracer-traceid: 8448eb211c80319c\not-tracer-spanid: " S));
	assert_ids("00000000000000008448eb211c80319c", S);
	assert_int_equal(got.flags, 0);
	assert_false(extract("ot-tracer-traceid: " T "\not-tracer-spanid: " S "\not-tracer-sampled: maybe"));
	assert_false(extract("ot-tracer-traceid: " T "\not-baggage-K: v"));
	assert_int_equal(got.baggage.len, 0);
}

static void test_extract_lets_a_later_success_replace(void **state)
{
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_B3);
	assert_true(
		extract(PARENT "tracestate: a=1\nb3: 00000000000000008448eb211c80319c-1111111111111111-0"));
	assert_ids("00000000000000008448eb211c80319c", "1111111111111111");
	assert_int_equal(got.tracestate.len, 0);
	assert_true(extract(PARENT "tracestate: a=1\nb3: junk"));
	assert_ids(T, S);
	assert_string_equal(text_of(got.tracestate), "a=1");
	assert_true(extract(PARENT "b3: 0"));
	assert_false(got.deny);
}

static void test_extract_drops_lists_that_are_incomplete(void **state)
{
	char lines[1024] = PARENT "baggage: a=1";
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_BAGGAGE);
	for (int i = 0; i < EXTRACTION_FIELDS; i++)
		strcat(lines, "\ntracestate: a=1");
	assert_true(extract(lines));
	assert_int_equal(got.tracestate.len, 0);
	assert_int_equal(got.baggage.len, 0);
	strcat(lines, "\n" PARENT);
	assert_false(extract(lines)); /* the second traceparent is seen all the same */
}

static void test_field_knows_configured_names_only(void **state)
{
	(void)state;
	use(FORMAT_TRACECONTEXT, 0);
	assert_int_equal(context_field(BYTES("TRACEPARENT")), FIELD_TRACEPARENT);
	assert_int_equal(context_field(BYTES("baggage")), 0);
	assert_int_equal(context_field(BYTES("traceparentx")), 0);
	assert_int_equal(context_field(BYTES("host")), 0);
	assert_int_equal(context_field(BYTES("")), 0);
	assert_int_equal(context_field_env(BYTES("TRACEPARENT")), FIELD_TRACEPARENT);
	assert_int_equal(context_field_env(BYTES("traceparent")), 0);
	use(FORMAT_B3, FORMAT_JAEGER);
	assert_int_equal(context_field_env(BYTES("X_B3_TRACEID")), FIELD_B3_TRACEID);
	assert_int_equal(context_field_env(BYTES("UBER_TRACE_ID")), FIELD_UBER_TRACE_ID);
	assert_int_equal(context_field_env(BYTES("UBERCTX_KEY")), FIELD_UBERCTX);
	assert_int_equal(context_field_env(BYTES("UBERCTX_key")), 0);
	assert_int_equal(context_field(BYTES("uberctx-")), 0);
	use(0, 0);
	assert_int_equal(context_field(BYTES("traceparent")), 0);
}

static void test_env_name_is_normalised(void **state)
{
	char out[32];
	(void)state;
	assert_int_equal(context_env_name(BYTES("X-Amzn-Trace-Id"), out, sizeof(out)), 15);
	assert_string_equal(out, "X_AMZN_TRACE_ID");
	context_env_name(BYTES(""), out, sizeof(out));
	assert_string_equal(out, "_");
	context_env_name(BYTES("1a.\xc3"), out, sizeof(out));
	assert_string_equal(out, "_1A__");
	assert_int_equal(context_env_name(BYTES("abc"), out, 4), 0);
}

static void test_inject_never_doubles(void **state)
{
	(void)state;
	use(FORMAT_TRACECONTEXT, FORMAT_BAGGAGE);
	assert_true(extract(PARENT "tracestate: a=1\nbaggage: k=v"));
	assert_string_equal(inject(0),
			    "traceparent: 00-" T "-" S "-01\r\ntracestate: a=1\r\nbaggage: k=v\r\n");
	assert_string_equal(inject(1u << FIELD_TRACEPARENT), "baggage: k=v\r\n");
	assert_string_equal(inject(1u << FIELD_TRACESTATE),
			    "traceparent: 00-" T "-" S "-01\r\nbaggage: k=v\r\n");
	assert_int_equal(context_inject_lines(&got, 0, wire, 69), 0); /* one too few */
	assert_int_equal(context_inject_lines(&got, 0, wire, 70), 70);
}

static void test_span_offset_finds_our_own_span_only(void **state)
{
	static const struct {
		uint32_t field;
		const char *value;
		int offset;
	} rows[] = {
		{FIELD_TRACEPARENT, "00-" T "-" S "-01", 36},
		{FIELD_TRACEPARENT, "00-" T "-1111111111111111-01", -1},
		{FIELD_TRACEPARENT, "00-1af7651916cd43dd8448eb211c80319c-" S "-01", -1},
		{FIELD_TRACEPARENT, "00-" T "-" S "-01-", -1},
		{FIELD_B3, T "-" S "-1", 33},
		{FIELD_B3, "1", -1},
		{FIELD_B3_SPANID, S, 0},
		{FIELD_B3_SPANID, "1111111111111111", -1},
		{FIELD_UBER_TRACE_ID, T ":" S ":0:1", 33},
		{FIELD_UBER_TRACE_ID, T "%3A" S "%3A0%3A1", -1},
		{FIELD_XRAY, "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" S ";Sampled=1", 48},
		{FIELD_OT_SPANID, S, 0},
		{FIELD_TRACESTATE, "a=1", -1},
	};
	(void)state;
	use(FORMAT_TRACECONTEXT, 0);
	assert_true(extract(PARENT));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(context_span_offset(rows[i].field, bytes_of(rows[i].value), &got),
				 rows[i].offset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traceparent_follows_level_2),
		cmocka_unit_test(test_tracestate_follows_level_2),
		cmocka_unit_test(test_baggage_is_kept_in_wire_form),
		cmocka_unit_test(test_baggage_drops_whole_members_that_do_not_fit),
		cmocka_unit_test(test_b3_reads_both_kinds),
		cmocka_unit_test(test_b3_writes_each_kind),
		cmocka_unit_test(test_jaeger),
		cmocka_unit_test(test_xray),
		cmocka_unit_test(test_ottrace),
		cmocka_unit_test(test_extract_lets_a_later_success_replace),
		cmocka_unit_test(test_extract_drops_lists_that_are_incomplete),
		cmocka_unit_test(test_field_knows_configured_names_only),
		cmocka_unit_test(test_env_name_is_normalised),
		cmocka_unit_test(test_inject_never_doubles),
		cmocka_unit_test(test_span_offset_finds_our_own_span_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
