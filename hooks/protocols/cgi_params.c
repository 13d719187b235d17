/* cgi_params.c - variables of a request, and fields of a response, as one HTTP message. RFC 3875. */
#include "hooks/protocols/cgi.h"

#define REQUESTS_SHARE 6144
#define ROOM_FOR_NAMES 320   /* attributes and context leave this much: every name must be told */
#define ROOM_FOR_CONTEXT 960 /* attributes leave this much */

struct record {
	uint16_t size; /* of what follows */
	uint16_t name_len;
	uint8_t field;
	bool captured;
};

static const struct {
	struct bytes name;
	enum cgi_field field;
} variables[] = {
	{{"REQUEST_METHOD", 14}, CGI_METHOD},
	{{"REQUEST_URI", 11}, CGI_URI},
	{{"SCRIPT_NAME", 11}, CGI_SCRIPT},
	{{"QUERY_STRING", 12}, CGI_QUERY},
	{{"SERVER_PROTOCOL", 15}, CGI_PROTOCOL},
	{{"HTTP_HOST", 9}, CGI_HOST},
	{{"SERVER_NAME", 11}, CGI_SERVER_NAME},
	{{"SERVER_PORT", 11}, CGI_SERVER_PORT},
	{{"REQUEST_SCHEME", 14}, CGI_SCHEME},
	{{"HTTPS", 5}, CGI_HTTPS},
	{{"REMOTE_ADDR", 11}, CGI_REMOTE_ADDR},
	{{"CONTENT_LENGTH", 14}, CGI_CONTENT_LENGTH},
	{{"HTTP_USER_AGENT", 15}, CGI_USER_AGENT},
	{{"HTTP_FORWARDED", 14}, CGI_FORWARDED},
	{{"HTTP_X_FORWARDED_PROTO", 22}, CGI_FORWARDED_PROTO},
	{{"HTTP_X_FORWARDED_HOST", 21}, CGI_FORWARDED_HOST},
	{{"HTTP_X_FORWARDED_FOR", 20}, CGI_FORWARDED_FOR},
};

void cgi_start(struct cgi_run *run, struct cgi_half *half, enum protocol_half which, struct bytes in,
	       struct protocol_sink *sink)
{
	memset(run, 0, offsetof(struct cgi_run, message));
	run->half = half;
	run->which = which;
	run->in = in;
	run->sink = sink;
}

void cgi_tell(struct cgi_run *run, enum protocol_event_type type, uint32_t number, size_t offset)
{
	struct protocol_event event = {
		.type = type,
		.exchange = run->exchange,
		.number = number,
		.offset = offset,
	};
	run->sink->event(run->sink, &event);
}

void cgi_begin(struct cgi_run *run)
{
	bool requests = run->which == HALF_REQUESTS;
	uint16_t from = requests ? 0 : REQUESTS_SHARE;

	*run->half = (struct cgi_half){
		.from = from,
		.used = from,
		.limit = requests ? REQUESTS_SHARE : PROTOCOL_STASH_SIZE,
	};
	run->pending = BYTES_NONE;
}

bool cgi_consume(struct cgi_run *run, size_t count)
{
	if (count > CGI_HEAD_MAX - run->half->head) {
		run->why = OPAQUE_TOO_LARGE;
		return false;
	}
	run->half->head += (uint32_t)count;
	return true;
}

/* --- the stash ------------------------------------------------------------------------------------------ */

static bool ensure(struct cgi_run *run)
{
	struct protocol_stash *stash = run->sink->stash;
	if (stash && (stash->block || (stash->take && stash->take(stash))))
		return true;
	run->why = OPAQUE_TOO_LARGE;
	return false;
}

static char *open_record(const struct cgi_run *run)
{
	return run->sink->stash->block + run->half->used + sizeof(struct record);
}

static void append(struct cgi_run *run, struct bytes text, size_t reserve, size_t most)
{
	struct cgi_half *half = run->half;
	size_t taken = half->used + sizeof(struct record) + half->open + reserve, room = 0;

	if (text.len == 0 || !ensure(run))
		return;
	if (taken < half->limit && half->open < most)
		room = half->limit - taken;
	if (half->open < most && room > most - half->open)
		room = most - half->open;
	if (text.len > room) {
		half->overflow = true;
		text.len = room;
	}
	if (text.len == 0)
		return;
	memcpy(open_record(run) + half->open, text.ptr, text.len);
	half->open = (uint16_t)(half->open + text.len);
}

static void append_value(struct cgi_run *run, struct bytes text)
{
	if (run->half->carrier)
		append(run, text, ROOM_FOR_NAMES, 4096);
	else
		append(run, text, ROOM_FOR_CONTEXT, run->half->field == CGI_URI ? 2048 : 1024);
}

static void commit(struct cgi_run *run)
{
	struct cgi_half *half = run->half;
	struct record record = {half->open, half->name_len, half->field, half->captured};

	memcpy(run->sink->stash->block + half->used, &record, sizeof(record));
	half->used = (uint16_t)(half->used + sizeof(record) + half->open);
}

/* --- a variable ----------------------------------------------------------------------------------------- */

void cgi_name(struct cgi_run *run, struct bytes piece)
{
	append(run, piece, 0, CGI_NAME_MAX);
}

static void classify_response(struct cgi_half *half, struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("status")))
		half->field = CGI_STATUS;
	else if (bytes_equal_nocase(name, BYTES("location")))
		half->field = CGI_LOCATION;
	else if (bytes_equal_nocase(name, BYTES("content-length")))
		half->field = CGI_CONTENT_LENGTH;
}

/* HTTP_X_SOME_FIELD: back to x-some-field, where it stands. */
static struct bytes to_field_name(char *text, size_t len)
{
	static const struct bytes prefix = {"HTTP_", 5};
	struct bytes name = {text, len};

	if (bytes_starts(name, prefix)) {
		memmove(text, text + prefix.len, len - prefix.len);
		name.len -= prefix.len;
	} else if (!bytes_equal(name, BYTES("CONTENT_TYPE")) && !bytes_equal(name, BYTES("CONTENT_LENGTH"))) {
		return BYTES_NONE;
	}
	for (size_t i = 0; i < name.len; i++)
		text[i] = text[i] == '_' ? '-' : bytes_lower(text[i]);
	return name;
}

static bool listed(const struct bytes *const lists[2], struct bytes name)
{
	for (int side = 0; side < 2 && protocol_settings.capturing; side++)
		for (const struct bytes *list = lists[side]; list && list->ptr; list++)
			if (bytes_equal_nocase(*list, name))
				return true;
	return false;
}

static void classify_request(struct cgi_run *run, struct bytes name)
{
	struct cgi_half *half = run->half;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && half->field == CGI_OTHER; i++)
		if (bytes_equal(name, variables[i].name))
			half->field = (uint8_t)variables[i].field;
	struct bytes field = to_field_name(open_record(run), half->open);
	if (field.len == 0)
		return;
	half->open = (uint16_t)field.len;
	if (protocol_settings.carrier)
		half->carrier = protocol_settings.carrier(field);
	half->captured = listed(protocol_settings.capture_request, field) || http_is_identity(field);
}

void cgi_named(struct cgi_run *run)
{
	struct cgi_half *half = run->half;
	bool readable = !half->overflow && half->open > 0;

	/* Cut where there was still room for a name: it is just too long to be one of ours. */
	if (half->overflow && half->open < CGI_NAME_MAX)
		run->why = OPAQUE_TOO_LARGE;
	half->field = CGI_OTHER;
	half->carrier = 0;
	half->captured = half->overflow = false;
	run->pending = BYTES_NONE;
	if (readable && !run->why) {
		struct bytes name = {open_record(run), half->open};
		if (run->which == HALF_REQUESTS) {
			classify_request(run, name);
		} else {
			classify_response(half, name);
			half->captured = listed(protocol_settings.capture_response, name);
		}
	}
	if (half->field == CGI_OTHER && !half->carrier && !half->captured)
		half->open = 0;
	half->name_len = half->open;
}

struct bytes cgi_unnamed(struct cgi_run *run)
{
	struct cgi_half *half = run->half;
	struct bytes line = {half->open && !run->why ? open_record(run) : "", half->open};

	half->open = half->name_len = 0;
	half->overflow = false;
	return line;
}

void cgi_value(struct cgi_run *run, struct bytes piece)
{
	if (run->half->name_len == 0 || piece.len == 0)
		return;
	if (run->pending.len == 0 && run->half->open == run->half->name_len) {
		run->pending = piece;
		return;
	}
	append_value(run, run->pending);
	run->pending = BYTES_NONE;
	append_value(run, piece);
}

void cgi_suspend(struct cgi_run *run)
{
	append_value(run, run->pending);
	run->pending = BYTES_NONE;
}

static void tell_field(struct cgi_run *run)
{
	struct cgi_half *half = run->half;
	char *text = open_record(run);
	struct protocol_event event = {
		.type = EVENT_FIELD,
		.exchange = run->exchange,
		.number = half->carrier,
		.name = {text, half->name_len},
		.value = {text + half->name_len, (size_t)(half->open - half->name_len)},
	};
	if (run->pending.len) {
		event.whole = true;
		event.value = run->pending;
		event.offset = (size_t)(run->pending.ptr - run->in.ptr);
	} else if (half->overflow) {
		event.value.len = 0; /* a list that is cut says something else */
	}
	run->sink->event(run->sink, &event);
}

static bool number_of(struct bytes text, uint64_t *out)
{
	uint64_t value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > UINT64_MAX / 10 - 10)
			return false;
		value = value * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*out = value;
	return text.len > 0;
}

static void understand(struct cgi_half *half, struct bytes value)
{
	uint64_t number;

	if (half->field == CGI_CONTENT_LENGTH) {
		/* The first counts: nginx writes its own in front of a configured one, which may be empty. */
		if (!half->has_length)
			half->has_length = number_of(value, &half->length);
	} else if (half->field == CGI_STATUS) {
		if (number_of(bytes_until(value, 3), &number) && number >= 100 && number <= 599)
			half->status = (uint16_t)number;
	} else if (half->field == CGI_LOCATION) {
		half->located = true;
	}
}

void cgi_valued(struct cgi_run *run)
{
	struct cgi_half *half = run->half;

	if (half->name_len && !run->why) {
		if (half->carrier)
			tell_field(run);
		if (half->field != CGI_OTHER || half->captured)
			append_value(run, run->pending);
	}
	if (half->name_len && !run->why) {
		char *text = open_record(run) + half->name_len;
		understand(half, bytes_trim((struct bytes){text, (size_t)(half->open - half->name_len)}));
		if (half->overflow && !half->carrier)
			half->cut++;
		commit(run);
	}
	run->pending = BYTES_NONE;
	half->open = half->name_len = 0;
	half->overflow = false;
	half->carrier = 0;
}

/* --- the message ---------------------------------------------------------------------------------------- */

/* The values that only together are one of the message's. */
struct places {
	struct bytes script, query, protocol, server, port, https, remote;
};

static struct bytes *place_of(struct http_message *message, struct places *places, enum cgi_field field)
{
	struct bytes *const where[] = {
		[CGI_METHOD] = &message->method,
		[CGI_URI] = &message->target,
		[CGI_SCRIPT] = &places->script,
		[CGI_QUERY] = &places->query,
		[CGI_PROTOCOL] = &places->protocol,
		[CGI_HOST] = &message->host,
		[CGI_SERVER_NAME] = &places->server,
		[CGI_SERVER_PORT] = &places->port,
		[CGI_SCHEME] = &message->scheme,
		[CGI_HTTPS] = &places->https,
		[CGI_REMOTE_ADDR] = &places->remote,
		[CGI_USER_AGENT] = &message->user_agent,
		[CGI_FORWARDED] = &message->forwarded,
		[CGI_FORWARDED_PROTO] = &message->forwarded_proto,
		[CGI_FORWARDED_HOST] = &message->forwarded_host,
		[CGI_FORWARDED_FOR] = &message->forwarded_for,
		[CGI_LOCATION] = &message->location,
	};
	return (size_t)field < sizeof(where) / sizeof(where[0]) ? where[field] : NULL;
}

static struct bytes joined(struct cgi_run *run, struct bytes a, struct bytes between, struct bytes b)
{
	size_t start = run->scratched;
	const struct bytes part[] = {a, between, b};

	if (b.len == 0 || a.len + between.len + b.len > sizeof(run->scratch) - start)
		return a;
	for (int i = 0; i < 3; i++) {
		if (part[i].len)
			memcpy(run->scratch + run->scratched, part[i].ptr, part[i].len);
		run->scratched += part[i].len;
	}
	return (struct bytes){run->scratch + start, run->scratched - start};
}

static void complete(struct cgi_run *run, const struct places *places)
{
	struct http_message *message = &run->message;

	if (message->target.len == 0)
		message->target = joined(run, places->script, BYTES("?"), places->query);
	if (message->host.len == 0)
		message->host = joined(run, places->server, BYTES(":"), places->port);
	if (message->forwarded.len == 0 && message->forwarded_for.len == 0)
		message->forwarded_for = places->remote; /* the client, as the web server knows it */
	if (message->scheme.len == 0) {
		bool tls = places->https.len && !bytes_equal_nocase(places->https, BYTES("off"));
		message->scheme = tls ? BYTES("https") : BYTES("http");
	}
	if (bytes_starts(places->protocol, BYTES("HTTP/")))
		message->version = bytes_from(places->protocol, 5);
	if (bytes_equal(message->version, BYTES("2.0")) || bytes_equal(message->version, BYTES("3.0")))
		message->version.len = 1;
}

static void keep(struct http_message *message, struct bytes name, struct bytes value)
{
	if (message->captures < HTTP_CAPTURES)
		message->captured[message->captures++] = (struct http_captured){name, value};
	else
		message->missed++;
}

void cgi_message(struct cgi_run *run)
{
	const struct cgi_half *half = run->half;
	struct http_message *message = &run->message;
	struct places places = {.script = BYTES_NONE};

	http_message_init(message);
	run->scratched = 0;
	for (uint16_t at = half->from; at < half->used;) {
		struct record record;
		memcpy(&record, run->sink->stash->block + at, sizeof(record));
		const char *text = run->sink->stash->block + at + sizeof(record);
		struct bytes name = {text, record.name_len};
		struct bytes value = {text + record.name_len, (size_t)(record.size - record.name_len)};
		value = bytes_trim(value);
		struct bytes *place = place_of(message, &places, record.field);
		if (place && place->len == 0)
			*place = value;
		if (record.captured)
			keep(message, name, value);
		at = (uint16_t)(at + sizeof(record) + record.size);
	}
	message->cut = half->cut;
	message->status = half->status;
	for (int i = 0, rest = half->status; i < 3; i++, rest /= 10)
		message->status_text[2 - i] = (char)('0' + rest % 10);
	if (run->which == HALF_REQUESTS)
		complete(run, &places);
}

void cgi_describe(const struct cgi_run *run, enum protocol_side side, enum protocol_moment moment,
		  const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	if (moment == MOMENT_REQUEST)
		http_describe_request(&run->message, side, endpoint, facts);
	else
		http_describe_response(&run->message, side, facts);
}
