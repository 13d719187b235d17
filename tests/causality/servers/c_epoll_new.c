/* c_epoll_new - epoll, one call on a connection of its own.
 * rig: calls=1 */
#include "loop.h"
