/* test_http2_edit.c - what a server reads of requests that fields were put into: all that was there, ours, and
 * afterwards nothing else than it would have read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/http2_replay.h"
#include "tests/support/http2_talk.h"

#define OURS "Traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\ntracestate: t=1\r\n"
#define SEEN "%d traceparent: 00-11111111111111111111111111111111-2222222222222222-01\n%d tracestate: t=1\n"

/* Sends the talk's requests through the parser, with `lines` put in, to a server that is new. Returns what that saw. */
static char *edited(const struct talk *talk, struct bytes lines, int *edits)
{
	struct talk other;
	struct replay replay;
	char *sent = NULL;
	size_t size = 0;

	talk_open(&other);
	other.mute = true;
	nghttp2_submit_settings(other.server, 0, NULL, 0); /* the client acknowledges those that it was sent first */
	replay_open(&replay);
	replay.lines = lines;
	for (size_t i = 0; i < talk->pieces; i++) {
		replay.edited = open_memstream(&sent, &size);
		replay_feed(&replay, talk->piece[i].half, talk->piece[i].text);
		fclose(replay.edited);
		if (talk->piece[i].half == HALF_REQUESTS) {
			ssize_t took = nghttp2_session_mem_recv(other.server, (const uint8_t *)sent, size);
			if (took != (ssize_t)size)
				fail_msg("the server took %zd of %zu", took, size);
		}
		const uint8_t *data;
		while (nghttp2_session_mem_send(other.server, &data) > 0)
			;
		free(sent);
	}
	assert_int_equal(nghttp2_session_want_read(other.server), 1); /* no error ended it */
	fflush(other.seen);
	char *seen = strdup(other.seen_text);
	*edits = replay.edits;
	char *log = replay_close(&replay);
	assert_null(strstr(log, "OPAQUE"));
	free(log);
	talk_close(&other);
	return seen;
}

static void forget_ours(char *seen, int stream)
{
	char ours[400];
	snprintf(ours, sizeof(ours), SEEN, stream, stream);
	char *at = strstr(seen, ours);
	if (!at)
		fail_msg("stream %d has none of ours:\n%.800s", stream, seen);
	memmove(at, at + strlen(ours), strlen(at + strlen(ours)) + 1);
}

static void expect_edited(const struct talk *talk, int requests)
{
	int edits;
	fflush(talk->seen);
	char *plain = edited(talk, BYTES_NONE, &edits);
	assert_string_equal(plain, talk->seen_text);
	assert_int_equal(edits, 0);
	free(plain);
	char *seen = edited(talk, BYTES(OURS), &edits);
	assert_int_equal(edits, requests);
	for (int i = 0; i < requests; i++)
		forget_ours(seen, 2 * i + 1);
	assert_string_equal(seen, talk->seen_text);
	free(seen);
}

static const char *const fields[] = {"user-agent", "talk/1", "x-one", "first", "x-two", "second", NULL};

static void test_edit_leaves_what_follows_as_it_was(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	for (int i = 0; i < 8; i++) {
		talk_request(&talk, i % 2 ? "/odd" : "/even", i % 3 ? fields : NULL);
		talk_request(&talk, "/second", fields);
		talk_pump(&talk);
	}
	expect_edited(&talk, 16);
	talk_close(&talk);
}

static void test_edit_goes_before_padding(void **unused)
{
	(void)unused;
	for (size_t padding = 1; padding < 256; padding += 50) {
		struct talk talk;
		talk_open(&talk);
		talk.padding = padding;
		talk.body = 100;
		for (int i = 0; i < 4; i++) {
			talk_request(&talk, "/", fields);
			talk_pump(&talk);
		}
		expect_edited(&talk, 4);
		talk_close(&talk);
	}
}

/* Around the longest frame that a server accepts our fields move into a frame of their own. */
static void test_edit_respects_the_longest_frame(void **unused)
{
	(void)unused;
	static char cookie[16501];
	const char *const more[] = {"cookie", cookie, NULL};
	for (size_t len = 16180; len < 16500; len++) {
		struct talk talk;
		memset(cookie, 'X', len);
		cookie[len] = '\0';
		talk_open(&talk);
		talk_request(&talk, "/", more);
		talk_pump(&talk);
		talk_request(&talk, "/", fields);
		talk_pump(&talk);
		expect_edited(&talk, 2);
		talk_close(&talk);
	}
}

static void test_edit_of_padded_frames_at_the_limit(void **unused)
{
	(void)unused;
	static char cookie[16501];
	const char *const more[] = {"cookie", cookie, NULL};
	for (size_t len = 16000; len < 16400; len += 3) {
		struct talk talk;
		memset(cookie, 'X', len);
		cookie[len] = '\0';
		talk_open(&talk);
		talk.padding = 40;
		talk_request(&talk, "/", more);
		talk_request(&talk, "/", fields);
		talk_pump(&talk);
		expect_edited(&talk, 2);
		talk_close(&talk);
	}
}

static void test_edit_uses_longer_frames_once_they_are_agreed(void **unused)
{
	(void)unused;
	struct http2_place place = {.start = 0, .length = 16300, .stream = 1, .frame_max = 20000, .type = FRAME_HEADERS,
				    .flags = FLAG_END_HEADERS};
	struct protocol_edit edit[PROTOCOL_EDITS];
	char room[400];
	assert_int_equal(http2_edit(&place, BYTES(OURS), room, sizeof(room), edit), 3);
	assert_int_equal(edit[0].text.len, 3);
	assert_int_equal(edit[0].offset, 0);
	place.frame_max = HTTP2_FRAME_MIN;
	assert_int_equal(http2_edit(&place, BYTES(OURS), room, sizeof(room), edit), 3);
	assert_int_equal(edit[0].text.len, 1);
	assert_int_equal(edit[0].offset, 4);
	assert_int_equal(edit[0].text.ptr[0], 0);
}

static void test_edit_gives_up_where_it_must(void **unused)
{
	(void)unused;
	struct http2_place place = {.start = -5, .length = 10, .stream = 1, .frame_max = HTTP2_FRAME_MIN,
				    .type = FRAME_HEADERS, .flags = FLAG_END_HEADERS};
	struct protocol_edit edit[PROTOCOL_EDITS];
	static char room[40000], lines[20000];
	assert_int_equal(http2_edit(&place, BYTES(OURS), room, sizeof(room), edit), 3);
	assert_true(edit[0].offset < 0);
	for (size_t size = 0; size < sizeof(OURS); size++)
		assert_int_equal(http2_edit(&place, BYTES(OURS), room, size, edit), 0);
	assert_int_equal(http2_edit(&place, BYTES_NONE, room, sizeof(room), edit), 0);
	memset(lines, 'x', sizeof(lines)); /* one that no frame holds */
	lines[5] = ':';
	assert_int_equal(http2_edit(&place, (struct bytes){lines, sizeof(lines)}, room, sizeof(room), edit), 0);
	place.flags |= FLAG_PADDED | FLAG_PRIORITY; /* nothing to change places with */
	place.pad = 4;
	assert_int_equal(http2_edit(&place, BYTES(OURS), room, sizeof(room), edit), 0);
	place.length++;
	assert_int_equal(http2_edit(&place, BYTES(OURS), room, sizeof(room), edit), 3);
}

static void test_insert_respects_the_list_that_the_peer_accepts(void **unused)
{
	(void)unused;
	for (uint32_t most = 300; most < 500; most += 7) {
		struct talk talk;
		int edits;
		talk_open(&talk);
		talk_pump(&talk);
		talk_setting(talk.server, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, most);
		talk_pump(&talk);
		talk_request(&talk, "/", fields);
		talk_pump(&talk);
		char *seen = edited(&talk, BYTES(OURS), &edits);
		size_t had = 7 + 3 + 7 + 4 + 10 + 14 + 5 + 1 + 10 + 6 + 5 + 5 + 5 + 6 + 7 * 32;
		assert_int_equal(edits, had + 11 + 55 + 10 + 3 + 64 <= most);
		free(seen);
		talk_close(&talk);
	}
}

/* Also byte by byte, in any representation, a decoder reads what was meant. */
static void test_encode_is_read_back(void **unused)
{
	(void)unused;
	static char lines[40000], room[41000];
	size_t lengths[] = {0, 1, 126, 127, 128, 254, 255, 256, 16383, 16510, 16511, 30000};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		nghttp2_hd_inflater *inflater;
		nghttp2_nv nv;
		int flags = 0;
		size_t len = (size_t)sprintf(lines, "X-Name: ");
		memset(lines + len, 'v', lengths[i]);
		len += lengths[i];
		memcpy(lines + len, "\r\n", 2);
		size_t size = http2_encode((struct bytes){lines, len + 2}, room, sizeof(room));
		assert_int_equal(size, http2_encode((struct bytes){lines, len + 2}, NULL, 0));
		assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
		assert_int_equal(nghttp2_hd_inflate_hd2(inflater, &nv, &flags, (uint8_t *)room, size, 1), size);
		assert_int_equal(flags & NGHTTP2_HD_INFLATE_EMIT, NGHTTP2_HD_INFLATE_EMIT);
		assert_int_equal(nv.namelen, 6);
		assert_memory_equal(nv.name, "x-name", 6);
		assert_int_equal(nv.valuelen, lengths[i]);
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), 61); /* the static ones */
		nghttp2_hd_inflate_del(inflater);
	}
}

/* Every representation: where a value stands that is in no table, and that all others stay. */
static void test_find_value_in_every_representation(void **unused)
{
	(void)unused;
	static const struct {
		struct bytes block;
		uint32_t at, len;
		bool huffman;
	} known[] = {
		{BYTES("\0\1n\2vv"), 3, 3, false},
		{BYTES("\20\1n\2vv"), 3, 3, false},
		{BYTES("\0\1n\202vv"), 3, 3, true},
		{BYTES("\0\1n\0"), 3, 1, false},
		{BYTES("\17\10\3vvv"), 2, 4, false}, /* a name of the static table, 23 */
		{BYTES("\37\10\203vvv"), 2, 4, true},
		{BYTES("\77\341\37\0\1n\1v"), 6, 2, false}, /* behind a change of the table's size */
		{BYTES("\40\77\341\37\20\1n\1v"), 7, 2, false},
		{BYTES("\100\1n\1v"), 0, 0, false}, /* indexed from now on */
		{BYTES("\101\1v"), 0, 0, false},
		{BYTES("\202"), 0, 0, false}, /* and since before */
		{BYTES(""), 0, 0, false},
		{BYTES("\0"), 0, 0, false},
		{BYTES("\0\1"), 0, 0, false},
		{BYTES("\0\1n"), 0, 0, false},
		{BYTES("\0\1n\3v"), 0, 0, false},
		{BYTES("\17\377\377\377"), 0, 0, false},
		{BYTES("\0\177\377\377\377\377\377\377\177"), 0, 0, false},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char *end = replay_guarded(4096), *at = end - known[i].block.len;
		memcpy(at, known[i].block.ptr, known[i].block.len);
		struct http2_value value = http2_find_value((struct bytes){at, known[i].block.len}, 0, known[i].block.len);
		if (value.at != known[i].at || value.len != known[i].len || value.huffman != known[i].huffman)
			fail_msg("row %zu: %u bytes at %u, huffman %d", i, value.len, value.at, value.huffman);
	}
	static char block[400];
	size_t len = (size_t)sprintf(block, "%c%c%c%c%c", 0x10, 1, 'n', 127, 200 - 127);
	memset(block + len, 'v', 200);
	struct http2_value value = http2_find_value((struct bytes){block, len + 200}, 0, len + 200);
	assert_int_equal(value.at, 3);
	assert_int_equal(value.len, 202);
}

static void test_rewrite_gives_up_where_it_must(void **unused)
{
	(void)unused;
	static char room[400], text[200];
	struct http2_place place = {.start = 0, .length = 100, .stream = 1, .frame_max = HTTP2_FRAME_MIN, .type = FRAME_HEADERS,
				    .flags = FLAG_END_HEADERS};
	struct http2_value value = {10, 40, true};
	struct protocol_edit edit[PROTOCOL_EDITS];
	struct protocol_rewrite what = {http2_pack_value(&value), {text, 55}, 36, 16};
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 4);
	assert_int_equal(edit[0].offset, 0);
	assert_int_equal(edit[0].text.len, 3);
	assert_int_equal((uint8_t)edit[0].text.ptr[2], 116);
	assert_int_equal(edit[1].offset, 19);
	assert_int_equal(edit[1].text.len, 16);
	assert_int_equal(edit[2].text.len + edit[3].text.len, 40);
	for (size_t size = 0; size < 59; size++)
		assert_int_equal(http2_rewrite_value(&place, &what, room, size, edit), 0);
	place.flags = 0; /* goes on in a CONTINUATION */
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 0);
	place.flags = FLAG_END_HEADERS;
	place.type = FRAME_CONTINUATION;
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 0);
	place.type = FRAME_HEADERS;
	place.length = HTTP2_FRAME_MIN - 15; /* would be longer than the peer accepts */
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 0);
	place.length--;
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 4);
	value.len = 73; /* more than is remembered of it */
	what.framed = http2_pack_value(&value);
	what.value.len = 80;
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 0);
	value = (struct http2_value){10, 58, false}; /* blanks around it */
	what.framed = http2_pack_value(&value);
	what.value.len = 55;
	assert_int_equal(http2_rewrite_value(&place, &what, room, sizeof(room), edit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edit_leaves_what_follows_as_it_was),
		cmocka_unit_test(test_edit_goes_before_padding),
		cmocka_unit_test(test_edit_respects_the_longest_frame),
		cmocka_unit_test(test_edit_of_padded_frames_at_the_limit),
		cmocka_unit_test(test_edit_uses_longer_frames_once_they_are_agreed),
		cmocka_unit_test(test_edit_gives_up_where_it_must),
		cmocka_unit_test(test_insert_respects_the_list_that_the_peer_accepts),
		cmocka_unit_test(test_encode_is_read_back),
		cmocka_unit_test(test_find_value_in_every_representation),
		cmocka_unit_test(test_rewrite_gives_up_where_it_must),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
