/* cgi_talk.h - conversations of the CGI protocols' tests: told the same whole, cut once anywhere, byte by byte. */
#ifndef TAGALONG_CGI_TALK_H
#define TAGALONG_CGI_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/cgi_replay.h"

#define TALK_MAX 65536

/* A message put together by a test. */
struct talk {
	char text[TALK_MAX];
	size_t len;
};

static inline void talk_add(struct talk *talk, const void *text, size_t len)
{
	assert_true(talk->len + len <= TALK_MAX);
	if (len)
		memcpy(talk->text + talk->len, text, len);
	talk->len += len;
}

static inline struct bytes talk_bytes(const struct talk *talk)
{
	return (struct bytes){talk->text, talk->len};
}

static inline void talk_feed(struct cgi_replay *replay, enum protocol_half half, struct bytes text, size_t cut, bool single)
{
	if (single) {
		for (size_t i = 0; i < text.len; i++) {
			cgi_replay_ahead(replay, half, bytes_from(text, i));
			cgi_replay_feed(replay, half, bytes_until(bytes_from(text, i), 1));
		}
		return;
	}
	cgi_replay_ahead(replay, half, text);
	cgi_replay_feed(replay, half, bytes_until(text, cut));
	cgi_replay_ahead(replay, half, bytes_from(text, cut));
	cgi_replay_feed(replay, half, bytes_from(text, cut));
}

/* One request, its response, both ends. */
static inline char *talk_play(const struct protocol *protocol, struct bytes request, struct bytes response,
			      size_t cut_request, size_t cut_response, bool single)
{
	struct cgi_replay replay;
	cgi_replay_open(&replay, protocol);
	talk_feed(&replay, HALF_REQUESTS, request, cut_request, single);
	talk_feed(&replay, HALF_RESPONSES, response, cut_response, single);
	cgi_replay_end(&replay, HALF_RESPONSES);
	return cgi_replay_close(&replay);
}

static inline void talk_same(char *got, const char *expected, const char *how, size_t cut)
{
	if (!got || strcmp(got, expected) != 0)
		fail_msg("%s, cut at %zu:\n--- got\n%s--- expected\n%s", how, cut, got ? got : "", expected);
	free(got);
}

/* Whatever the cuts, the log is `expected`. */
static inline void talk_everywhere(const struct protocol *protocol, struct bytes request, struct bytes response,
				   const char *expected)
{
	talk_same(talk_play(protocol, request, response, request.len, response.len, false), expected, "whole", 0);
	for (size_t cut = 1; cut < request.len; cut++)
		talk_same(talk_play(protocol, request, response, cut, response.len, false), expected, "request", cut);
	for (size_t cut = 1; cut < response.len; cut++)
		talk_same(talk_play(protocol, request, response, request.len, cut, false), expected, "response", cut);
	talk_same(talk_play(protocol, request, response, 0, 0, true), expected, "byte by byte", 0);
}

/* Only the request, in pieces of `piece` bytes. */
static inline char *talk_requests(const struct protocol *protocol, struct bytes text, size_t piece)
{
	struct cgi_replay replay;
	cgi_replay_open(&replay, protocol);
	for (; text.len; text = bytes_from(text, piece))
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(text, piece));
	return cgi_replay_close(&replay);
}

static inline void talk_expect(char *log, const char *there, const char *not_there)
{
	if (!log)
		abort();
	if (there && !strstr(log, there))
		fail_msg("no %s in:\n%.3000s", there, log);
	if (not_there && strstr(log, not_there))
		fail_msg("%s in:\n%.3000s", not_there, log);
	free(log);
}

/* Any bytes at all: nothing but the log may come of them. */
static inline void talk_garbage(const struct protocol *protocol, struct bytes start)
{
	uint32_t seed = 1;
	for (int round = 0; round < 3000; round++) {
		char text[300];
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
		size_t known = start.len > sizeof(text) ? sizeof(text) : start.len;
		size_t keep = known ? seed % known : 0;
		memcpy(text, start.ptr, round % 2 ? known : keep);
		if (round % 2 && known)
			text[(seed >> 8) % known] ^= (char)(1 << (seed >> 20) % 8);
		free(talk_requests(protocol, (struct bytes){text, sizeof(text)}, 1 + seed % 300));
	}
}

#endif
