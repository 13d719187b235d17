/* c_task_futex_id - the same, and TAGALONG_CORRELATE names the header that it passes on.
 * rig: calls=3
 * rig: env=TAGALONG_CORRELATE=x-request-id */
#include "c_task_futex.c"
