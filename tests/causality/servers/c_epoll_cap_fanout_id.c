/* c_epoll_cap_fanout_id - the same, and TAGALONG_CORRELATE names the header that it passes on.
 * rig: calls=3
 * rig: env=TAGALONG_CORRELATE=x-request-id */
#include "c_epoll_cap_fanout.c"
