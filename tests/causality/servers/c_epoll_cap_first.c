/* c_epoll_cap_first - epoll, a pool of 8; a free connection goes to who waits before its answer is looked at.
 * rig: calls=3 */
#define KEEP
#define CAP 8
#define RELEASE_FIRST
#include "loop.h"
