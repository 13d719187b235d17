#include "exporter/buffer.h"

#include <stdlib.h>
#include <string.h>

#define KEEP ((size_t)1 << 20)

bool buffer_grow(struct buffer *buffer, size_t more)
{
	if (buffer->failed)
		return false;
	size_t cap = buffer->cap ? buffer->cap : 1024;
	while (cap - buffer->len < more)
		cap *= 2;
	char *data = realloc(buffer->data, cap);
	if (!data) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->cap = cap;
	return true;
}

void buffer_unsigned(struct buffer *buffer, uint64_t value)
{
	static const char pairs[] =
		"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
		"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
		"8081828384858687888990919293949596979899";
	char digits[24];
	size_t at = sizeof(digits);
	for (; value >= 10; value /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + value % 100 * 2, 2);
	}
	if (value || at == sizeof(digits))
		digits[--at] = (char)('0' + value);
	buffer_add(buffer, digits + at, sizeof(digits) - at);
}

void buffer_number(struct buffer *buffer, int64_t value)
{
	if (value < 0) {
		buffer_byte(buffer, '-');
		buffer_unsigned(buffer, 0 - (uint64_t)value);
	} else {
		buffer_unsigned(buffer, (uint64_t)value);
	}
}

void buffer_varint(struct buffer *buffer, uint64_t value)
{
	uint8_t out[10];
	size_t n = 0;
	while (value >= 0x80) {
		out[n++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	out[n++] = (uint8_t)value;
	buffer_add(buffer, out, n);
}

void buffer_field(struct buffer *buffer, uint8_t tag, struct bytes value)
{
	buffer_byte(buffer, tag);
	buffer_varint(buffer, value.len);
	buffer_add(buffer, value.ptr, value.len);
}

void buffer_hex(struct buffer *buffer, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *byte = data;
	if (!buffer_reserve(buffer, 2 * len))
		return;
	char *to = buffer->data + buffer->len;
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[byte[i] >> 4];
		*to++ = digits[byte[i] & 15];
	}
	buffer->len += 2 * len;
}

void buffer_clear(struct buffer *buffer)
{
	if (buffer->cap > KEEP)
		buffer_free(buffer);
	buffer->len = 0;
	buffer->failed = false;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_forget(struct buffer *buffer)
{
	*buffer = (struct buffer){0};
}
