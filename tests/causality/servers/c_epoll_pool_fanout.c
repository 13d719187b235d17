/* c_epoll_pool_fanout - epoll, up to three calls at once on kept connections.
 * rig: calls=3 */
#define KEEP
#define FANOUT
#include "loop.h"
