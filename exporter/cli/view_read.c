/* view_read.c - lines of OTLP JSON; see view.h. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"
#include "exporter/cli/view.h"

#define CHUNK 65536
#define COMPLAINTS_PER_FILE 20

struct view_chunk {
	struct view_chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

void *view_alloc(struct view_spans *all, size_t size)
{
	struct view_chunk *chunk = all->chunks;

	size = (size + 15) & ~(size_t)15;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;
		chunk = cli_grow(NULL, 1, sizeof(*chunk) + room);
		*chunk = (struct view_chunk){.next = all->chunks, .size = room};
		all->chunks = chunk;
	}
	void *at = chunk->bytes + chunk->used;
	chunk->used += size;
	return at;
}

struct view_span *view_add(struct view_spans *all)
{
	if (all->count == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 256;
		all->at = cli_grow(all->at, all->cap, sizeof(*all->at));
	}
	struct view_span *span = view_alloc(all, sizeof(*span));
	*span = (struct view_span){0};
	all->at[all->count++] = span;
	return span;
}

const char *view_text(struct view_spans *all, const char *text, size_t len, size_t cap)
{
	char shown[1024];
	size_t used = text_escape(shown, cap < sizeof(shown) ? cap : sizeof(shown), text, len);

	return memcpy(view_alloc(all, used + 1), shown, used + 1);
}

void view_free(struct view_spans *all)
{
	while (all->chunks) {
		struct view_chunk *next = all->chunks->next;
		free(all->chunks);
		all->chunks = next;
	}
	free(all->at);
	free(all->traces);
	*all = (struct view_spans){0};
}

void view_expected(struct view_source *source, const char *what, const char *format, ...)
{
	char found[256], shown[300];
	va_list args;

	if (source->bad++ >= COMPLAINTS_PER_FILE)
		return;
	va_start(args, format);
	vsnprintf(found, sizeof(found), format, args);
	va_end(args);
	text_escape_string(shown, sizeof(shown), found);
	fprintf(stderr, "%s:%lu: expected %s, found %s\n", source->name, source->line, what, shown);
}

/* The service of a resource, as its attributes name it. */
static const char *service_of(struct view_spans *all, const json_t *resource_spans)
{
	const json_t *attributes = json_object_get(json_object_get(resource_spans, "resource"), "attributes");
	size_t i;
	json_t *item;

	json_array_foreach(attributes, i, item)
	{
		const json_t *value = json_object_get(json_object_get(item, "value"), "stringValue");
		const char *key = json_string_value(json_object_get(item, "key"));
		if (key && !strcmp(key, "service.name") && value && json_is_string(value))
			return view_text(all, json_string_value(value), json_string_length(value), 128);
	}
	return "unknown_service";
}

static void resource_spans(struct view_spans *all, struct view_source *source, const json_t *group)
{
	const json_t *scopes = json_object_get(group, "scopeSpans");
	size_t i, j;
	json_t *scope, *span;

	if (!json_is_object(group) || (scopes && !json_is_array(scopes))) {
		view_expected(source, "an object with an array scopeSpans in resourceSpans",
			      "something else");
		return;
	}
	const char *service = service_of(all, group);
	json_array_foreach(scopes, i, scope)
	{
		const json_t *spans = json_object_get(scope, "spans");
		if (!json_is_object(scope) || (spans && !json_is_array(spans))) {
			view_expected(source, "an object with an array spans in scopeSpans",
				      "something else");
			continue;
		}
		json_array_foreach(spans, j, span) view_json_span(all, source, span, service);
	}
}

/* An object that is well-formed JSON but holds no traces: names what it seems to be. */
static void foreign(struct view_source *source, json_t *root)
{
	static const char what[] = "an object with resourceSpans (OTLP traces)";
	static const char *const names[] = {"array",  "array", "text",  "number",
					    "number", "true",  "false", "null"};

	if (!json_is_object(root))
		view_expected(source, what, "%s %s", json_typeof(root) == JSON_ARRAY ? "an" : "a",
			      json_is_string(root) ? "text" : names[json_typeof(root)]);
	else if (json_object_get(root, "resourceMetrics"))
		view_expected(source, what, "resourceMetrics (OTLP metrics)");
	else if (json_object_get(root, "resourceLogs"))
		view_expected(source, what, "resourceLogs (OTLP logs)");
	else if (json_object_get(root, "resourceSpans"))
		view_expected(source, what, "resourceSpans that is no array");
	else if (json_object_size(root) == 0)
		view_expected(source, what, "an empty object");
	else
		view_expected(source, what, "an object that begins with \"%.60s\"",
			      json_object_iter_key(json_object_iter(root)));
}

void view_line(struct view_spans *all, struct view_source *source, const char *line, size_t len)
{
	json_error_t error;
	size_t blank = 0;

	while (blank < len && isspace((unsigned char)line[blank]))
		blank++;
	if (blank == len)
		return;
	json_t *root = json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!root) {
		view_expected(source, "a line of JSON", "%s at byte %d", error.text, error.position);
		return;
	}
	const json_t *groups = json_object_get(root, "resourceSpans");
	size_t i;
	json_t *group;
	if (!json_is_array(groups))
		foreign(source, root);
	json_array_foreach(groups, i, group) resource_spans(all, source, group);
	json_decref(root);
}

bool view_read(struct view_spans *all, struct view_source *source, FILE *file)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	errno = 0;
	while ((len = getline(&line, &cap, file)) >= 0) {
		source->line++;
		view_line(all, source, line, (size_t)len);
		errno = 0;
	}
	int why = errno; /* also where a line does not fit into memory: getline() fails without ferror() */
	free(line);
	if (source->bad > COMPLAINTS_PER_FILE)
		fprintf(stderr, "%s: and %lu more that were not understood\n", source->name,
			source->bad - COMPLAINTS_PER_FILE);
	errno = why;
	return feof(file) && !ferror(file);
}
