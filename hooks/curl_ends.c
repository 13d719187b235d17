/* curl_ends.c - how transfers end, as curl tells it: what failed, and the attempts that never came to the
 * wire. */
#include <string.h>
#include <strings.h>

#include "hooks/curl.h"
#include "hooks/protocols/http_describe.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/hook.h"
#include "preload/transfer.h"

enum {
#define CODE(number, name) CODE_##name = (number),
#include "hooks/curl_codes.def"
#undef CODE
};

static struct bytes name_of_code(CURLcode code)
{
	static const char *const names[] = {
#define CODE(number, name) [number] = "CURLE_" #name,
#include "hooks/curl_codes.def"
#undef CODE
	};
	size_t at = (size_t)code;
	return at < sizeof(names) / sizeof(names[0]) && names[at] ? bytes_of(names[at]) : BYTES("_OTHER");
}

/* Nothing failed, or nothing was tried: the program's own wish or mistake. */
static bool is_no_failure(CURLcode code)
{
	switch ((int)code) {
	case 0:
	case CODE_UNSUPPORTED_PROTOCOL:
	case CODE_FAILED_INIT:
	case CODE_URL_MALFORMAT:
	case CODE_NOT_BUILT_IN:
	case CODE_OUT_OF_MEMORY:
	case CODE_ABORTED_BY_CALLBACK:
	case CODE_BAD_FUNCTION_ARGUMENT:
	case CODE_UNKNOWN_OPTION:
	case CODE_RECURSIVE_API_CALL:
		return true;
	default:
		return false;
	}
}

/* Failures that only come before a request is sent. */
static bool is_before_request(CURLcode code)
{
	switch ((int)code) {
	case CODE_COULDNT_RESOLVE_PROXY:
	case CODE_COULDNT_RESOLVE_HOST:
	case CODE_COULDNT_CONNECT:
	case CODE_INTERFACE_FAILED:
	case CODE_SSL_CONNECT_ERROR:
	case CODE_SSL_CERTPROBLEM:
	case CODE_SSL_CIPHER:
	case CODE_PEER_FAILED_VERIFICATION:
	case CODE_SSL_CACERT_BADFILE:
	case CODE_SSL_CRL_BADFILE:
	case CODE_SSL_ISSUER_ERROR:
	case CODE_SSL_PINNEDPUBKEYNOTMATCH:
	case CODE_SSL_INVALIDCERTSTATUS:
	case CODE_QUIC_CONNECT_ERROR:
	case CODE_PROXY:
		return true;
	default:
		return false;
	}
}

/* --- what curl knows
 * ----------------------------------------------------------------------------------------------------- */

static struct bytes text_of(const struct curl *lib, CURL *handle, CURLINFO what)
{
	const char *text = NULL;
	return lib->curl_easy_getinfo(handle, what, &text) == 0 && text ? bytes_of(text) : BYTES("");
}

static uint64_t ns_of(const struct curl *lib, CURL *handle, CURLINFO what)
{
	int64_t us = 0;
	return lib->curl_easy_getinfo(handle, what, &us) == 0 && us > 0 ? (uint64_t)us * 1000 : 0;
}

static bool begins(struct bytes text, const char *prefix)
{
	size_t len = strlen(prefix);
	return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

/* As curl guesses it: by how the URL begins, or how the host's name does. */
bool curl_speaks_http(const struct curl *lib, CURL *handle, bool peculiar)
{
	static const char *const http[] = {"http://", "https://", "ws://", "wss://"};
	static const char *const others[] = {"ftp.", "dict.", "ldap.", "imap.", "smtp.", "pop3."};
	struct bytes url = text_of(lib, handle, INFO_EFFECTIVE_URL);
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++)
		if (begins(url, http[i]))
			return true;
	if (peculiar || url.len == 0 || memmem(url.ptr, url.len, "://", 3))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (begins(url, others[i]))
			return false;
	return true;
}

/* --- attempts that never came to the wire
 * --------------------------------------------------------------------------------- */

static void split_url(struct bytes url, struct http_message *message)
{
	const char *at = memmem(url.ptr, url.len, "://", 3);
	message->target = url;
	if (at)
		return;
	size_t end = bytes_find(url, '/');
	message->scheme = BYTES("http");
	message->host = bytes_until(url, end);
	message->target = end < url.len ? bytes_from(url, end) : BYTES("/");
}

static struct bytes host_of(struct bytes url, uint16_t *port)
{
	const char *scheme = memmem(url.ptr, url.len, "://", 3);
	struct bytes rest = scheme ? bytes_from(url, (size_t)(scheme - url.ptr) + 3) : url;
	rest = bytes_until(rest, bytes_find(rest, '/'));
	const char *user = rest.len ? memrchr(rest.ptr, '@', rest.len) : NULL;
	if (user)
		rest = bytes_from(rest, (size_t)(user - rest.ptr) + 1);
	return http_split_port(rest, port);
}

static bool is_address(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++)
		if (host.ptr[i] == ':')
			return true;
		else if ((host.ptr[i] < '0' || host.ptr[i] > '9') && host.ptr[i] != '.')
			return false;
	return true;
}

static void describe(struct span *span, struct bytes url, struct bytes method, bool http)
{
	struct protocol_endpoint nowhere = {0};
	struct protocol_facts facts = {.attrs = &span->attrs, .name_room = span->name};
	struct http_message message;
	uint16_t port = 0;

	if (http) {
		http_message_init(&message);
		message.method = method.len ? method : BYTES("GET");
		split_url(url, &message);
		http_describe_request(&message, SIDE_CLIENT, &nowhere, &facts);
		span_name(span, facts.name);
		if (span->resend)
			attrs_int(&span->attrs, BYTES("http.request.resend_count"), span->resend);
		return;
	}
	struct bytes host = host_of(url, &port);
	span_name(span, BYTES("connect"));
	if (host.len)
		attrs_string(&span->attrs, BYTES("server.address"), host);
	if (host.len && port)
		attrs_int(&span->attrs, BYTES("server.port"), port);
}

struct times {
	uint64_t total, redirect, lookup, connect, tls;
};

static void tell_times(struct span *span, const struct times *times, struct bytes url)
{
	uint16_t port;
	if (times->lookup && !is_address(host_of(url, &port)))
		span_event(span, "dns.lookup.end", span->start + times->lookup);
	if (times->connect)
		span_event(span, "connect.end", span->start + times->connect);
	if (times->tls)
		span_event(span, "tls.handshake.end", span->start + times->tls);
}

static void tell_unsent(const struct curl *lib, CURL *handle, struct transfer *transfer, struct bytes error,
			bool http)
{
	struct bytes url = text_of(lib, handle, INFO_EFFECTIVE_URL);
	struct bytes method = text_of(lib, handle, INFO_EFFECTIVE_METHOD);
	struct times times = {
		.total = ns_of(lib, handle, INFO_TOTAL_TIME_T),
		.redirect = ns_of(lib, handle, INFO_REDIRECT_TIME_T),
		.lookup = ns_of(lib, handle, INFO_NAMELOOKUP_TIME_T),
		.connect = ns_of(lib, handle, INFO_CONNECT_TIME_T),
		.tls = ns_of(lib, handle, INFO_APPCONNECT_TIME_T),
	};
	int saved = hook_enter();
	uint64_t now = clock_now();
	uint64_t took = times.total > times.redirect ? times.total - times.redirect : 0;
	struct span *span = transfer_unsent(transfer, now - (took < now ? took : 0));
	if (span) {
		describe(span, url, method, http);
		if (span->resend == 0) /* curl adds up those of all attempts */
			tell_times(span, &times, url);
		span_error(span, error);
		span_end(span, now);
	}
	hook_leave(saved);
}

/* Did the attempt that failed ever send a request? */
static bool was_sent(const struct curl *lib, CURL *handle, const struct transfer *transfer, CURLcode code)
{
	long redirects = 0;
	if (!transfer || !transfer->marked) /* the wire has seen it, if there was something to see */
		return !is_before_request(code);
	return transfer->attempts > 0 && !is_before_request(code) &&
	       !(lib->curl_easy_getinfo(handle, INFO_REDIRECT_COUNT, &redirects) == 0 &&
		 redirects >= (long)transfer->attempts);
}

void curl_ended(const struct curl *lib, CURL *handle, struct transfer *transfer, CURLcode code)
{
	if (!lib || is_no_failure(code) || config.sdk_disabled || !hook_live())
		return;
	int error = errno;
	bool http = curl_speaks_http(lib, handle, transfer && transfer->peculiar);
	if (!was_sent(lib, handle, transfer, code)) {
		if (http || is_before_request(code))
			tell_unsent(lib, handle, transfer, name_of_code(code), http);
	} else if (transfer && transfer->marked) {
		int saved = hook_enter();
		transfer_failed(transfer, name_of_code(code));
		hook_leave(saved);
	}
	errno = error;
}
