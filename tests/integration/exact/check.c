/* check.c - the judge: knows the text of the conversation and the one line that may have been added to a
 * head. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

static bool lower_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdef", text[i]) || !text[i])
			return false;
	return true;
}

#define LINE_LENGTH (sizeof("traceparent: 00-") - 1 + 32 + 1 + 16 + 1 + 2 + 2)

static bool is_added_line(const char *text, size_t len)
{
	static const char name[] = "traceparent: 00-";
	const size_t start = sizeof(name) - 1;
	return len >= LINE_LENGTH && !memcmp(text, name, start) && lower_hex(text + start, 32) &&
	       text[start + 32] == '-' && lower_hex(text + start + 33, 16) && text[start + 49] == '-' &&
	       lower_hex(text + start + 50, 2) && !memcmp(text + start + 52, "\r\n", 2);
}

static int head_at(const struct conversation *c, size_t at)
{
	for (int i = 0; i < c->heads; i++)
		if (at > c->head[i].from && at < c->head[i].to)
			return i;
	return -1;
}

/* Between two lines of a head, the blank one included, behind the request line. */
static bool is_line_start(const char *stream, size_t at)
{
	return at > 0 && stream[at - 1] == '\n';
}

/* How long the line is, its end included; all of it where that has no end. */
static size_t line_at(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	return end ? (size_t)(end + 1 - text) : len;
}

const char *check_stream(const struct conversation *c, const enum expect *expect, const char *got, size_t len)
{
	static char why[160];
	const char *sent = c->stream[1];
	int added[MOST_HEADS] = {0};
	size_t at = 0, from = 0;

	while (from < len) {
		int head = is_line_start(sent, at) ? head_at(c, at) : -1;
		if (head >= 0 && is_added_line(got + from, len - from) &&
		    (c->len[1] - at < LINE_LENGTH || memcmp(sent + at, got + from, LINE_LENGTH) != 0)) {
			added[head]++;
			from += LINE_LENGTH;
			continue;
		}
		/* To the end of the line: a line may have been added only there. */
		size_t whole = line_at(sent + at, c->len[1] - at < len - from ? c->len[1] - at : len - from);
		if (!whole || memcmp(sent + at, got + from, whole) != 0) {
			while (whole && sent[at] == got[from])
				at++, from++;
			snprintf(why, sizeof(why),
				 "byte %zu of the original (%zu received) is wrong: got 0x%02x", at, from,
				 (unsigned char)got[from]);
			return why;
		}
		at += whole;
		from += whole;
	}
	if (at != c->len[1]) {
		snprintf(why, sizeof(why), "%zu of %zu original bytes arrived", at, c->len[1]);
		return why;
	}
	for (int i = 0; i < c->heads; i++) {
		int wanted = expect[i] == EXPECT_LINE;
		if (expect[i] == EXPECT_EITHER ? added[i] > 1 : added[i] != wanted) {
			snprintf(why, sizeof(why), "head %d has %d added lines, expected %d", i, added[i],
				 wanted);
			return why;
		}
	}
	return NULL;
}

const char *check_replaced(const char *sent, const char *got, size_t len, size_t at)
{
	static char why[160];
	for (size_t i = 0; i < len; i++) {
		bool digit = i >= at && i < at + 16;
		if (sent[i] == got[i] || (digit && lower_hex(got + i, 1)))
			continue;
		snprintf(why, sizeof(why), "byte %zu differs", i);
		return why;
	}
	return memcmp(sent + at, got + at, 16) ? NULL : "the span id is still the caller's";
}
