/* buffer.h - bytes that grow. The exporter's thread only: allocates. A buffer that could not grow is marked
 * `failed` and ignores what follows; whoever uses the result looks once. */
#ifndef TAGALONG_BUFFER_H
#define TAGALONG_BUFFER_H

#include <stdint.h>
#include <string.h>

#include "preload/bytes.h"

struct buffer {
	char *data;
	size_t len, cap;
	bool failed;
};

bool buffer_grow(struct buffer *buffer, size_t more);

static inline bool buffer_reserve(struct buffer *buffer, size_t more)
{
	return (buffer->cap - buffer->len >= more && !buffer->failed) || buffer_grow(buffer, more);
}

static inline void buffer_add(struct buffer *buffer, const void *data, size_t len)
{
	if (len == 0 || !buffer_reserve(buffer, len))
		return;
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

static inline void buffer_byte(struct buffer *buffer, uint8_t byte)
{
	if (buffer_reserve(buffer, 1))
		buffer->data[buffer->len++] = (char)byte;
}

void buffer_number(struct buffer *buffer, int64_t value);
void buffer_unsigned(struct buffer *buffer, uint64_t value);
void buffer_varint(struct buffer *buffer, uint64_t value);
/* A protobuf field of wire type 2: tag, length, bytes. */
void buffer_field(struct buffer *buffer, uint8_t tag, struct bytes value);
void buffer_hex(struct buffer *buffer, const void *data, size_t len);
void buffer_clear(struct buffer *buffer); /* keeps the memory, unless it grew beyond 1 MiB */
void buffer_free(struct buffer *buffer);
/* As new, whatever it held. In a forked child: the parent's thread may have been just growing it, and what it
 * points to be freed already. The memory, if any, is lost. */
void buffer_forget(struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
	return (struct bytes){buffer->data, buffer->len};
}

#endif
