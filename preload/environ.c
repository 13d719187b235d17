/* environ.c - what a new program finds in its environment. */
#include "preload/environ.h"

#include <string.h>
#include <unistd.h>

#include "preload/readable.h"
#include "preload/sys.h"

#define PAGE 4096u
#define OWN_MOST 128 /* settings of ours that are remembered */
#define PRELOAD "LD_PRELOAD="
#define PRELOAD_MOST 4096
#define NAME_MOST 64 /* no name that concerns us is longer */
#define HTTP "HTTP_"
#define GATEWAY "GATEWAY_INTERFACE=CGI/"
#define METHOD "REQUEST_METHOD="

static struct {
	char library[1024];  /* our own path, absolute; empty: we did not come by LD_PRELOAD */
	char *own[OWN_MOST]; /* "OTEL_...=...", copies */
	size_t own_count;
	/* Context as we were started with: an entry that still says the same was passed on, not written. */
	char *received[FIELD_COUNT];
	char *received_http[FIELD_COUNT];
} start;

/* --- reading the host's strings ---------------------------------------------------------------------- */

/* Is text, up to its end or `most` bytes, readable? Asked page by page. */
static bool readable_text(const char *text, size_t most, size_t *length)
{
	size_t n = 0;
	while (n < most) {
		if (!readable(text + n, 1))
			return false;
		size_t page_left = PAGE - (uintptr_t)(text + n) % PAGE;
		size_t look = page_left < most - n ? page_left : most - n;
		size_t part = strnlen(text + n, look);
		n += part;
		if (part < look)
			break;
	}
	*length = n;
	return true;
}

static struct bytes entry_name(const char *entry)
{
	return (struct bytes){entry, strcspn(entry, "=")};
}

static bool has_prefix(const char *entry, const char *prefix)
{
	return strncmp(entry, prefix, strlen(prefix)) == 0;
}

bool environ_is_cgi(char *const env[])
{
	bool gateway = false, method = false;
	for (size_t i = 0; env && env[i]; i++) {
		gateway |= has_prefix(env[i], GATEWAY);
		method |= has_prefix(env[i], METHOD);
	}
	return gateway && method;
}

uint32_t environ_http_field(const char *entry, struct bytes *name)
{
	if (!has_prefix(entry, HTTP))
		return FIELD_NONE;
	*name = (struct bytes){entry + strlen(HTTP), strnlen(entry + strlen(HTTP), NAME_MOST - strlen(HTTP))};
	name->len = bytes_find(*name, '=');
	return context_field_env(*name);
}

/* What does not say which span it belongs to: the client's stays the client's. */
static bool is_baggage(uint32_t field)
{
	return field == FIELD_BAGGAGE || field == FIELD_UBERCTX || field == FIELD_JAEGER_BAGGAGE ||
	       field == FIELD_OT_BAGGAGE;
}

static bool is_setting(const char *entry)
{
	return has_prefix(entry, "OTEL_") || has_prefix(entry, "TAGALONG_");
}

/* Fields of one format stand and fall with the one that names the trace. */
static uint32_t field_group(uint32_t field)
{
	switch (field) {
	case FIELD_TRACESTATE:
		return FIELD_TRACEPARENT;
	case FIELD_B3_SPANID:
	case FIELD_B3_SAMPLED:
	case FIELD_B3_FLAGS:
	case FIELD_B3_PARENTSPANID:
		return FIELD_B3_TRACEID;
	case FIELD_OT_SPANID:
	case FIELD_OT_SAMPLED:
		return FIELD_OT_TRACEID;
	default:
		return field;
	}
}

/* --- LD_PRELOAD -------------------------------------------------------------------------------------- */

static bool separates(char c)
{
	return c == ' ' || c == ':';
}

static bool next_library(const char **list, struct bytes *item)
{
	while (separates(**list))
		(*list)++;
	*item = (struct bytes){*list, strcspn(*list, " :")};
	*list += item->len;
	return item->len > 0;
}

/* Ours under any path: a relative one, another copy, a bare soname. */
static bool is_library(struct bytes item)
{
	size_t slash = item.len;
	while (slash > 0 && item.ptr[slash - 1] != '/')
		slash--;
	return bytes_equal(bytes_from(item, slash), BYTES("libtagalong.so")) ||
	       bytes_equal(item, bytes_of(start.library));
}

/* How often we are named, and whether as we want to be: by our own path, or by one the loader expands ($LIB).
 */
static int count_library(const char *list, bool *exact)
{
	struct bytes item;
	int count = 0;
	*exact = true;
	while (next_library(&list, &item)) {
		if (!is_library(item))
			continue;
		count++;
		if (!bytes_equal(item, bytes_of(start.library)) && bytes_find(item, '$') == item.len)
			*exact = false;
	}
	return count;
}

static char *append(char *at, struct bytes text)
{
	memcpy(at, text.ptr, text.len);
	return at + text.len;
}

/* Ours where it stood first, or in front; the others as they stood. Empty: NULL, no entry at all. */
static char *write_preload(const struct environ_plan *plan, char *at)
{
	const char *list = plan->preload ? plan->preload : "";
	bool exact, done = plan->drop_library;
	struct bytes item;

	at = append(at, BYTES(PRELOAD));
	char *first = at;
	if (!done && count_library(list, &exact) == 0) {
		at = append(at, bytes_of(start.library));
		done = true;
	}
	while (next_library(&list, &item)) {
		bool ours = is_library(item);
		if (ours && done)
			continue;
		if (ours) {
			done = true;
			if (bytes_find(item, '$') == item.len)
				item = bytes_of(start.library);
		}
		if (at != first)
			*at++ = ':';
		at = append(at, item);
	}
	*at++ = '\0';
	return at;
}

/* --- start ------------------------------------------------------------------------------------------- */

static void remember_library(const char *path, char *const env[])
{
	const char *list = NULL;
	bool exact;
	size_t used = 0;

	for (size_t i = 0; env && env[i]; i++)
		if (has_prefix(env[i], PRELOAD))
			list = env[i] + strlen(PRELOAD);
	/* Not by LD_PRELOAD (ld.so.preload, linked in): then children get us the same way. */
	start.library[0] = '\0';
	if (!path || !list)
		return;
	/* A relative path is of no use to a child that runs elsewhere. */
	if (path[0] != '/' && strchr(path, '/')) {
		if (!getcwd(start.library, sizeof(start.library) - 1))
			start.library[0] = '\0';
		used = strlen(start.library);
		if (used == 0)
			return;
		start.library[used++] = '/';
	}
	size_t length = strlen(path);
	if (used + length >= sizeof(start.library) || strpbrk(path, " :")) {
		start.library[0] = '\0';
		return;
	}
	memcpy(start.library + used, path, length + 1);
	if (strpbrk(start.library, " :") || count_library(list, &exact) == 0)
		start.library[0] = '\0';
}

void environ_init(const char *own_path, char *const env[])
{
	size_t size = 0;
	struct bytes name;

	start.own_count = 0;
	memset(start.received, 0, sizeof(start.received));
	memset(start.received_http, 0, sizeof(start.received_http));
	remember_library(own_path, env);
	for (size_t i = 0; env && env[i]; i++)
		if (is_setting(env[i]) || context_field_env(entry_name(env[i])) ||
		    environ_http_field(env[i], &name))
			size += strlen(env[i]) + 1;
	char *at = size ? sys_map(size) : NULL;
	for (size_t i = 0; at && env[i]; i++) {
		uint32_t field = context_field_env(entry_name(env[i]));
		uint32_t http = environ_http_field(env[i], &name);
		bool setting = is_setting(env[i]) && start.own_count < OWN_MOST;
		if (!setting && !field && !http)
			continue;
		size_t length = strlen(env[i]) + 1;
		memcpy(at, env[i], length);
		if (http)
			start.received_http[http] = at;
		else if (field)
			start.received[field] = at;
		else
			start.own[start.own_count++] = at;
		at += length;
	}
}

/* --- plan -------------------------------------------------------------------------------------------- */

struct survey {
	bool settings;
	size_t preloads;
	bool gateway, method;
	bool passed_on; /* the HTTP_ fields are those that we were started with */
	struct extraction http;
};

/* HTTP_TRACEPARENT and so on. */
static bool look_at_http(char *entry, struct survey *survey)
{
	struct bytes name;
	size_t length;
	uint32_t field = environ_http_field(entry, &name);

	if (!field || is_baggage(field))
		return true;
	if (!readable_text(entry, 2 * CONTEXT_BAGGAGE_MAX, &length))
		return false;
	size_t value = strlen(HTTP) + name.len + 1;
	if (value <= length)
		extraction_add(&survey->http, field, BYTES_NONE,
			       (struct bytes){entry + value, length - value});
	if (!start.received_http[field] || strcmp(start.received_http[field], entry) != 0)
		survey->passed_on = false;
	return true;
}

/* One entry of the host's. False: it cannot be read. */
static bool look_at(struct environ_plan *plan, char *entry, struct survey *survey)
{
	size_t length;

	if (!readable_text(entry, NAME_MOST, &length))
		return false;
	if (has_prefix(entry, PRELOAD)) {
		if (!readable_text(entry, PRELOAD_MOST, &length) || length == PRELOAD_MOST)
			return false;
		plan->preload = entry + strlen(PRELOAD);
		survey->preloads++;
		return true;
	}
	if (is_setting(entry)) {
		survey->settings = true;
		return true;
	}
	survey->gateway |= has_prefix(entry, GATEWAY);
	survey->method |= has_prefix(entry, METHOD);
	if (has_prefix(entry, HTTP))
		return look_at_http(entry, survey);
	struct bytes name = {entry, strnlen(entry, NAME_MOST)};
	name.len = bytes_find(name, '=');
	uint32_t field = context_field_env(name);
	if (!field)
		return true;
	if (!readable_text(entry, 2 * CONTEXT_BAGGAGE_MAX, &length))
		return false;
	/* Fields with a key in their name are many; they go with the format that wrote them. */
	if (field == FIELD_UBERCTX || field == FIELD_OT_BAGGAGE)
		return true;
	if (!start.received[field] || strcmp(start.received[field], entry) != 0)
		plan->present |= 1u << field_group(field);
	return true;
}

static void count_put(void *arg, struct bytes name, struct bytes value)
{
	struct environ_plan *plan = arg;
	plan->fields++;
	/* One more: a name that begins with a digit gets something in front. */
	plan->size += name.len + value.len + 3 + sizeof(char *);
}

static void count_http(void *arg, struct bytes name, struct bytes value)
{
	struct environ_plan *plan = arg;
	count_put(plan, name, value);
	plan->size += strlen(HTTP);
}

static bool has_context(const struct context *context)
{
	return context->valid || context->baggage.len;
}

static void decide_library(struct environ_plan *plan, const struct survey *survey)
{
	bool exact = true;
	if (!start.library[0])
		return;
	int named = plan->preload ? count_library(plan->preload, &exact) : 0;
	bool loadable = start.library[0] != '/' || sys_access(start.library, R_OK) == 0;

	/* In a chroot without us the loader would complain on the program's stderr. */
	plan->drop_library = !loadable;
	if (!loadable)
		plan->edit_preload = named > 0;
	else
		plan->edit_preload = named != 1 || !exact || survey->preloads > 1;
}

static struct context without_baggage(const struct context *context)
{
	struct context span = *context;
	span.baggage = BYTES_NONE;
	return span;
}

/* May the client's fields become the context's? Not if somebody else has changed them. */
static bool decide_cgi(const struct environ_plan *plan, const struct survey *survey, const uint8_t *received)
{
	char text[CONTEXT_STATE_MAX];
	struct context theirs;

	if (!survey->gateway || !survey->method || !plan->context.valid)
		return false;
	if (survey->http.count == 0)
		return received != NULL;
	if (survey->passed_on)
		return true;
	return received && context_extract(&survey->http, &theirs, text, sizeof(text)) &&
	       memcmp(theirs.trace_id, plan->context.trace_id, sizeof(theirs.trace_id)) == 0 &&
	       memcmp(theirs.span_id, received, sizeof(theirs.span_id)) == 0;
}

void environ_plan(struct environ_plan *plan, char *const envp[], const struct context *context,
		  const uint8_t *received)
{
	struct survey survey = {.passed_on = true};

	extraction_init(&survey.http);
	memset(plan, 0, sizeof(*plan));
	plan->source = envp;
	for (size_t i = 0; envp; i++) {
		if (!readable(&envp[i], sizeof(envp[i])) || i * sizeof(char *) > ENVIRON_ROOM_MOST)
			return;
		if (!envp[i]) {
			plan->entries = i;
			break;
		}
		if (!look_at(plan, envp[i], &survey))
			return;
	}
	if (context && has_context(context))
		plan->context = *context;
	plan->add_own = !survey.settings && start.own_count > 0;
	decide_library(plan, &survey);
	plan->cgi = decide_cgi(plan, &survey, received);
	if (!plan->edit_preload && !plan->add_own && !has_context(&plan->context))
		return;

	plan->size = (plan->entries + start.own_count + 2) * sizeof(char *) + strlen(start.library) +
		     sizeof(PRELOAD) + 2 + (plan->preload ? strlen(plan->preload) : 0);
	context_inject(&plan->context, plan->present, count_put, plan);
	if (plan->cgi) {
		struct context span = without_baggage(&plan->context);
		context_inject(&span, 0, count_http, plan);
	}
	if (plan->size > ENVIRON_ROOM_MOST)
		plan->size = 0;
}

/* --- build ------------------------------------------------------------------------------------------- */

struct copy {
	const char *prefix;
	char **next;
	char *text;
};

static void write_put(void *arg, struct bytes name, struct bytes value)
{
	struct copy *copy = arg;
	*copy->next++ = copy->text;
	copy->text = append(copy->text, bytes_of(copy->prefix));
	copy->text += context_env_name(name, copy->text, name.len + 2);
	*copy->text++ = '=';
	copy->text = append(copy->text, value);
	*copy->text++ = '\0';
}

/* Does our copy have something else in place of this entry? */
static bool replaced(const struct environ_plan *plan, const char *entry)
{
	if (plan->edit_preload && has_prefix(entry, PRELOAD))
		return true;
	struct bytes name;
	if (plan->cgi && has_prefix(entry, HTTP)) {
		uint32_t http = environ_http_field(entry, &name);
		return http && !is_baggage(http);
	}
	uint32_t field = context_field_env(entry_name(entry));
	if (!field || !has_context(&plan->context))
		return false;
	if (plan->present & (1u << field_group(field)))
		return false;
	/* Baggage lives without a span, and a span without baggage. */
	return field == FIELD_BAGGAGE ? plan->context.baggage.len > 0 : plan->context.valid;
}

char **environ_build(const struct environ_plan *plan, void *room)
{
	char **list = room;
	struct copy copy = {"", list, NULL};

	copy.text = (char *)(list + plan->entries + start.own_count + 2 + plan->fields);
	for (size_t i = 0; i < plan->entries; i++)
		if (!replaced(plan, plan->source[i]))
			*copy.next++ = plan->source[i];
	if (plan->add_own)
		for (size_t i = 0; i < start.own_count; i++)
			*copy.next++ = start.own[i];
	if (plan->edit_preload) {
		char *text = copy.text;
		copy.text = write_preload(plan, text);
		if (text[strlen(PRELOAD)])
			*copy.next++ = text;
	}
	if (has_context(&plan->context))
		context_inject(&plan->context, plan->present, write_put, &copy);
	if (plan->cgi) {
		struct context span = without_baggage(&plan->context);
		copy.prefix = HTTP;
		context_inject(&span, 0, write_put, &copy);
	}
	*copy.next = NULL;
	return list;
}
