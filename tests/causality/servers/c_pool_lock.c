/* c_pool_lock - a pool whose threads read and answer, and wait for a lock before each call.
 * rig: warm=400
 * rig: calls=3 */
#include "shared.h"

static bool passes_on(const struct request *request)
{
	(void)request;
	return false;
}
