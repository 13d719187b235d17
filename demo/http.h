/* http.h - what the demo's two C services share: a small HTTP/1.1 server, one thread a connection. They are programs like
 * any other and know nothing of tracing. */
#ifndef DEMO_HTTP_H
#define DEMO_HTTP_H

#include <stddef.h>

/* Fills body (NUL-terminated) for a path; answers the status. */
typedef int (*handler)(const char *path, char *body, size_t size);

/* Listens on 127.0.0.1:port and serves for ever. Returns only when it cannot listen. */
int serve(int port, handler handle);

#endif
