/* postgres_talk.h - PostgreSQL messages written down as lines, made into bytes.
 *
 * "> Q SELECT 1": the client sends a query; "< Z": the server is ready. Behind the type come the strings of the message,
 * with | between them, each with its NUL; a word in # (#00000001) is bytes in hex. Messages that always have the same
 * rest get it by themselves. "> startup user|ann", "> tls", "> gss", "> cancel"; "< byte S": one byte. */
#ifndef TAGALONG_POSTGRES_TALK_H
#define TAGALONG_POSTGRES_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/postgres_replay.h"

#define TALK_MAX ((size_t)1 << 20)
#define TALK_TURNS 64

struct talk {
	size_t len;
	int turns;
	struct {
		enum protocol_half half;
		size_t from, len;
	} turn[TALK_TURNS];
	char bytes[TALK_MAX];
};

static inline void talk_add(struct talk *talk, const void *bytes, size_t len)
{
	if (len > sizeof(talk->bytes) - talk->len)
		abort();
	if (len)
		memcpy(talk->bytes + talk->len, bytes, len);
	talk->len += len;
}

static inline void talk_number(struct talk *talk, uint32_t number)
{
	uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	talk_add(talk, bytes, sizeof(bytes));
}

static inline void talk_hex(struct talk *talk, const char *hex, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		char digits[3] = {hex[i], hex[i + 1], 0}, byte = (char)strtoul(digits, NULL, 16);
		talk_add(talk, &byte, 1);
	}
}

/* a|b|#0001 */
static inline void talk_strings(struct talk *talk, const char *text, bool terminated)
{
	while (text) {
		const char *end = strchr(text, '|');
		size_t len = end ? (size_t)(end - text) : strlen(text);
		if (len && text[0] == '#')
			talk_hex(talk, text + 1, len - 1);
		else
			talk_add(talk, text, len);
		if (terminated && !(len && text[0] == '#'))
			talk_add(talk, "", 1);
		text = end ? end + 1 : NULL;
	}
}

/* What follows the strings where the line says nothing of it. */
static inline void talk_rest(struct talk *talk, bool client, char type)
{
	static const struct { char side, type; const char *hex; } rest[] = {
		{'>', 'P', "0000"}, {'>', 'B', "000000000000"}, {'>', 'E', "00000000"},
		{'<', 'R', "00000000"}, {'<', 'K', "0000000100000002"}, {'<', 'Z', "49"}, {'<', 't', "0000"},
		{'<', 'T', "0000"}, {'<', 'D', "0000"}, {'<', 'G', "000000"}, {'<', 'H', "000000"}, {'<', 'W', "000000"},
		{'<', 'V', "ffffffff"}, {'<', 'E', "00"}, {'<', 'N', "00"},
	};
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (rest[i].type == type && (rest[i].side == '>') == client)
			talk_hex(talk, rest[i].hex, strlen(rest[i].hex));
}

static inline void talk_message(struct talk *talk, bool client, const char *line)
{
	char type = line[0];
	const char *text = line[1] == ' ' ? line + 2 : NULL;
	size_t at = talk->len + 1;

	talk_add(talk, &type, 1);
	talk_number(talk, 0);
	if ((type == 'D' || type == 'C') && client) { /* the kind has no NUL */
		talk_add(talk, text, 1);
		text += text[1] == '|' ? 2 : 1;
	}
	/* Fields of errors: "C23505|Mgone". */
	talk_strings(talk, text, !(type == 'd' || type == 'D') || client);
	talk_rest(talk, client, type);
	uint32_t length = (uint32_t)(talk->len - at);
	for (int i = 0; i < 4; i++)
		talk->bytes[at + (size_t)i] = (char)(length >> (24 - 8 * i));
}

static inline void talk_line(struct talk *talk, const char *line)
{
	bool client = line[0] == '>';
	enum protocol_half half = client ? HALF_REQUESTS : HALF_RESPONSES;

	line += 2;
	if (talk->turns == 0 || talk->turn[talk->turns - 1].half != half) {
		if (talk->turns == TALK_TURNS)
			abort();
		talk->turn[talk->turns].half = half;
		talk->turn[talk->turns++].from = talk->len;
	}
	size_t from = talk->len;
	if (strncmp(line, "startup ", 8) == 0) {
		talk_number(talk, 0);
		talk_number(talk, 196608);
		talk_strings(talk, line + 8, true);
		talk_add(talk, "", 1);
		talk->bytes[from + 2] = (char)((talk->len - from) >> 8);
		talk->bytes[from + 3] = (char)(talk->len - from);
	} else if (strcmp(line, "tls") == 0 || strcmp(line, "gss") == 0) {
		talk_number(talk, 8);
		talk_number(talk, line[0] == 't' ? 80877103u : 80877104u);
	} else if (strcmp(line, "cancel") == 0) {
		talk_number(talk, 16);
		talk_number(talk, 80877102u);
		talk_number(talk, 1);
		talk_number(talk, 2);
	} else if (strncmp(line, "byte ", 5) == 0) {
		talk_add(talk, line + 5, 1);
	} else if (strncmp(line, "bytes ", 6) == 0) {
		talk_strings(talk, line + 6, false);
	} else {
		talk_message(talk, client, line);
	}
	talk->turn[talk->turns - 1].len = talk->len - talk->turn[talk->turns - 1].from;
}

static inline void talk_read(struct talk *talk, const char *script)
{
	static char line[65536];

	talk->len = 0;
	talk->turns = 0;
	while (*script) {
		size_t len = strcspn(script, "\n");
		if (len >= sizeof(line))
			abort();
		memcpy(line, script, len);
		line[len] = '\0';
		if (line[0] == '>' || line[0] == '<')
			talk_line(talk, line);
		script += len + (script[len] == '\n');
	}
}

static inline struct bytes talk_turn(const struct talk *talk, int turn)
{
	return (struct bytes){talk->bytes + talk->turn[turn].from, talk->turn[turn].len};
}

#endif
