/* statement.c - a statement of a client library, as attributes of its span. */
#include "hooks/statement.h"

#include "preload/call.h"
#include "preload/pool.h"

#include <string.h>

/* Behind the quoted text or comment that begins at `at`; `at` itself: there begins none. */
static size_t behind(struct bytes text, size_t at)
{
	char c = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
	const char *end = c == '-' && next == '-'   ? "\n"
			  : c == '/' && next == '*' ? "*/"
			  : c == '\''               ? "'"
			  : c == '"'                ? "\""
			  : c == '`'                ? "`"
			  : c == '['                ? "]"
						    : NULL;
	if (!end)
		return at;
	size_t len = strlen(end), from = at + (end[0] == '*' ? 2 : 1);
	for (; from + len <= text.len; from++)
		if (memcmp(text.ptr + from, end, len) == 0)
			return from + len;
	return text.len;
}

/* The first statement that is not empty. In a trigger's body the cut comes too early. */
static struct bytes first_of(struct bytes text)
{
	size_t at = 0, begin = 0;
	bool begun = false;
	while (at < text.len) {
		size_t next = behind(text, at);
		bool comment = next > at && (text.ptr[at] == '-' || text.ptr[at] == '/');
		bool blank = comment || strchr(" \t\r\n\f;", text.ptr[at]) != NULL;
		if (!begun && !blank) {
			begun = true;
			begin = at;
		}
		if (begun && text.ptr[at] == ';')
			break;
		at = next > at ? next : at + 1;
	}
	return bytes_from(bytes_until(text, at), begin);
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)((0xf00u >> len & 0xf0) | c);
	return len;
}

/* What is half a pair becomes what stands for no character. */
static void feed_wide(struct sql_text *sql, struct bytes text)
{
	char piece[512];
	size_t len = 0, count = text.len / 2;
	uint16_t unit, second;

	for (size_t i = 0; i < count; i++) {
		memcpy(&unit, text.ptr + 2 * i, 2);
		uint32_t c = unit;
		if (unit >= 0xd800 && unit < 0xe000) {
			memcpy(&second, text.ptr + 2 * (i + 1 < count ? i + 1 : i), 2);
			bool pair = unit < 0xdc00 && second >= 0xdc00 && second < 0xe000;
			c = pair ? 0x10000 + ((uint32_t)(unit & 0x3ff) << 10) + (second & 0x3ff) : 0xfffd;
			i += pair;
		}
		len += put_utf8(piece + len, c);
		if (len > sizeof(piece) - 4 || i + 1 >= count) {
			sql_text_feed(sql, (struct bytes){piece, len});
			len = 0;
		}
	}
}

uint32_t statement_describe(struct span *span, const struct statement *statement)
{
	static const struct protocol_endpoint nothing;
	struct protocol_facts facts = {.attrs = &span->attrs, .name_room = span->name};
	bool raw = protocol_settings.db_text == DB_TEXT_RAW, off = protocol_settings.db_text == DB_TEXT_OFF;
	char summary[SQL_SUMMARY_MAX];
	char *block = off ? NULL : block_take();
	size_t room = statement->most ? statement->most : BLOCK_SIZE;
	struct sql_text sql;
	struct sql_text_result result;

	sql_text_begin(&sql, statement->dialect, statement->flags | (raw ? SQL_RAW : 0),
		       (struct sql_room){block, block ? room : 0},
		       (struct sql_room){summary, sizeof(summary)});
	struct bytes text = bytes_until(statement->text, STATEMENT_MAX);
	if (statement->wide)
		feed_wide(&sql, text);
	else
		sql_text_feed(&sql, statement->first ? first_of(text) : text);
	sql_text_end(&sql, &result);
	bool told = !statement->first && !result.doubtful && result.statements > 1 &&
		    statement->text.len <= STATEMENT_MAX;
	struct db_call call = {
		.system = statement->system,
		.space = statement->space,
		.summary = result.summary,
		.text = result.text,
		.batch = told ? result.statements : 1,
		.usual_port = statement->usual_port,
		.space_in_name = true,
		.unknown = !statement->text.ptr,
	};
	if (statement->prepared && !off && sql_has_parameters(result.text))
		call.text = text;
	db_describe_call(&call, statement->endpoint ? statement->endpoint : &nothing, &facts);
	call_told(span, &facts);
	block_give(block);
	return result.statements;
}
