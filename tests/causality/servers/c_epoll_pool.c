/* c_epoll_pool - epoll, one call on a kept connection.
 * rig: calls=1 */
#define KEEP
#include "loop.h"
