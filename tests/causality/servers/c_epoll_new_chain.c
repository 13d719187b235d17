/* c_epoll_new_chain - epoll, calls one after the other, each on a connection of its own.
 * rig: calls=3 */
#include "loop.h"
