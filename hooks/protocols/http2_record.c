/* http2_record.c - what a header block said, kept as long as the block may be fed again. */
#include "hooks/protocols/http2.h"

enum field {
	FIELD_NONE,
	FIELD_METHOD,
	FIELD_SCHEME,
	FIELD_AUTHORITY,
	FIELD_PATH,
	FIELD_STATUS,
	FIELD_HOST,
	FIELD_USER_AGENT,
	FIELD_FORWARDED,
	FIELD_FORWARDED_PROTO,
	FIELD_FORWARDED_HOST,
	FIELD_FORWARDED_FOR,
	FIELD_LOCATION,
	FIELD_CONTENT_TYPE,
	FIELD_GRPC_TIMEOUT,
	FIELD_CONNECT_VERSION,
	FIELD_GRPC_STATUS,
};

/* Followed by the name (if a carrier or captured), the value, and (if a carrier) where that stands. */
struct item {
	uint16_t carrier;
	uint8_t field;
	bool captured;
	uint16_t name_len, value_len;
};

#define VALUE_MAX 4096 /* of a field that is no carrier */

static size_t item_size(const struct item *item)
{
	size_t framed = item->carrier ? sizeof(uint64_t) : 0;
	return (sizeof(*item) + item->name_len + item->value_len + framed + 7) & ~(size_t)7;
}

_Static_assert(sizeof(struct http2_record) % 8 == 0, "items are aligned");
_Static_assert(HTTP2_RECORD_ROOM <= HTTP2_RECORDS && HTTP2_RECORDS % 8 == 0, "one record fits");

struct http2_record *http2_record_new(struct http2_codec *codec, uint32_t number)
{
	if (HTTP2_RECORDS - codec->used < HTTP2_RECORD_ROOM)
		codec->used = 0;
	struct http2_record *record = (struct http2_record *)(void *)(codec->records + codec->used);
	http2_record_init(record, number);
	return record;
}

void http2_record_init(struct http2_record *record, uint32_t number)
{
	*record = (struct http2_record){.number = number, .size = sizeof(*record), .grpc_status = GRPC_NONE};
}

void http2_record_done(struct http2_codec *codec, struct http2_record *record)
{
	codec->used += record->size;
}

struct http2_record *http2_record_find(struct http2_codec *codec, uint32_t number)
{
	for (uint32_t at = 0; at < codec->used;) {
		struct http2_record *record = (struct http2_record *)(void *)(codec->records + at);
		if (record->number == number)
			return record;
		at += record->size;
	}
	return NULL;
}

void http2_record_trim(struct http2_codec *codec, uint32_t blocks)
{
	uint32_t at = 0;
	if (codec->used <= 4096)
		return;
	while (at < codec->used) {
		const struct http2_record *record = (const void *)(codec->records + at);
		if (record->number > blocks)
			break;
		at += record->size;
	}
	memmove(codec->records, codec->records + at, codec->used - at);
	codec->used -= at;
}

void http2_record_forget(struct http2_codec *codec)
{
	if (codec->used > 4096)
		codec->used = 0;
}

/* Of the names in the static table (RFC 7541, appendix A): the first and the last number of each. */
static enum field request_index(uint32_t index)
{
	switch (index) {
	case 1:
		return FIELD_AUTHORITY;
	case 2 ... 3:
		return FIELD_METHOD;
	case 4 ... 5:
		return FIELD_PATH;
	case 6 ... 7:
		return FIELD_SCHEME;
	case 31:
		return FIELD_CONTENT_TYPE;
	case 38:
		return FIELD_HOST;
	case 58:
		return FIELD_USER_AGENT;
	default:
		return FIELD_NONE;
	}
}

static enum field response_index(uint32_t index)
{
	return index >= 8 && index <= 14 ? FIELD_STATUS : index == 46 ? FIELD_LOCATION : FIELD_NONE;
}

static enum field named(struct bytes name, struct bytes known, enum field field)
{
	return memcmp(name.ptr, known.ptr, known.len) == 0 ? field : FIELD_NONE;
}

#define NAMED(known, field) named(name, BYTES(known), field)

static enum field request_field(struct bytes name)
{
	switch (name.len) {
	case 4:
		return NAMED("host", FIELD_HOST);
	case 5:
		return NAMED(":path", FIELD_PATH);
	case 7:
		return NAMED(":method", FIELD_METHOD) | NAMED(":scheme", FIELD_SCHEME);
	case 9:
		return NAMED("forwarded", FIELD_FORWARDED);
	case 10:
		return NAMED(":authority", FIELD_AUTHORITY) | NAMED("user-agent", FIELD_USER_AGENT);
	case 12:
		return NAMED("content-type", FIELD_CONTENT_TYPE) | NAMED("grpc-timeout", FIELD_GRPC_TIMEOUT);
	case 15:
		return NAMED("x-forwarded-for", FIELD_FORWARDED_FOR);
	case 16:
		return NAMED("x-forwarded-host", FIELD_FORWARDED_HOST);
	case 17:
		return NAMED("x-forwarded-proto", FIELD_FORWARDED_PROTO);
	case 24:
		return NAMED("connect-protocol-version", FIELD_CONNECT_VERSION);
	default:
		return FIELD_NONE;
	}
}

static enum field response_field(struct bytes name)
{
	switch (name.len) {
	case 7:
		return NAMED(":status", FIELD_STATUS);
	case 8:
		return NAMED("location", FIELD_LOCATION);
	case 11:
		return NAMED("grpc-status", FIELD_GRPC_STATUS);
	default:
		return FIELD_NONE;
	}
}

static enum field field_of(bool requests, const struct http2_field *field)
{
	if (field->index && field->index <= HTTP2_STATIC)
		return requests ? request_index(field->index) : response_index(field->index);
	return requests ? request_field(field->name) : response_field(field->name);
}

static bool listed(const struct bytes *list, struct bytes name)
{
	for (; list && list->ptr; list++)
		if (bytes_equal_nocase(*list, name))
			return true;
	return false;
}

static bool is_captured(bool requests, struct bytes name)
{
	const struct bytes *const *lists =
		requests ? protocol_settings.capture_request : protocol_settings.capture_response;
	return listed(lists[SIDE_SERVER], name) || listed(lists[SIDE_CLIENT], name) ||
	       (requests && http_is_identity(name));
}

static void read_status(struct http2_record *record, struct bytes value)
{
	uint16_t status = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.len != 3 || value.ptr[i] < '0' || value.ptr[i] > '9')
			return;
		status = (uint16_t)(status * 10 + (value.ptr[i] - '0'));
	}
	record->status = status;
}

void http2_record_keep(struct http2_record *record, bool requests, const struct http2_field *field,
		       uint64_t framed)
{
	struct item item = {.field = (uint8_t)field_of(requests, field)};
	struct bytes name = field->name, value = field->value;
	size_t room = HTTP2_RECORD_ROOM - record->size;
	bool wanted = protocol_wanted(requests ? HALF_REQUESTS : HALF_RESPONSES, name);

	if (item.field == FIELD_NONE && !wanted)
		return;
	item.captured = wanted && is_captured(requests, name);
	if (item.field == FIELD_STATUS) {
		read_status(record, value);
		return;
	}
	if (item.field == FIELD_GRPC_STATUS)
		record->grpc_status = grpc_read_status(bytes_trim(value));
	if (wanted && requests && item.field == FIELD_NONE)
		item.carrier = (uint16_t)protocol_settings.carrier(name);
	if (item.field == FIELD_NONE && !item.captured && !item.carrier)
		return;
	struct bytes kept_name = item.captured || item.carrier ? name : BYTES_NONE;
	/* Half of the room is the carriers' own. */
	size_t most = item.carrier ? room : room > HTTP2_RECORD_ROOM / 2 ? room - HTTP2_RECORD_ROOM / 2 : 0;
	if (most < sizeof(item) + 16 + kept_name.len) {
		record->cut++;
		return;
	}
	most -= sizeof(item) + 16 + kept_name.len;
	if (!item.carrier && most > VALUE_MAX)
		most = VALUE_MAX;
	if (value.len > most) {
		/* A list of context that is cut says something else: it is there, and empty. */
		value.len = item.carrier ? 0 : most;
		record->cut++;
	}
	item.name_len = (uint16_t)kept_name.len;
	item.value_len = (uint16_t)value.len;
	char *to = (char *)record + record->size;
	memset(to + item_size(&item) - 8, 0, 8); /* what of the last word is nobody's */
	memcpy(to, &item, sizeof(item));
	if (kept_name.len)
		memcpy(to + sizeof(item), kept_name.ptr, kept_name.len);
	if (value.len)
		memcpy(to + sizeof(item) + kept_name.len, value.ptr, value.len);
	if (item.carrier)
		memcpy(to + sizeof(item) + kept_name.len + value.len, &framed, sizeof(framed));
	record->size += (uint32_t)item_size(&item);
	record->items++;
}

/* --- told ------------------------------------------------------------------------------------------------
 */

static struct bytes *slot(struct http2_run *run, enum field field)
{
	struct http_message *message = &run->message;

	switch (field) {
	case FIELD_METHOD:
		return &message->method;
	case FIELD_SCHEME:
		return &message->scheme;
	case FIELD_AUTHORITY:
	case FIELD_HOST:
		return &message->host;
	case FIELD_PATH:
		return &message->target;
	case FIELD_USER_AGENT:
		return &message->user_agent;
	case FIELD_FORWARDED:
		return &message->forwarded;
	case FIELD_FORWARDED_PROTO:
		return &message->forwarded_proto;
	case FIELD_FORWARDED_HOST:
		return &message->forwarded_host;
	case FIELD_FORWARDED_FOR:
		return &message->forwarded_for;
	case FIELD_LOCATION:
		return &message->location;
	case FIELD_CONTENT_TYPE:
		return &message->content_type;
	case FIELD_CONNECT_VERSION:
		return &message->connect_version;
	case FIELD_GRPC_STATUS:
		return &message->grpc_status;
	case FIELD_GRPC_TIMEOUT:
		return &run->timeout;
	default:
		return NULL;
	}
}

static void tell_carrier(struct http2_run *run, uint32_t stream, const struct item *item, struct bytes name,
			 struct bytes value)
{
	struct protocol_event event = {
		.type = EVENT_FIELD,
		.exchange = stream,
		.number = item->carrier,
		.offset = run->at,
		.name = name,
		.value = bytes_trim(value),
	};
	/* One with blanks around it would lose them where it is written anew: it stays as it is. */
	if (event.value.len == value.len)
		memcpy(&event.framed, value.ptr + value.len, sizeof(event.framed));
	http2_tell_event(run, &event);
}

static void read_item(struct http2_run *run, const struct item *item, const char *text, uint32_t stream)
{
	struct http_message *message = &run->message;
	struct bytes name = {text, item->name_len}, value = {text + item->name_len, item->value_len};
	struct bytes *to = slot(run, item->field);

	/* Pseudo fields come first, so that :authority, where it is there, wins over Host. */
	if (to && !to->ptr)
		*to = value;
	if (item->captured && message->captures < HTTP_CAPTURES)
		message->captured[message->captures++] = (struct http_captured){name, value};
	else if (item->captured)
		message->missed++;
	if (item->carrier)
		tell_carrier(run, stream, item, name, value);
}

void http2_record_read(struct http2_run *run, const struct http2_record *record, uint32_t stream)
{
	struct http_message *message = &run->message;
	const char *at = (const char *)(record + 1);

	http_message_init(message);
	run->timeout = BYTES_NONE;
	message->version = BYTES("2");
	message->cut = record->cut;
	message->status = record->status;
	for (int i = 0, rest = record->status; i < 3 && record->status >= 400; i++, rest /= 10)
		message->status_text[2 - i] = (char)('0' + rest % 10);
	for (uint32_t i = 0; i < record->items; i++) {
		struct item item;
		memcpy(&item, at, sizeof(item));
		read_item(run, &item, at + sizeof(item), stream);
		at += item_size(&item);
	}
	/* With a path it asks for a protocol, as an upgrade does (RFC 8441). */
	if (bytes_equal(message->method, BYTES("CONNECT")) && message->target.len == 0)
		message->target = message->host;
}
