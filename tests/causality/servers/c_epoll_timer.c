/* c_epoll_timer - epoll, each request waits for a timer before its call.
 * rig: calls=3 */
#define KEEP
#define TIMER
#include "loop.h"
