/* http.h - just enough of an HTTP/1.1 client to post to a collector. The exporter's thread only; raw system
 * calls throughout, so that none of it is traced. Source: RFC 9112, OTLP 1.x "OTLP/HTTP". */
#ifndef TAGALONG_EXPORTER_HTTP_H
#define TAGALONG_EXPORTER_HTTP_H

#include <stdint.h>

#include "exporter/buffer.h"

#define HTTP_RESPONSE_MAX ((size_t)4 << 20)

struct http_client { /* one kept-alive connection */
	const char *host;
	uint16_t port;
	int slot; /* of ownfds.h, -1: not connected */
};

struct http_response {
	int status;
	int64_t retry_after; /* ms; -1: not said */
	bool keep;
	bool gzip; /* of the body as it is */
	struct buffer body;
};

enum http_result {
	HTTP_DONE,
	HTTP_UNREACHABLE, /* no connection, or it broke before an answer: worth another attempt */
	HTTP_TIMEOUT,
	HTTP_BROKEN, /* an answer that is none, or is too large */
};

/* Sends head and body (head ends with its empty line), waits for the answer until `deadline` (monotonic ns).
 * A kept connection that the server has closed meanwhile is made anew once. */
enum http_result http_post(struct http_client *client, struct bytes head, struct bytes body,
			   uint64_t deadline, struct http_response *response);
void http_close(struct http_client *client);

/* "120" or an HTTP-date, as ms from now; -1: neither. */
int64_t http_retry_after(struct bytes value, int64_t unix_now);

#endif
