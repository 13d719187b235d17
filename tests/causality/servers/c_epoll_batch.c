/* c_epoll_batch - epoll, all requests of a turn are read before the first is gone on with.
 * rig: calls=3 */
#define KEEP
#define DEFER
#include "loop.h"
