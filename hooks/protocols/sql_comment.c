/* sql_comment.c - see sql_comment.h. Whatever is not plainly harmless is percent-encoded, so that no value
 * can end its quotes, or the comment. */
#include "hooks/protocols/sql_comment.h"

static bool trailing(char c)
{
	return c == ';' || c == ' ' || (c >= '\t' && c <= '\r');
}

bool sql_comment_place(enum sql_dialect dialect, unsigned flags, struct bytes statement, size_t *offset)
{
	const struct sql_room none = {NULL, 0};
	struct sql_text sql;
	struct sql_text_result result;
	size_t end = statement.len;

	/* Some servers end the text at a NUL, some do not. */
	if (statement.len == 0 || memchr(statement.ptr, '\0', statement.len))
		return false;
	sql_text_begin(&sql, dialect, flags & ~(unsigned)SQL_RAW, none, none);
	sql_text_feed(&sql, statement);
	sql_text_end(&sql, &result);
	if (result.statements != 1 || result.doubtful || result.open || result.commented)
		return false;
	while (end && trailing(statement.ptr[end - 1]))
		end--;
	*offset = end;
	return end > 0;
}

bool sql_comment_wanted(struct bytes summary)
{
	static const struct bytes verbs[] = {
		{"select", 6}, {"insert", 6}, {"update", 6}, {"delete", 6},
		{"merge", 5},  {"values", 6}, {"call", 4},
	};
	struct bytes verb = bytes_until(summary, bytes_find(summary, ' '));

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (bytes_equal_nocase(verb, verbs[i]))
			return true;
	return false;
}

static bool unreserved(char c)
{
	return (c >= '0' && c <= '9') || (bytes_lower(c) >= 'a' && bytes_lower(c) <= 'z') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

/* key='value', the value encoded; 0: no room. */
static size_t pair(struct bytes key, struct bytes value, char *out, size_t cap)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = key.len;

	if (cap < key.len)
		return 0;
	memcpy(out, key.ptr, key.len);
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = (uint8_t)value.ptr[i];
		if (cap - len < 4) /* with the closing quote */
			return 0;
		if (unreserved((char)c)) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '%';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	if (cap == len)
		return 0;
	out[len++] = '\'';
	return len;
}

size_t sql_comment_text(struct bytes traceparent, struct bytes tracestate, char *out, size_t cap)
{
	const struct bytes open = BYTES(" /*traceparent='"), state = BYTES(",tracestate='");
	static const size_t close = sizeof("*/") - 1;

	if (traceparent.len == 0 || cap < close)
		return 0;
	size_t len = pair(open, traceparent, out, cap - close);
	if (len == 0)
		return 0;
	if (tracestate.len)
		len += pair(state, tracestate, out + len, cap - close - len);
	memcpy(out + len, "*/", close);
	return len + close;
}

static struct bytes value_of(struct bytes lines, struct bytes name)
{
	struct bytes line;

	while (bytes_next(&lines, '\n', &line)) {
		if (!bytes_starts(line, name))
			continue;
		line = bytes_trim(bytes_from(line, name.len));
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		return line;
	}
	return BYTES_NONE;
}

size_t sql_comment_lines(struct bytes lines, char *out, size_t cap)
{
	return sql_comment_text(value_of(lines, BYTES("traceparent:")), value_of(lines, BYTES("tracestate:")),
				out, cap);
}
