/* c_epoll_new_fanout - epoll, up to three calls at once, each on a connection of its own.
 * rig: calls=3 */
#define FANOUT
#include "loop.h"
