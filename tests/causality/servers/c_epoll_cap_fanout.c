/* c_epoll_cap_fanout - epoll, a pool of 8, three calls at once.
 * rig: calls=3 */
#define KEEP
#define CAP 8
#define FANOUT
#define RELEASE_FIRST
#include "loop.h"
