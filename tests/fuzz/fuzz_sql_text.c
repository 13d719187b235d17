/* Any SQL text: the same however it is cut, within its rooms, and not changed by a second time. And text made of
 * words, names, comments and literals of our own: every literal is one `?`, everything else as it was.
 *
 * Input: dialect (bits 0-1), flags (2-6), which of the two (7); a seed for the cuts; then the text, or for each
 * fragment a byte that chooses it, and for a literal a length and its content. */
#include <stdint.h>

#include "hooks/protocols/sql_comment.h"
#include "tests/support/sql_cases.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sql_case_rooms rooms;
static enum sql_dialect dialect;
static unsigned flags;

static void run(struct bytes text, size_t cut, size_t step, size_t cap, struct sql_text_result *got)
{
	sql_case_run(&rooms, dialect, flags, text, cut, step, cap, SQL_SUMMARY_MAX, got);
	CHECK(got->text.len <= cap && got->summary.len <= SQL_SUMMARY_MAX);
}

static void any(struct bytes text, uint8_t seed)
{
	static char whole[SQL_CASE_MAX * 2], summary[SQL_SUMMARY_MAX];
	struct sql_text_result first, got;
	size_t offset = 0;

	if (text.len > SQL_CASE_MAX)
		return;
	run(text, 0, 0, sizeof(whole), &first);
	CHECK(first.text.len <= text.len * 2);
	memcpy(whole, first.text.ptr, first.text.len);
	memcpy(summary, first.summary.ptr, first.summary.len);
	first.text.ptr = whole;
	first.summary.ptr = summary;

	run(text, seed % 16, seed / 16 + 1, sizeof(whole), &got);
	CHECK(bytes_equal(got.text, first.text) && bytes_equal(got.summary, first.summary));
	CHECK(got.statements == first.statements && got.cut == first.cut && got.open == first.open &&
	      got.doubtful == first.doubtful && got.commented == first.commented);

	size_t cap = first.text.len ? (seed * 131u) % first.text.len : 0;
	run(text, 0, 7, cap, &got);
	CHECK(bytes_starts(first.text, got.text) && bytes_equal(got.summary, first.summary));

	/* Two minus signs of MySQL before a comment that is gone begin one themselves. */
	if (!(flags & SQL_RAW) && !(dialect == SQL_MYSQL && memmem(text.ptr, text.len, "--", 2))) {
		run(first.text, 0, 0, sizeof(whole), &got);
		CHECK(bytes_equal(got.text, first.text));
	}
	if (sql_comment_place(dialect, flags, text, &offset))
		CHECK(offset > 0 && offset <= text.len);
}

/* --- text of our own -------------------------------------------------------------------------------------- */

struct made {
	char sql[SQL_CASE_MAX], wanted[SQL_CASE_MAX];
	size_t len, wanted_len;
	bool escaped; /* the last that is no comment is PostgreSQL's E'': a plain string behind it may go on with it */
};

static void add(struct made *made, struct bytes sql, struct bytes wanted)
{
	CHECK(made->len + sql.len <= sizeof(made->sql));
	memcpy(made->sql + made->len, sql.ptr, sql.len);
	made->len += sql.len;
	memcpy(made->wanted + made->wanted_len, wanted.ptr, wanted.len);
	made->wanted_len += wanted.len;
}

static void both(struct made *made, const char *text)
{
	add(made, bytes_of(text), bytes_of(text));
}

/* The content as a server wants it in these quotes. */
static void quoted(struct made *made, struct bytes content, char quote, bool backslash)
{
	for (size_t i = 0; i < content.len; i++) {
		char c = content.ptr[i], escaped[2] = {quote, c};
		if (c == quote && backslash && i % 2)
			escaped[0] = '\\';
		else if (c == '\\' && backslash)
			escaped[0] = '\\';
		else if (c != quote)
			escaped[0] = '\0';
		add(made, escaped[0] ? (struct bytes){escaped, 2} : (struct bytes){&c, 1}, BYTES(""));
	}
}

static bool has(struct bytes content, const char *what)
{
	return memmem(content.ptr, content.len, what, strlen(what)) != NULL;
}

/* Does the first `end` of content and end come before its own? */
static bool ends_early(struct bytes content, const char *end)
{
	char all[64];
	size_t len = strlen(end);
	CHECK(content.len + len <= sizeof(all));
	memcpy(all, content.ptr, content.len);
	memcpy(all + content.len, end, len);
	return (char *)memmem(all, content.len + len, end, len) != all + content.len;
}

static void literal(struct made *made, uint8_t which, struct bytes content)
{
	bool escapes = dialect == SQL_MYSQL ? !(flags & SQL_NO_BACKSLASH) : (flags & SQL_BACKSLASH) != 0;
	bool dollars = dialect == SQL_POSTGRESQL || dialect == SQL_GENERIC;

	size_t before = made->len;
	switch (which % 6) {
	case 0:
		if (made->escaped)
			break;
		add(made, BYTES("'"), BYTES("?"));
		quoted(made, content, '\'', escapes);
		add(made, BYTES("'"), BYTES(""));
		break;
	case 1:
		add(made, dialect == SQL_POSTGRESQL ? BYTES("E'") : BYTES("N'"), BYTES("?"));
		quoted(made, content, '\'', dialect == SQL_POSTGRESQL || escapes);
		add(made, BYTES("'"), BYTES(""));
		break;
	case 2:
		if (!dollars || ends_early(content, "$t1$"))
			break;
		add(made, BYTES("$t1$"), BYTES("?"));
		add(made, content, BYTES(""));
		add(made, BYTES("$t1$"), BYTES(""));
		break;
	case 3:
		if (dialect != SQL_GENERIC || ends_early(content, "]'"))
			break;
		add(made, BYTES("q'["), BYTES("?"));
		add(made, content, BYTES(""));
		add(made, BYTES("]'"), BYTES(""));
		break;
	case 4:
		if (dialect != SQL_MYSQL || flags & SQL_ANSI_QUOTES)
			break;
		add(made, BYTES("\""), BYTES("?"));
		quoted(made, content, '"', escapes);
		add(made, BYTES("\""), BYTES(""));
		break;
	default:
		add(made, BYTES("17.5e-3"), BYTES("?"));
	}
	if (made->len > before)
		made->escaped = which % 6 == 1 && dialect == SQL_POSTGRESQL;
}

static void comment(struct made *made, uint8_t which, struct bytes content)
{
	if (which % 2) {
		add(made, BYTES("-- "), BYTES(""));
		for (size_t i = 0; i < content.len; i++)
			if (content.ptr[i] != '\n' && content.ptr[i] != '\r')
				add(made, (struct bytes){content.ptr + i, 1}, BYTES(""));
		both(made, "\n");
	} else if (!has(content, "*/") && !has(content, "/*") &&
		   (!content.len ||
		    (!strchr("!M/+", content.ptr[0]) && !strchr("*/", content.ptr[content.len - 1])))) {
		add(made, BYTES("/*"), BYTES(""));
		add(made, content, BYTES(""));
		add(made, BYTES("*/"), BYTES(""));
	}
}

static void name(struct made *made, struct bytes content)
{
	both(made, "x.");
	char quote = dialect == SQL_MYSQL ? '`' : '"';
	size_t from = made->len;
	add(made, (struct bytes){&quote, 1}, BYTES(""));
	for (size_t i = 0; i < content.len; i++)
		if (dialect != SQL_GENERIC || content.ptr[i] != '\\')
			quoted(made, (struct bytes){content.ptr + i, 1}, quote, false);
	add(made, (struct bytes){&quote, 1}, BYTES(""));
	size_t len = made->len - from;
	CHECK(made->wanted_len + len <= sizeof(made->wanted));
	memcpy(made->wanted + made->wanted_len, made->sql + from, len);
	made->wanted_len += len;
}

static void own(struct bytes in)
{
	static const char *const words[] = {"SELECT", "FROM",  "WHERE", "a",  "t1",  "x.y", "=",   "(", ")", ",",
					    ";",      "AND",   "JOIN",  "||", "::",  "*",   "AS",  "IS", "INSERT INTO",
					    "VALUES", "UPDATE"};
	static struct made made;
	struct sql_text_result got;

	made.len = made.wanted_len = 0;
	made.escaped = false;
	if ((flags & SQL_DOUBLE_STRING) || (flags & SQL_RAW) || in.len > 400)
		return;
	while (in.len >= 2 && made.len < 1000) {
		uint8_t which = (uint8_t)in.ptr[0], len = (uint8_t)in.ptr[1] % 32;
		in = bytes_from(in, 2);
		struct bytes content = bytes_until(in, len);
		if (which >= 96)
			in = bytes_from(in, len);
		if (which < 96 || which >= 224)
			made.escaped = false;
		if (which < 96)
			both(&made, words[which % (sizeof(words) / sizeof(words[0]))]);
		else if (which < 192)
			literal(&made, which, content);
		else if (which < 224)
			comment(&made, which, content);
		else
			name(&made, content);
		both(&made, " ");
	}
	run((struct bytes){made.sql, made.len}, 0, 5, 2 * SQL_CASE_MAX, &got);
	struct bytes wanted = {made.wanted, made.wanted_len};
	if (got.doubtful) {
		/* All that it may be unsure of. */
		CHECK(dialect == SQL_GENERIC || memchr(made.sql, '\\', made.len));
		CHECK(bytes_starts(wanted, got.text));
		return;
	}
	CHECK(!got.open);
	CHECK(bytes_equal(got.text, wanted));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	dialect = (enum sql_dialect)(data[0] & 3);
	flags = data[0] >> 2 & 31;
	struct bytes rest = {(const char *)data + 2, size - 2};
	if (data[0] & 0x80)
		own(rest);
	else
		any(rest, data[1]);
	return 0;
}
