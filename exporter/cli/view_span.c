/* view_span.c - one span of OTLP JSON; see view.h. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/text.h"
#include "exporter/cli/view.h"

#define DETAIL_CAP 512

/* The attributes that tell most about a span. */
enum key {
	PATH,
	URL,
	QUERY,
	STATUS,
	ERROR_TYPE,
	DB_SUMMARY,
	DB_TEXT,
	DB_OPERATION,
	RPC_METHOD,
	DESTINATION,
	PROCESS,
	EXIT_CODE,
	HTTP_METHOD,
	AMBIGUITY,
	KEYS
};
static const char *const key_names[KEYS] = {
	[PATH] = "url.path",
	[URL] = "url.full",
	[QUERY] = "url.query",
	[STATUS] = "http.response.status_code",
	[ERROR_TYPE] = "error.type",
	[DB_SUMMARY] = "db.query.summary",
	[DB_TEXT] = "db.query.text",
	[DB_OPERATION] = "db.operation.name",
	[RPC_METHOD] = "rpc.method",
	[DESTINATION] = "messaging.destination.name",
	[PROCESS] = "process.executable.name",
	[EXIT_CODE] = "process.exit.code",
	[HTTP_METHOD] = "http.request.method",
	[AMBIGUITY] = "tagalong.parent.ambiguity",
};

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* All zero is no id. */
static bool read_id(const json_t *json, uint8_t *id, size_t size)
{
	const char *text = json_string_value(json);
	uint8_t any = 0;

	if (!text || json_string_length(json) != size * 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
		any |= id[i];
	}
	return any;
}

/* 64-bit numbers are text when written as the standard says, and may be numbers. */
static bool read_uint64(const json_t *json, uint64_t *value)
{
	const char *text = json_string_value(json);
	char *end;

	if (json_is_integer(json) && json_integer_value(json) >= 0) {
		*value = (uint64_t)json_integer_value(json);
		return true;
	}
	if (!text || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && *end == '\0';
}

/* What was found where something else should be, for a complaint. */
static const char *found(const json_t *json, char *out, size_t cap)
{
	if (!json)
		snprintf(out, cap, "none");
	else if (json_is_string(json))
		snprintf(out, cap, "\"%.60s\"", json_string_value(json));
	else if (json_is_integer(json))
		snprintf(out, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else
		snprintf(out, cap, "%s",
			 json_is_object(json)  ? "an object"
			 : json_is_array(json) ? "an array"
					       : "another type");
	return out;
}

static bool required(struct view_source *source, const json_t *json, struct view_span *span)
{
	const json_t *parent = json_object_get(json, "parentSpanId");
	const json_t *end = json_object_get(json, "endTimeUnixNano");
	char text[128];

#define FIELD(good, what, value)                                                     \
	if (!(good)) {                                                               \
		view_expected(source, what, "%s", found(value, text, sizeof(text))); \
		return false;                                                        \
	}
	FIELD(json_is_object(json), "an object in spans", json)
	const json_t *trace = json_object_get(json, "traceId"), *id = json_object_get(json, "spanId");
	const json_t *start = json_object_get(json, "startTimeUnixNano");
	FIELD(read_id(trace, span->trace, 16), "32 hex digits, not all 0, in traceId", trace)
	FIELD(read_id(id, span->id, 8), "16 hex digits, not all 0, in spanId", id)
	FIELD(read_uint64(start, &span->start) && span->start, "nanoseconds in startTimeUnixNano", start)
	FIELD(!end || read_uint64(end, &span->end), "nanoseconds in endTimeUnixNano", end)
#undef FIELD
	/* Empty and all zero both stand for no parent; a parent that is neither makes only itself unusable.
	 */
	span->has_parent = read_id(parent, span->parent, 8);
	const char *parent_text = json_string_value(parent);
	if (parent && !json_is_null(parent) && !span->has_parent &&
	    !(parent_text && strspn(parent_text, "0") == json_string_length(parent)))
		view_expected(source, "16 hex digits in parentSpanId", "%s",
			      found(parent, text, sizeof(text)));
	return true;
}

/* A value as text, cut to what anybody would read. */
static void value_text(const json_t *value, char *out, size_t cap)
{
	const json_t *text = json_object_get(value, "stringValue"),
		     *number = json_object_get(value, "intValue");
	uint64_t integer;

	out[0] = '\0';
	if (json_is_string(text))
		text_escape(out, cap, json_string_value(text), json_string_length(text));
	else if (read_uint64(number, &integer))
		snprintf(out, cap, "%" PRIu64, integer);
	else if (json_is_string(number))
		text_escape(out, cap, json_string_value(number), json_string_length(number));
}

static void append(char detail[DETAIL_CAP], const char *before, const char *text, const char *after)
{
	size_t used = strlen(detail);
	char joined[DETAIL_CAP];

	if (!text[0])
		return;
	snprintf(joined, sizeof(joined), "%s%s%s%s", used ? " " : "", before, text, after);
	/* All of it is escaped text already: this only cuts, and at a character. */
	if (DETAIL_CAP - used >= 16)
		text_escape(detail + used, DETAIL_CAP - used, joined, strlen(joined));
}

static void describe(char values[KEYS][256], const char *name, const json_t *status, char detail[DETAIL_CAP])
{
	static const enum key subjects[] = {URL,          PATH,       DB_SUMMARY,  DB_TEXT,
					    DB_OPERATION, RPC_METHOD, DESTINATION, PROCESS};
	const json_t *message = json_object_get(status, "message");
	char text[160] = "";

	detail[0] = '\0';
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (!values[subjects[i]][0] || !strcmp(values[subjects[i]], name))
			continue; /* a query's name is its summary, and its text says more */
		const char *subject = values[subjects[i]];
		size_t len = strlen(name); /* INCRBY, and INCRBY key ? */
		append(detail, "",
		       len && !strncmp(subject, name, len) && subject[len] == ' ' ? subject + len + 1
										  : subject,
		       "");
		break;
	}
	if (!values[URL][0] && values[QUERY][0] && strlen(detail) + 32 < DETAIL_CAP) {
		size_t used = strlen(detail);
		detail[used] = '?';
		text_escape_string(detail + used + 1, DETAIL_CAP - used - 1, values[QUERY]);
	}
	append(detail, "", values[STATUS], "");
	append(detail, "exit ", values[EXIT_CODE], "");
	if (strcmp(values[ERROR_TYPE], values[STATUS]) != 0)
		append(detail, "", values[ERROR_TYPE], "");
	if (json_is_string(message))
		text_escape(text, sizeof(text), json_string_value(message), json_string_length(message));
	append(detail, "(", text, ")");
}

static void read_attributes(const json_t *attributes, struct view_span *span, char values[KEYS][256])
{
	size_t i;
	json_t *item;

	for (i = 0; i < KEYS; i++)
		values[i][0] = '\0';
	json_array_foreach(attributes, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "key"));
		const json_t *value = json_object_get(item, "value");
		for (size_t k = 0; name && k < KEYS; k++)
			if (!strcmp(name, key_names[k]))
				value_text(value, values[k], sizeof(values[k]));
		if (name && !strcmp(name, "tagalong.parent.ambiguous"))
			span->ambiguous = json_is_true(json_object_get(value, "boolValue"));
	}
}

#define NOTES_MOST 16
#define NOTE_CAP 320

static struct view_note **add_note(struct view_spans *all, struct view_note **last, const char *text)
{
	struct view_note *note = view_alloc(all, sizeof(*note));
	*note = (struct view_note){.text = view_text(all, text, strlen(text), NOTE_CAP)};
	*last = note;
	return &note->next;
}

/* What it goes back to without being its child. */
static struct view_note **read_links(struct view_spans *all, const json_t *links, struct view_note **last)
{
	size_t i;
	json_t *item;
	char text[NOTE_CAP];

	json_array_foreach(links, i, item)
	{
		const json_t *trace = json_object_get(item, "traceId");
		if (i == NOTES_MOST)
			break;
		if (!json_is_string(trace) || !json_string_length(trace))
			continue;
		snprintf(text, sizeof(text), "follows trace %.64s", json_string_value(trace));
		last = add_note(all, last, text);
	}
	return last;
}

/* The same statement many times in one request. */
static void read_repeats(struct view_spans *all, const json_t *attributes, struct view_note **last)
{
	size_t i, k;
	json_t *item, *value;
	char text[NOTE_CAP], query[256];

	json_array_foreach(attributes, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "key"));
		if (!name || strcmp(name, "tagalong.repeated_queries") != 0)
			continue;
		const json_t *array = json_object_get(json_object_get(item, "value"), "arrayValue");
		json_array_foreach(json_object_get(array, "values"), k, value)
		{
			if (k == NOTES_MOST)
				break;
			value_text(value, query, sizeof(query));
			if (!query[0])
				continue;
			snprintf(text, sizeof(text), "repeated: %s", query);
			last = add_note(all, last, text);
		}
		break;
	}
}

#define EVENTS_MOST 1000 /* of a span: more are nobody's to read */

static struct view_event *read_events(struct view_spans *all, const json_t *events)
{
	struct view_event *first = NULL, **last = &first;
	size_t i;
	json_t *item;

	json_array_foreach(events, i, item)
	{
		const json_t *name = json_object_get(item, "name");
		uint64_t at;
		if (i == EVENTS_MOST)
			break;
		if (!read_uint64(json_object_get(item, "timeUnixNano"), &at))
			continue;
		struct view_event *event = view_alloc(all, sizeof(*event));
		*event = (struct view_event){.at = at, .name = "(no name)"};
		if (json_is_string(name) && json_string_length(name))
			event->name = view_text(all, json_string_value(name), json_string_length(name), 256);
		*last = event;
		last = &event->next;
	}
	return first;
}

void view_json_span(struct view_spans *all, struct view_source *source, const void *json, const char *service)
{
	const json_t *name = json_object_get(json, "name"), *status = json_object_get(json, "status");
	char values[KEYS][256], detail[DETAIL_CAP];
	struct view_span read = {.file = source->name, .line = source->line, .service = service};
	uint64_t number;

	if (!required(source, json, &read))
		return;
	read_attributes(json_object_get(json, "attributes"), &read, values);
	describe(values, json_is_string(name) ? json_string_value(name) : "", status, detail);
	struct view_note **rest = read_links(all, json_object_get(json, "links"), &read.notes);
	read_repeats(all, json_object_get(json, "attributes"), rest);
	if (values[AMBIGUITY][0])
		read.ambiguity = view_text(all, values[AMBIGUITY], strlen(values[AMBIGUITY]), 24);
	read.events = read_events(all, json_object_get(json, "events"));
	if (read_uint64(json_object_get(json, "kind"), &number) && number <= KIND_CONSUMER)
		read.kind = (uint8_t)number;
	read.error = read_uint64(json_object_get(status, "code"), &number) && number == 2;
	read.name = json_is_string(name) && json_string_length(name)
			    ? view_text(all, json_string_value(name), json_string_length(name), 256)
			    : "(no name)";
	/* Escaped already: a second time would change nothing but cost. */
	size_t len = strlen(detail) + 1;
	read.detail = memcpy(view_alloc(all, len), detail, len);
	*view_add(all) = read;
}
