/* neg_timer - a loop that calls for itself whenever a timer goes off, by timerfd and by the wait's time-out, between requests
 * that need no call of theirs until the timer has gone off.
 * rig: calls=1 */
#define KEEP
#define TIMER
#define BACKGROUND
#include "loop.h"
