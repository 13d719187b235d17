/* context_baggage.c - baggage, in all its carriers. Inside there is one form only: the W3C one, each value
 * percent-encoded, so that nothing that came in can break a header line on its way out. */
#include "preload/context.h"
#include "preload/context_internal.h"

#define UBERCTX_PREFIX 8     /* "uberctx-" */
#define OT_BAGGAGE_PREFIX 11 /* "ot-baggage-" */
#define KEY_MAX 256

struct member {
	struct bytes key, value, properties;
	bool fold; /* the key is part of a header's name: its case means nothing */
};

struct members {
	struct member list[BAGGAGE_MEMBERS];
	size_t count;
};

static bool is_hex(char c)
{
	char l = bytes_lower(c);
	return (c >= '0' && c <= '9') || (l >= 'a' && l <= 'f');
}

static bool is_token(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i], l = bytes_lower(c);
		if ((l < 'a' || l > 'z') && (c < '0' || c > '9') && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return text.len > 0 && text.len <= KEY_MAX;
}

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] > 0x7e)
			return false;
	return true;
}

static bool is_triplet(struct bytes text, size_t at)
{
	return at + 2 < text.len && is_hex(text.ptr[at + 1]) && is_hex(text.ptr[at + 2]);
}

/* What may stand in a value as it is. */
static bool is_octet(struct bytes text, size_t at)
{
	unsigned char c = (unsigned char)text.ptr[at];
	if (c == '%')
		return is_triplet(text, at); /* a percent sign that encodes nothing is itself encoded */
	return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static size_t value_size(struct bytes value)
{
	size_t size = 0;

	for (size_t i = 0; i < value.len; i++)
		size += is_octet(value, i) ? 1 : 3;
	return size;
}

static size_t member_size(const struct member *member)
{
	return member->key.len + 1 + value_size(member->value) +
	       (member->properties.len ? member->properties.len + 1 : 0);
}

static char *write_member(char *at, const struct member *member)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < member->key.len; i++)
		*at++ = member->fold ? bytes_lower(member->key.ptr[i]) : member->key.ptr[i];
	*at++ = '=';
	for (size_t i = 0; i < member->value.len; i++) {
		unsigned char c = (unsigned char)member->value.ptr[i];
		if (is_octet(member->value, i)) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	if (member->properties.len) {
		*at++ = ';';
		memcpy(at, member->properties.ptr, member->properties.len);
		at += member->properties.len;
	}
	return at;
}

/* Malformed members are left out; of two with one name the later one stays. */
static void add(struct members *members, struct member member)
{
	size_t at = 0;

	if (!is_token(member.key) || !is_printable(member.properties))
		return;
	for (; at < members->count; at++)
		if (member.fold ? bytes_equal_nocase(members->list[at].key, member.key)
				: bytes_equal(members->list[at].key, member.key))
			break;
	if (at == BAGGAGE_MEMBERS)
		return;
	members->list[at] = member;
	if (at == members->count)
		members->count++;
}

static void add_list(struct members *members, struct bytes list)
{
	struct bytes item;

	while (bytes_next(&list, ',', &item)) {
		size_t equals = bytes_find(item, '=');
		size_t end = bytes_find(item, ';');
		if (equals == item.len || end < equals)
			continue;
		add(members, (struct member){bytes_trim(bytes_until(item, equals)),
					     bytes_trim(bytes_from(bytes_until(item, end), equals + 1)),
					     bytes_trim(bytes_from(item, end + 1)), false});
	}
}

static struct bytes write_members(const struct members *members, struct room *room)
{
	size_t most = room->left < CONTEXT_BAGGAGE_MAX ? room->left : CONTEXT_BAGGAGE_MAX;
	char *start = room->at, *at = start;

	for (size_t i = 0; i < members->count; i++) {
		size_t comma = at != start;
		if ((size_t)(at - start) + comma + member_size(&members->list[i]) > most)
			continue; /* whole members or nothing */
		if (comma)
			*at++ = ',';
		at = write_member(at, &members->list[i]);
	}
	room->at = at;
	room->left -= (size_t)(at - start);
	return at == start ? BYTES_NONE : (struct bytes){start, (size_t)(at - start)};
}

__attribute__((noinline)) static struct bytes collect(const struct extraction *extraction,
						      enum context_format format, struct room *room)
{
	struct members members;

	members.count = 0;
	for (uint32_t i = 0; i < extraction->count; i++) {
		uint32_t field = extraction->seen[i].field;
		struct bytes name = extraction->seen[i].name, value = bytes_trim(extraction->seen[i].value);
		if (format == FORMAT_BAGGAGE && field == FIELD_BAGGAGE)
			add_list(&members, value);
		else if (format == FORMAT_JAEGER && field == FIELD_JAEGER_BAGGAGE)
			add_list(&members, value);
		else if (format == FORMAT_JAEGER && field == FIELD_UBERCTX)
			add(&members,
			    (struct member){bytes_from(name, UBERCTX_PREFIX), value, BYTES_NONE, true});
		else if (format == FORMAT_OTTRACE && field == FIELD_OT_BAGGAGE)
			add(&members,
			    (struct member){bytes_from(name, OT_BAGGAGE_PREFIX), value, BYTES_NONE, true});
	}
	return write_members(&members, room);
}

struct bytes baggage_extract(const struct extraction *extraction, enum context_format format,
			     struct room *room)
{
	static const uint32_t fields[][2] = {{FIELD_BAGGAGE, FIELD_BAGGAGE},
					     {FIELD_UBERCTX, FIELD_JAEGER_BAGGAGE},
					     {FIELD_OT_BAGGAGE, FIELD_OT_BAGGAGE}};
	const uint32_t *wanted = format == FORMAT_BAGGAGE   ? fields[0]
				 : format == FORMAT_JAEGER  ? fields[1]
				 : format == FORMAT_OTTRACE ? fields[2]
							    : NULL;

	for (uint32_t i = 0; wanted && i < extraction->count; i++)
		if (extraction->seen[i].field == wanted[0] || extraction->seen[i].field == wanted[1])
			return collect(extraction, format, room);
	return BYTES_NONE;
}

bool baggage_next(struct bytes *list, struct bytes *key, struct bytes *value)
{
	struct bytes item;

	if (!bytes_next(list, ',', &item))
		return false;
	size_t equals = bytes_find(item, '=');
	*key = bytes_until(item, equals);
	*value = bytes_from(bytes_until(item, bytes_find(item, ';')), equals + 1);
	return true;
}
