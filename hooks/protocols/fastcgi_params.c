/* fastcgi_params.c - FastCGI's name-value pairs: lengths of one or four bytes, then both texts. */
#include "hooks/protocols/fastcgi.h"

static uint32_t big_endian(const uint8_t *bytes)
{
	return (uint32_t)(bytes[0] & 0x7f) << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* True when both lengths are complete. */
static bool length_byte(struct fastcgi_pair *pair, uint8_t c)
{
	pair->lengths[pair->got++] = c;
	uint8_t name_size = pair->lengths[0] & 0x80 ? 4 : 1;
	if (pair->got <= name_size)
		return false;
	uint8_t value_size = pair->lengths[name_size] & 0x80 ? 4 : 1;
	if (pair->got < name_size + value_size)
		return false;
	pair->name = name_size == 1 ? pair->lengths[0] : big_endian(pair->lengths);
	pair->value = value_size == 1 ? pair->lengths[name_size] : big_endian(pair->lengths + name_size);
	pair->got = 0;
	return true;
}

static size_t text(struct fastcgi_pair *pair, struct cgi_run *run, struct bytes rest)
{
	bool name = pair->step == PAIR_NAME;
	uint32_t *left = name ? &pair->name : &pair->value;

	rest = bytes_until(rest, *left);
	*left -= (uint32_t)rest.len;
	if (name)
		cgi_name(run, rest);
	else
		cgi_value(run, rest);
	if (*left == 0 && name) {
		cgi_named(run);
		pair->step = PAIR_VALUE;
	}
	if (pair->step == PAIR_VALUE && pair->value == 0) {
		cgi_valued(run);
		pair->step = PAIR_LENGTHS;
	}
	return rest.len;
}

bool fastcgi_pairs(struct fastcgi_pair *pair, struct cgi_run *run, struct bytes piece)
{
	if (!cgi_consume(run, piece.len))
		return false;
	while (piece.len && !run->why) {
		size_t took = 1;
		if (pair->step != PAIR_LENGTHS) {
			took = text(pair, run, piece);
		} else if (length_byte(pair, (uint8_t)piece.ptr[0])) {
			if (pair->name == 0)
				return false;
			if (pair->name > CGI_HEAD_MAX || pair->value > CGI_HEAD_MAX) {
				run->why = OPAQUE_TOO_LARGE;
				return false;
			}
			pair->step = PAIR_NAME;
		}
		piece = bytes_from(piece, took);
	}
	if (pair->step == PAIR_VALUE)
		cgi_suspend(run); /* the next piece may stand in another record, or feed */
	return !run->why;
}

bool fastcgi_pairs_complete(const struct fastcgi_pair *pair)
{
	return pair->step == PAIR_LENGTHS && pair->got == 0;
}

/* --- putting in ----------------------------------------------------------------------------------------- */

static char *put_length(char *at, size_t len)
{
	if (len > 127) {
		*at++ = (char)(0x80 | len >> 24);
		*at++ = (char)(len >> 16 & 0xff);
		*at++ = (char)(len >> 8 & 0xff);
	}
	*at++ = (char)(len & 0xff);
	return at;
}

/* A PARAMS record of its own: no length that is on its way changes. */
size_t fastcgi_encode(const void *opaque, struct bytes lines, char *out, size_t cap)
{
	const struct fastcgi_state *state = opaque;
	char name[CGI_NAME_MAX], *at = out + 8;
	size_t name_len;
	struct bytes value;

	if (cap < 8)
		return 0;
	while (cgi_next_line(&lines, name, &name_len, &value)) {
		if (name_len + value.len + 8 > cap - (size_t)(at - out))
			return 0;
		at = put_length(at, name_len);
		at = put_length(at, value.len);
		memcpy(at, name, name_len);
		memcpy(at + name_len, value.ptr, value.len);
		at += name_len + value.len;
	}
	size_t content = (size_t)(at - out) - 8;
	if (content == 0 || content > UINT16_MAX)
		return 0;
	const uint8_t header[8] = {
		1,
		FASTCGI_PARAMS,
		(uint8_t)(state->insert_id >> 8),
		(uint8_t)state->insert_id,
		(uint8_t)(content >> 8),
		(uint8_t)content,
	};
	memcpy(out, header, sizeof(header));
	return content + 8;
}
