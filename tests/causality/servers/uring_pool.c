/* uring_pool - io_uring, one thread, calls one after the other on kept connections.
 * rig: needs=/usr/include/liburing.h
 * rig: libs=-luring
 * rig: calls=3 */
#define POOL
#define HEADERS_APART
#define RELEASE
#include "uring.h"
