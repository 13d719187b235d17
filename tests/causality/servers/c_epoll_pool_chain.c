/* c_epoll_pool_chain - epoll, calls one after the other on kept connections.
 * rig: calls=3 */
#define KEEP
#include "loop.h"
