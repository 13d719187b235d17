/* c_task_sometimes - a pool whose threads answer what they read, until, late, they begin to put some of it back for any of them.
 * rig: warm=400
 * rig: calls=3 */
#include "shared.h"

#include <stdatomic.h>

static bool passes_on(const struct request *request)
{
	static _Atomic long served;
	return atomic_fetch_add(&served, 1) > 1200 && request->id % 10 == 0;
}
