/* uring_new - io_uring, one thread, a call on a connection of its own: connect, send and receive are linked.
 * rig: needs=/usr/include/liburing.h
 * rig: libs=-luring
 * rig: calls=1 */
#define MULTISHOT
#include "uring.h"
