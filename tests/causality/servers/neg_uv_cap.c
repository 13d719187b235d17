/* neg_uv_cap - libuv's threads make the calls, at most eight requests' at a time: the end of one's gives them the next, before it
 * is answered
 * rig: needs=pkg:libuv
 * rig: libs=-luv
 * rig: calls=3 */
#define CAP 8
#include "uv_work.c"
