/* conversation.c - reading a conversation's text. One directive a line:
 *
 *	> "text\r\n"        the client sends (escapes \r \n \t \\ \" \xNN)
 *	< "text"            the server sends
 *	*1000 > "text"      the same so many times
 *	head+  head-  head? a request's head begins here; a line is expected in it, none, either
 *	/head               it ends here (past the blank line)
 *
 * Neighbouring lines of one side are one turn. Lines that begin with # are comments. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct conversation *c, bool client, const char *text, size_t len)
{
	if (c->turns == 0 || c->turn[c->turns - 1].client != client) {
		if (c->turns == MOST_TURNS)
			abort();
		c->turn[c->turns++] = (struct turn){client, c->len[client], 0};
	}
	c->stream[client] = realloc(c->stream[client], c->len[client] + len + 1);
	memcpy(c->stream[client] + c->len[client], text, len);
	c->len[client] += len;
	c->turn[c->turns - 1].len += len;
}

static size_t unescape(const char *from, char *to)
{
	size_t n = 0;
	for (; *from && *from != '"'; from++) {
		if (*from != '\\') {
			to[n++] = *from;
			continue;
		}
		from++;
		if (*from == 'x') {
			char hex[3] = {from[1], from[2], 0};
			to[n++] = (char)strtol(hex, NULL, 16);
			from += 2;
		} else {
			to[n++] = *from == 'r' ? '\r' : *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
		}
	}
	return *from == '"' ? n : (size_t)-1;
}

static bool directive(struct conversation *c, const char *line)
{
	char text[4096];
	long times = 1;

	if (!strncmp(line, "head", 4) && c->heads < MOST_HEADS) {
		enum expect expect = line[4] == '+' ? EXPECT_LINE : line[4] == '-' ? EXPECT_NOTHING : EXPECT_EITHER;
		c->head[c->heads++] = (struct head){c->len[1], 0, expect};
		return true;
	}
	if (!strcmp(line, "/head") && c->heads) {
		c->head[c->heads - 1].to = c->len[1];
		return true;
	}
	if (*line == '*') {
		char *end;
		times = strtol(line + 1, &end, 10);
		line = end + 1;
	}
	if ((*line != '>' && *line != '<') || line[1] != ' ' || line[2] != '"')
		return false;
	size_t len = unescape(line + 3, text);
	if (len == (size_t)-1)
		return false;
	while (times-- > 0)
		append(c, *line == '>', text, len);
	return true;
}

bool conversation_load(struct conversation *c, const char *path)
{
	char line[4096];
	FILE *file = fopen(path, "r");
	const char *slash = strrchr(path, '/');

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", slash ? slash + 1 : path);
	append(c, true, "", 0);
	c->turns = 0;
	for (int number = 1; file && fgets(line, sizeof(line), file); number++) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		if (!directive(c, line)) {
			fprintf(stderr, "%s:%d: no directive: %s\n", path, number, line);
			fclose(file);
			return false;
		}
	}
	if (file)
		fclose(file);
	return file && c->turns > 0;
}
