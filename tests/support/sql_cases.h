/* sql_cases.h - the cases of tests/golden/sql (see its README), and a text put through in any pieces. */
#ifndef TAGALONG_SQL_CASES_H
#define TAGALONG_SQL_CASES_H

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hooks/protocols/sql_text.h"

struct sql_case {
	char name[80], file[80], summary[SQL_SUMMARY_MAX + 1];
	enum sql_dialect dialect;
	unsigned flags, texts, statements;
	bool cut, doubtful, open, commented, complete;
	struct bytes input, text[3];
};

#define SQL_CASE_MAX 4096

static inline char *sql_case_need(void *room)
{
	if (!room)
		abort();
	return room;
}

static inline struct bytes sql_case_unescape(const char *text)
{
	char *out = sql_case_need(malloc(strlen(text) + 1));
	size_t len = 0;
	for (; *text; text++) {
		unsigned code = 0;
		if (*text != '\\') {
			out[len++] = *text;
			continue;
		}
		text++;
		if (*text == 'x' && sscanf(text + 1, "%2x", &code) == 1) {
			out[len++] = (char)code;
			text += 2;
		} else {
			out[len++] = (char)(*text == 'n' ? '\n' : *text == 't' ? '\t' : *text == 'r' ? '\r' : *text);
		}
	}
	return (struct bytes){out, len};
}

static inline void sql_case_head(struct sql_case *one, const char *file, char *line)
{
	static const char *const dialects[] = {"generic", "postgresql", "mysql", "sqlite"};
	static const char *const flags[] = {"raw",	 "ansi_quotes", "no_backslash",
					    "backslash", "multibyte",	"double_string"};
	char *state = NULL;

	memset(one, 0, sizeof(*one));
	one->statements = 1;
	snprintf(one->file, sizeof(one->file), "%s", file);
	snprintf(one->name, sizeof(one->name), "%s", strtok_r(line, " ", &state));
	for (char *word; (word = strtok_r(NULL, " ", &state)) != NULL;) {
		bool known = false;
		for (unsigned i = 0; i < 4; i++)
			if (!strcmp(word, dialects[i]))
				known = (one->dialect = (enum sql_dialect)i, true);
		for (unsigned i = 0; i < 6; i++)
			if (!strcmp(word, flags[i]))
				known = (one->flags |= 1u << i, true);
		if (!known)
			abort();
	}
}

static inline void sql_case_line(struct sql_case *one, char mark, const char *rest)
{
	switch (mark) {
	case '>':
		one->input = sql_case_unescape(rest);
		break;
	case '=':
		if (one->texts == 3)
			abort();
		one->text[one->texts++] = sql_case_unescape(rest);
		break;
	case ':':
		snprintf(one->summary, sizeof(one->summary), "%s", rest);
		one->complete = true;
		break;
	case '#':
		one->statements = (unsigned)atoi(rest);
		break;
	case '!':
		one->cut = strstr(rest, "cut");
		one->doubtful = strstr(rest, "doubtful");
		one->open = strstr(rest, "open");
		one->commented = strstr(rest, "commented");
		break;
	default:
		abort();
	}
}

/* All of them, never freed; the last one has no input. */
static inline struct sql_case *sql_cases(void)
{
	static struct sql_case *all;
	size_t count = 0, room = 0;
	char line[SQL_CASE_MAX * 4];
	glob_t found;

	if (all || glob("tests/golden/sql/*.sql", 0, NULL, &found) != 0)
		return all;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");
		sql_case_need(file);
		while (fgets(line, sizeof(line), file)) {
			line[strcspn(line, "\n")] = '\0';
			if (!line[0])
				continue;
			if (line[0] != '*') {
				sql_case_line(&all[count - 1], line[0], line[1] ? line + 2 : line + 1);
				continue;
			}
			if (count + 1 >= room) {
				room = room * 2 + 64;
				all = realloc(all, room * sizeof(*all));
				sql_case_need(all);
			}
			sql_case_head(&all[count++], strrchr(found.gl_pathv[i], '/') + 1, line + 2);
			memset(&all[count], 0, sizeof(*all));
		}
		fclose(file);
	}
	globfree(&found);
	return all;
}

/* The end of a room of `size` bytes: what is behind it cannot be touched. */
static inline char *sql_case_guarded(size_t size)
{
	size = (size + 4095) / 4096 * 4096;
	char *room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + size, 4096, PROT_NONE) != 0)
		abort();
	return room + size;
}

struct sql_case_rooms {
	char *in, *text, *summary; /* ends of rooms */
	size_t in_cap, text_cap;
};

/* In pieces of cut, then step bytes; step 0: the rest. Every piece is flush against an unreadable page. */
static inline void sql_case_run(struct sql_case_rooms *rooms, enum sql_dialect dialect, unsigned flags,
				struct bytes input, size_t cut, size_t step, size_t text_cap, size_t summary_cap,
				struct sql_text_result *result)
{
	struct sql_text sql;

	if (!rooms->in) {
		rooms->in_cap = rooms->text_cap = 4 * SQL_CASE_MAX;
		rooms->in = sql_case_guarded(rooms->in_cap);
		rooms->text = sql_case_guarded(rooms->text_cap);
		rooms->summary = sql_case_guarded(SQL_SUMMARY_MAX);
	}
	if (input.len > rooms->in_cap || text_cap > rooms->text_cap)
		abort();
	memset(rooms->text - text_cap, '#', text_cap);
	memset(rooms->summary - summary_cap, '#', summary_cap);
	sql_text_begin(&sql, dialect, flags, (struct sql_room){rooms->text - text_cap, text_cap},
		       (struct sql_room){rooms->summary - summary_cap, summary_cap});
	for (size_t at = 0; at < input.len;) {
		size_t len = at == 0 && cut ? cut : step ? step : input.len - at;
		if (len > input.len - at)
			len = input.len - at;
		char *piece = rooms->in - len;
		memcpy(piece, input.ptr + at, len);
		sql_text_feed(&sql, (struct bytes){piece, len});
		memset(piece, '#', len); /* it is gone */
		at += len;
	}
	sql_text_end(&sql, result);
}

#endif
