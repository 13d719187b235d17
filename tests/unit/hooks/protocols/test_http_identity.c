/* test_http_identity.c - what of a request is told as its identity, whatever carries it and wherever it is
 * cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "hooks/protocols/http_describe.h"

extern const struct protocol protocol_http1, protocol_fastcgi;

struct listener {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	struct protocol_identity to;
	const struct protocol *protocol;
	char *line; /* where the next part goes */
	int heads;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	char block[PROTOCOL_STASH_SIZE];
	char told[2][16384]; /* during INSERT, REQUEST_HEAD */
};
static struct listener listener;

static char *take(struct protocol_stash *stash)
{
	return stash->block = listener.block;
}

static void part(struct protocol_identity *to, enum protocol_part number, struct bytes text)
{
	(void)to;
	listener.line += sprintf(listener.line, "%d=%.*s\n", (int)number, (int)text.len, text.ptr);
}

static void event(struct protocol_sink *sink, const struct protocol_event *event)
{
	static const char *const ends[] = {"not\n", "all\n", "in part\n", "lost\n"};
	(void)sink;
	if (event->type != EVENT_INSERT && event->type != EVENT_REQUEST_HEAD)
		return;
	char *text = listener.told[event->type == EVENT_REQUEST_HEAD];
	listener.heads += event->type == EVENT_REQUEST_HEAD;
	listener.line = text;
	enum protocol_identified known = listener.protocol->identify(listener.state, &listener.to);
	if (known == IDENTIFIED_NOT || known == IDENTIFIED_LOST)
		assert_ptr_equal(listener.line, text);
	strcpy(listener.line, ends[known]);
}

/* In two pieces, cut there; 0: byte by byte. */
static const char *told(const struct protocol *protocol, struct bytes request, size_t cut)
{
	memset(&listener, 0, sizeof(listener));
	listener.sink = (struct protocol_sink){.event = event, .stash = &listener.stash};
	listener.stash.take = take;
	listener.to.part = part;
	listener.protocol = protocol;
	protocol->open(listener.state);
	for (size_t at = 0; at < request.len; at += cut ? cut : 1) {
		if (at == cut)
			cut = request.len;
		struct bytes piece = bytes_until(bytes_from(request, at), cut ? cut : 1);
		char *copy = malloc(piece.len); /* exactly, for sanitizers */
		memcpy(copy, piece.ptr, piece.len);
		protocol->feed(listener.state, HALF_REQUESTS, (struct bytes){copy, piece.len},
			       &listener.sink);
		free(copy);
	}
	assert_int_equal(listener.heads, 1);
	if (listener.told[0][0]) /* no INSERT where the blank line is cut */
		assert_string_equal(listener.told[0], listener.told[1]);
	return listener.told[1];
}

static void expect(const char *head, const char *parts)
{
	size_t len = strlen(head);
	for (size_t cut = 0; cut <= len; cut++)
		assert_string_equal(told(&protocol_http1, (struct bytes){head, len}, cut), parts);
}

static void test_parts(void **state)
{
	(void)state;
	expect("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", "0=GET\n1=/a?b=c\nall\n");
	/* In one order, whatever theirs; all that is there of a name; nothing that proxies change. */
	expect("POST /p HTTP/1.0\r\nAuthorization: t\r\nOrigin: o\r\naccept-language: de\r\nHost: "
	       "x\r\nACCEPT: */*\r\n"
	       "Accept: text/html\r\nAccept-Encoding: gzip\r\nVia: v\r\nReferer: r\r\nuser-agent:  u "
	       "\r\nContent-Type: c\r\n"
	       "Cookie: k\r\nContent-Length: 0\r\nX-Forwarded-For: f\r\nRange: bytes=0-1\r\n\r\n",
	       "0=POST\n1=/p\n2=k\n3=u\n4=r\n5=*/*\n5=text/html\n6=de\n7=o\n8=c\n31=t\nall\n");
	/* Empty is not there. */
	expect("HEAD / HTTP/1.1\r\nReferer:\r\nCookie: ;\r\n\r\n", "0=HEAD\n1=/\nall\n");
}

static void test_targets(void **state)
{
	(void)state;
	expect("GET http://u:p@h:80/a?b HTTP/1.1\r\n\r\n", "0=GET\n1=/a?b\nall\n");
	expect("GET http://h HTTP/1.1\r\n\r\n", "0=GET\n1=/\nall\n");
	expect("OPTIONS * HTTP/1.1\r\n\r\n", "0=OPTIONS\n1=*\nall\n");
	expect("GET x/../a%41//b HTTP/1.1\r\n\r\n", "0=GET\n1=x/../a%41//b\nall\n");
	expect("CONNECT h:443 HTTP/1.1\r\n\r\n", "not\n");
}

/* Proxies put them together, HTTP/2 may take them apart. */
static void test_cookies_by_crumbs(void **state)
{
	(void)state;
	const char *same = "0=GET\n1=/\n2=a=1\n2=b=2\n2=c\nall\n";
	expect("GET / HTTP/1.1\r\nCookie: a=1; b=2; c\r\n\r\n", same);
	expect("GET / HTTP/1.1\r\nCookie: a=1;b=2\r\nCookie: c\r\n\r\n", same);
	expect("GET / HTTP/1.1\r\nCookie: a=1\r\nCookie: ;b=2 ; c;\r\n\r\n", same);
	expect("GET / HTTP/1.1\r\nCookie: c; a=1; b=2\r\n\r\n", "0=GET\n1=/\n2=c\n2=a=1\n2=b=2\nall\n");
}

static void test_too_much_to_be_kept(void **state)
{
	static char head[12000], path[3000];
	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	/* Whole in one piece: all of it counts, however long. */
	size_t len = (size_t)sprintf(head, "GET /%s HTTP/1.1\r\nCookie: %s\r\n\r\n", path, path);
	const char *text = told(&protocol_http1, (struct bytes){head, len}, len);
	assert_string_equal(text + strlen(text) - 4, "all\n");
	/* In two, and what has come is no longer known as a whole. */
	assert_string_equal(told(&protocol_http1, (struct bytes){head, len}, 3500), "lost\n");
	len = (size_t)sprintf(head, "GET /%.900s HTTP/1.1\r\nCookie: %s\r\nHost: x\r\n\r\n", path, path);
	text = told(&protocol_http1, (struct bytes){head, len}, len - 3);
	assert_string_equal(text + strlen(text) - 8, "in part\n");
	assert_memory_equal(text, "0=GET\n1=/xxx", 12);
	/* More lines than there is room for. */
	len = (size_t)sprintf(head, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HTTP_CAPTURES; i++)
		len += (size_t)sprintf(head + len, "Cookie: %d\r\n", i);
	len += (size_t)sprintf(head + len, "\r\n");
	text = told(&protocol_http1, (struct bytes){head, len}, len);
	assert_string_equal(text + strlen(text) - 8, "in part\n");
}

#define S(text) text, sizeof(text) - 1

/* As nginx sends it, where there is no type. */
static void test_variables(void **state)
{
	static const struct bytes request = {S("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
					       "\1\4\0\1\0\102\0\0\16\3REQUEST_METHODGET\13\3REQUEST_URI/"
					       "?a\14\0CONTENT_TYPE\13\4HTTP_COOKIEa; b"
					       "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0")};
	(void)state;
	for (size_t cut = 0; cut <= request.len; cut++)
		assert_string_equal(told(&protocol_fastcgi, request, cut), "0=GET\n1=/?a\n2=a\n2=b\nall\n");
}

static int set_up(void **state)
{
	(void)state;
	protocol_settings.capture_request[CAPTURE_IDENTITY] = http_identity_fields;
	protocol_settings_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_cookies_by_crumbs),
		cmocka_unit_test(test_too_much_to_be_kept),
		cmocka_unit_test(test_variables),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
