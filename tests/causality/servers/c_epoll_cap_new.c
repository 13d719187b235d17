/* c_epoll_cap_new - epoll, at most 8 calls at a time, each on a connection of its own.
 * rig: calls=3 */
#define CAP 8
#include "loop.h"
