/* test_http1.c - golden conversations, in one piece and cut everywhere; limits that files cannot show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>

#include "tests/support/http1_replay.h"

/* --- conversations: `> text`, `< text` (one feed each, C escapes), `end <`, `skip < 100` ------------------
 */

struct act {
	enum { ACT_FEED, ACT_SKIP, ACT_END } what;
	enum protocol_half half;
	struct bytes text;
	uint64_t count;
};

struct conversation {
	struct act act[200];
	size_t acts;
};

static struct bytes unescape(const char *text)
{
	char *out = malloc(strlen(text) + 1);
	size_t len = 0;
	for (; *text; text++) {
		unsigned code;
		if (*text != '\\') {
			out[len++] = *text;
			continue;
		}
		switch (*++text) {
		case 'r':
			out[len++] = '\r';
			break;
		case 'n':
			out[len++] = '\n';
			break;
		case 't':
			out[len++] = '\t';
			break;
		case 'x':
			assert_int_equal(sscanf(text + 1, "%2x", &code), 1);
			out[len++] = (char)code;
			text += 2;
			break;
		default:
			assert_int_equal(*text, '\\');
			out[len++] = '\\';
			break;
		}
	}
	return (struct bytes){out, len};
}

static struct conversation *read_conversation(const char *path)
{
	struct conversation *all = calloc(1, sizeof(*all));
	char line[8192];
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct act act = {ACT_FEED, HALF_REQUESTS, BYTES_NONE, 0};
		unsigned long long count = 0;
		char which = line[0];
		line[strcspn(line, "\n")] = '\0';
		if (which == '#' || which == '\0')
			continue;
		if (sscanf(line, "skip %c %llu", &which, &count) == 2)
			act.what = ACT_SKIP;
		else if (sscanf(line, "end %c", &which) == 1)
			act.what = ACT_END;
		else
			act.text = unescape(line + 2);
		assert_true(which == '>' || which == '<');
		act.half = which == '>' ? HALF_REQUESTS : HALF_RESPONSES;
		act.count = count;
		assert_true(all->acts < 200);
		all->act[all->acts++] = act;
	}
	fclose(file);
	return all;
}

static void free_conversation(struct conversation *all)
{
	for (size_t i = 0; i < all->acts; i++)
		free((char *)(uintptr_t)all->act[i].text.ptr);
	free(all);
}

enum cutting { CUT_NONE, CUT_ONCE, CUT_AHEAD, CUT_BYTES };

static void perform(struct replay *replay, const struct act *act, enum cutting how, size_t cut)
{
	if (act->what == ACT_END) {
		replay_end(replay, act->half);
	} else if (act->what == ACT_SKIP) {
		replay_skip(replay, act->half, act->count);
	} else if (how == CUT_BYTES) {
		for (size_t i = 0; i < act->text.len; i++) {
			replay_ahead(replay, act->half, bytes_from(act->text, i));
			replay_feed(replay, act->half, bytes_until(bytes_from(act->text, i), 1));
		}
	} else {
		if (how == CUT_AHEAD)
			replay_ahead(replay, act->half, act->text);
		replay_feed(replay, act->half, bytes_until(act->text, cut));
		if (how == CUT_AHEAD)
			replay_ahead(replay, act->half, bytes_from(act->text, cut));
		replay_feed(replay, act->half, bytes_from(act->text, cut));
	}
}

static _Alignas(8) char notes[2][PROTOCOL_NOTES_SIZE];
static bool noting;
static struct protocol_memo memo; /* as one connection has all three */

static char *play(const struct conversation *all, enum cutting how, size_t which, size_t cut)
{
	struct replay replay;
	replay_open(&replay);
	replay.sink.notes = noting ? notes : NULL;
	replay.memo = noting ? &memo : NULL;
	for (size_t i = 0; i < all->acts; i++) {
		bool this = how == CUT_BYTES || i == which;
		perform(&replay, &all->act[i], this ? how : CUT_NONE, this ? cut : all->act[i].text.len);
	}
	return replay_close(&replay);
}

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t size = 0, got;
	char piece[4096];
	FILE *file = fopen(path, "r"), *out = open_memstream(&text, &size);
	if (!file) {
		fclose(out);
		return text;
	}
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		fwrite(piece, 1, got, out);
	fclose(file);
	fclose(out);
	return text;
}

static void events_path(const char *in, char *path, size_t size)
{
	snprintf(path, size, "%.*s.events", (int)(strlen(in) - 3), in);
}

static void for_each_golden(void (*check)(const char *path, const struct conversation *all,
					  const char *expected))
{
	glob_t found;
	char path[512];
	assert_int_equal(glob("tests/golden/http1/*.in", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 20);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct conversation *all = read_conversation(found.gl_pathv[i]);
		events_path(found.gl_pathv[i], path, sizeof(path));
		char *expected = read_file(path);
		check(path, all, expected);
		free(expected);
		free_conversation(all);
	}
	globfree(&found);
}

static void same(const char *path, const char *got, const char *expected, const char *how, size_t act,
		 size_t cut)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s, %s, line %zu cut at %zu:\n--- got\n%s--- expected\n%s", path, how, act, cut,
			 got, expected);
}

static void check_whole(const char *path, const struct conversation *all, const char *expected)
{
	char *got = play(all, CUT_NONE, SIZE_MAX, 0);
	if (getenv("GOLDEN_WRITE")) { /* to be read through before it is committed */
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(got, file);
		fclose(file);
	} else {
		same(path, got, expected, "whole", 0, 0);
	}
	free(got);
}

static void check_cut(const char *path, const struct conversation *all, const char *expected)
{
	for (enum cutting how = CUT_ONCE; how <= CUT_AHEAD; how++)
		for (size_t i = 0; i < all->acts; i++)
			for (size_t cut = 1; cut < all->act[i].text.len; cut++) {
				char *got = play(all, how, i, cut);
				same(path, got, expected, how == CUT_ONCE ? "cut" : "looked ahead and cut", i,
				     cut);
				free(got);
			}
}

static void check_bytes(const char *path, const struct conversation *all, const char *expected)
{
	char *got = play(all, CUT_BYTES, SIZE_MAX, 0);
	same(path, got, expected, "byte by byte", 0, 0);
	free(got);
}

/* With the notes that all conversations before it have left. */
static void check_noting(const char *path, const struct conversation *all, const char *unused)
{
	(void)unused;
	noting = false;
	char *expected = play(all, CUT_NONE, SIZE_MAX, 0);
	noting = true;
	for (int round = 0; round < 8; round++) { /* the third time at the latest they are its own */
		char *got = play(all, round % 4 == 3 ? CUT_BYTES : CUT_NONE, SIZE_MAX, 0);
		same(path, got, expected, "with notes", 0, 0);
		free(got);
	}
	for (size_t i = 0; i < all->acts; i++)
		for (size_t cut = 1; cut < all->act[i].text.len; cut++) {
			char *got = play(all, CUT_AHEAD, i, cut);
			same(path, got, expected, "with notes, looked ahead and cut", i, cut);
			free(got);
		}
	noting = false;
	free(expected);
}

static void test_golden_with_notes(void **unused)
{
	(void)unused;
	replay_capture(false);
	for_each_golden(check_noting);
	for_each_golden(check_noting);
	replay_capture(true);
}

static void test_golden_whole(void **unused)
{
	(void)unused;
	for_each_golden(check_whole);
}

static void test_golden_cut_everywhere(void **unused)
{
	(void)unused;
	for_each_golden(check_cut);
}

static void test_golden_byte_by_byte(void **unused)
{
	(void)unused;
	for_each_golden(check_bytes);
}

/* Heads of fields in all orders, some of them the beginning of others, with what is context in their midst.
 */
static struct bytes some_head(uint32_t *seed, char *room, size_t size)
{
	static const char *const lines[] = {
		"Host: a.example",
		"Host: b.example:81",
		"User-Agent: x/1",
		"Connection: close",
		"Connection: keep-alive",
		"Content-Length: 0",
		"Content-Length: 0, 0",
		"Accept: */*",
		"traceparent: 00-1",
		"baggage: a=b",
		"Upgrade: x",
		"X-Forwarded-For: 192.0.2.9",
		"Cookie: 0123456789012345678901234567890123456789012345678901234567890123456789",
		"Transfer-Encoding: identity",
		"X-Empty:",
		"HTTP2-Settings: AAMAAABk",
		" folded",
		"Expect: 100-continue",
	};
	size_t len = (size_t)snprintf(room, size, "GET /%u HTTP/1.%u\r\n", *seed >> 28, *seed >> 27 & 1);
	uint32_t kind = *seed >> 16 & 7, count = *seed >> 20 & 7;
	for (uint32_t i = 0; i < count; i++) {
		bool odd = (*seed >> 24 & 3) == 0 && i + 1 == count;
		uint32_t line = odd ? *seed >> 8 & 31 : (kind * 5 + i * 3) & 15;
		if (line < sizeof(lines) / sizeof(lines[0]))
			len += (size_t)snprintf(room + len, size - len, "%s\r\n", lines[line]);
	}
	len += (size_t)snprintf(room + len, size - len, "\r\n");
	*seed = *seed * 1664525u + 1013904223u;
	return (struct bytes){room, len};
}

static void test_feed_tells_the_same_with_notes_of_other_heads(void **unused)
{
	(void)unused;
	char room[2048];
	uint32_t seed = 1;
	size_t used = 0, known = 0;

	replay_capture(false);
	memset(notes, 0, sizeof(notes));
	memset(&memo, 0, sizeof(memo));
	for (int i = 0; i < 20000; i++) {
		struct bytes head = some_head(&seed, room, sizeof(room));
		char *told[2];
		for (int with = 0; with < 2; with++) {
			struct replay replay;
			replay_open(&replay);
			replay.sink.notes = with ? notes : NULL;
			replay.memo = with ? &memo : NULL;
			replay_feed(&replay, HALF_REQUESTS, head);
			replay_feed(&replay, HALF_RESPONSES,
				    BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"));
			told[with] = replay_close(&replay);
		}
		same(room, told[1], told[0], "with notes", 0, 0);
		used += notes[HALF_REQUESTS][0] != 0;
		known += memo.len != 0 && memo.serial != 0;
		free(told[0]);
		free(told[1]);
	}
	assert_true(used > 10000);
	assert_true(known > 500); /* by what the lines before said */
	replay_capture(true);
}

/* A line that nobody wants may go on in the next one, also if it is known from the head before. */
static void test_feed_folds_the_last_line_that_was_noted(void **unused)
{
	(void)unused;
	char lines[200], head[600];
	struct replay replay;

	replay_capture(false);
	memset(notes, 0, sizeof(notes));
	snprintf(lines, sizeof(lines), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: %0100d\r\n", 1);
	replay_open(&replay);
	replay.sink.notes = notes;
	for (int i = 0; i < 2; i++)
		replay_feed(&replay, HALF_REQUESTS, BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	snprintf(head, sizeof(head), "%sX-B: %0200d\r\n\r\n", lines, 1);
	replay_feed(&replay, HALF_RESPONSES, bytes_of(head));
	snprintf(head, sizeof(head), "%s folded\r\n\r\n", lines);
	replay_feed(&replay, HALF_RESPONSES, bytes_of(head));
	char *log = replay_close(&replay);
	assert_non_null(strstr(log, "RESPONSE_END 2"));
	free(log);
	replay_capture(true);
}

/* --- what files cannot show -------------------------------------------------------------------------------
 */

static struct bytes repeated(const char *before, char c, size_t count, const char *after)
{
	size_t a = strlen(before), b = strlen(after);
	char *text = malloc(a + count + b);
	memcpy(text, before, a);
	memset(text + a, c, count);
	memcpy(text + a + count, after, b);
	return (struct bytes){text, a + count + b};
}

static char *play_requests(struct bytes text, size_t piece)
{
	struct replay replay;
	replay_open(&replay);
	for (size_t at = 0; at < text.len; at += piece)
		replay_feed(&replay, HALF_REQUESTS, bytes_until(bytes_from(text, at), piece));
	return replay_close(&replay);
}

static void expect_requests(struct bytes text, size_t piece, const char *there, const char *not_there)
{
	char *log = play_requests(text, piece);
	if (there && !strstr(log, there))
		fail_msg("no %s in:\n%.2000s", there, log);
	if (not_there && strstr(log, not_there))
		fail_msg("%s in:\n%.2000s", not_there, log);
	free(log);
}

static void test_feed_takes_long_header_lines(void **unused)
{
	(void)unused;
	struct bytes text = repeated("GET / HTTP/1.1\r\nCookie: ", 'c', 65536,
				     "\r\ntraceparent: x\r\nHost: late.example\r\n\r\n");
	size_t pieces[] = {SIZE_MAX / 2, 4096, 17, 1};
	for (size_t i = 0; i < 4; i++) {
		expect_requests(text, pieces[i], "FIELD 1 #1 traceparent=x\n", "OPAQUE");
		expect_requests(text, pieces[i], "server.address=\"late.example\"", NULL);
		expect_requests(text, pieces[i], "REQUEST_END 1", NULL);
	}
	free((char *)(uintptr_t)text.ptr);
}

static void test_feed_cuts_values_that_the_stash_cannot_hold(void **unused)
{
	(void)unused;
	struct bytes text =
		repeated("GET / HTTP/1.1\r\nUser-Agent: ", 'u', 20000,
			 "\r\ntracestate: a=b\r\nContent-Length: 3\r\n\r\nabcGET /second HTTP/1.1\r\n\r\n");
	size_t pieces[] = {SIZE_MAX / 2, 4096, 100, 1};
	for (size_t i = 0; i < 4; i++) {
		expect_requests(text, pieces[i], "REQUEST_END 2", "OPAQUE");
		expect_requests(text, pieces[i], "FIELD 1 #2 tracestate=a=b\n", NULL);
		expect_requests(text, pieces[i], "user_agent.original=\"uuuuu", NULL);
	}
	free((char *)(uintptr_t)text.ptr);
	/* A list of context that is cut says something else: then it is there, and empty. */
	text = repeated("GET / HTTP/1.1\r\nbaggage: ", 'b', 20000, "\r\n\r\n");
	expect_requests(text, 1000, "FIELD 1 #3 baggage=\n", "OPAQUE");
	free((char *)(uintptr_t)text.ptr);
}

static void test_feed_refuses_heads_beyond_the_limit(void **unused)
{
	(void)unused;
	struct bytes text = repeated("GET / HTTP/1.1\r\nCookie: ", 'c', HTTP1_HEAD_MAX, "\r\n\r\n");
	size_t pieces[] = {SIZE_MAX / 2, 4096, 99};
	for (size_t i = 0; i < 3; i++)
		expect_requests(text, pieces[i], "OPAQUE TOO_LARGE", "INSERT");
	free((char *)(uintptr_t)text.ptr);
	/* Right at it. */
	static const char before[] = "GET / HTTP/1.1\r\nCookie: ";
	text = repeated(before, 'c', HTTP1_HEAD_MAX - (sizeof(before) - 1) - 4, "\r\n\r\n");
	expect_requests(text, SIZE_MAX / 2, "REQUEST_END 1", "OPAQUE");
	expect_requests(text, 5000, "REQUEST_END 1", "OPAQUE");
	free((char *)(uintptr_t)text.ptr);
	text = repeated(before, 'c', HTTP1_HEAD_MAX - (sizeof(before) - 1) - 3, "\r\n\r\n");
	expect_requests(text, SIZE_MAX / 2, "OPAQUE TOO_LARGE", "REQUEST_HEAD");
	expect_requests(text, 5000, "OPAQUE TOO_LARGE", "REQUEST_HEAD");
	free((char *)(uintptr_t)text.ptr);
}

static void test_feed_follows_64_requests_in_flight(void **unused)
{
	(void)unused;
	struct replay replay;
	replay_open(&replay);
	for (int i = 0; i < HTTP1_IN_FLIGHT; i++)
		replay_feed(&replay, HALF_REQUESTS,
			    i % 3 ? BYTES("GET / HTTP/1.1\r\n\r\n") : BYTES("HEAD / HTTP/1.1\r\n\r\n"));
	for (int i = 0; i < HTTP1_IN_FLIGHT; i++)
		replay_feed(&replay, HALF_RESPONSES,
			    i % 3 ? BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
				  : BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"));
	for (int i = 0; i <= HTTP1_IN_FLIGHT; i++)
		replay_feed(&replay, HALF_REQUESTS, BYTES("GET / HTTP/1.1\r\n\r\n"));
	char *log = replay_close(&replay);
	assert_non_null(strstr(log, "RESPONSE_END 64 "));
	assert_non_null(strstr(log, "REQUEST_END 128 "));
	assert_null(strstr(log, "REQUEST_BEGIN 129"));
	assert_non_null(strstr(log, "OPAQUE TOO_LARGE\n"));
	assert_null(strstr(log, "MALFORMED"));
	free(log);
}

static char *no_block(struct protocol_stash *stash)
{
	(void)stash;
	return NULL;
}

static void test_feed_gives_up_without_a_stash(void **unused)
{
	(void)unused;
	struct replay replay;
	replay_open(&replay);
	replay.stash.take = no_block;
	replay_feed(&replay, HALF_REQUESTS, BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo"));
	char *log = replay_close(&replay);
	assert_non_null(strstr(log, "REQUEST_END 1"));
	assert_non_null(strstr(log, "OPAQUE TOO_LARGE\n"));
	free(log);
}

static void test_state_is_small(void **unused)
{
	(void)unused;
	assert_true(protocol_http1.state_size <= 320);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_whole),
		cmocka_unit_test(test_golden_cut_everywhere),
		cmocka_unit_test(test_golden_byte_by_byte),
		cmocka_unit_test(test_golden_with_notes),
		cmocka_unit_test(test_feed_tells_the_same_with_notes_of_other_heads),
		cmocka_unit_test(test_feed_folds_the_last_line_that_was_noted),
		cmocka_unit_test(test_feed_takes_long_header_lines),
		cmocka_unit_test(test_feed_cuts_values_that_the_stash_cannot_hold),
		cmocka_unit_test(test_feed_refuses_heads_beyond_the_limit),
		cmocka_unit_test(test_feed_follows_64_requests_in_flight),
		cmocka_unit_test(test_feed_gives_up_without_a_stash),
		cmocka_unit_test(test_state_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
