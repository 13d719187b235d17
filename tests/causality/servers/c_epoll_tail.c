/* c_epoll_tail - epoll, the first call at once, the second at the end of the turn.
 * rig: calls=3 */
#define KEEP
#define TAIL
#include "loop.h"
