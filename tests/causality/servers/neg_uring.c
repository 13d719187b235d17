/* neg_uring - io_uring, one thread; behind each answer a call that is nobody's, beside others' requests.
 * rig: needs=/usr/include/liburing.h
 * rig: libs=-luring
 * rig: calls=1 */
#define BACKGROUND
#include "uring.h"
